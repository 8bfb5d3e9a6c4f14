"""Rows to the tensors a model needs: ids, positions and the mask that keeps branches apart.

Shapes: B rows, N tokens of the longest row, A axes of the model's positions (1, or 3 for multimodal rotary ones).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from srpo.errors import ModelError
from srpo.models.encode import PER_TOKEN
from srpo.models.families import FAMILIES, UNKNOWN, family_of, sliding_window
from srpo.train.pack import Row
from srpo.train.segments import SEGMENTS, plan_segments
from srpo.train.varlen import VARLEN, plan_varlen

_PLANNERS = {SEGMENTS: plan_segments, VARLEN: plan_varlen}
_MASKED_ATTENTION = frozenset({"sdpa", "eager", *_PLANNERS})


def tree_problem(config: Any) -> str | None:
    """Why tree rows are not exact for this model, in one line, or none if they are."""
    name, family, text = config.model_type, family_of(config), config.get_text_config()
    strange = sorted(set(getattr(text, "layer_types", None) or ()) - {"full_attention", "sliding_attention"})
    if strange:
        return f"{name} has {strange[0]} layers, whose state cannot be forked into branches"
    if family is UNKNOWN:
        known = sorted(kind for other in FAMILIES if other.text_types for kind in other.model_types)
        return f"tree rows are checked for {', '.join(known)}, not for {name}"
    if text.model_type not in family.text_types:
        return f"tree rows of {name} are checked with {', '.join(sorted(family.text_types))}, not {text.model_type}"
    if getattr(text, "use_bidirectional_attention", False) or not getattr(text, "is_causal", True):
        return f"the language model of {name} is not causal: a token sees what follows it"
    return None


def segments_problem(config: Any) -> str | None:
    """Why attention by segments is not exact for this model, in one line, or none if it is.

    It is for language models that are causal and see all that went before; the others take masks over the row.
    """
    if family_of(config).two_way_images:
        return f"image tokens of {config.model_type} see each other in both directions"
    if sliding_window(config) is not None:
        return f"{config.model_type} has sliding-window layers"
    return None


def check_architecture(config: Any) -> None:
    """Raise ModelError unless the tree mask is exact for this model and its attention implementation."""
    problem = tree_problem(config)
    if problem is not None:
        raise ModelError(f"{problem}; set step_impl to flat")
    check_attention(config)


def check_attention(config: Any) -> None:
    """Raise ModelError unless the model's attention takes an explicit mask."""
    name = config.get_text_config()._attn_implementation
    if name not in _MASKED_ATTENTION:
        raise ModelError(f"attn_implementation {name} takes no explicit mask, which training needs; use sdpa")


def row_ids(rows: Sequence[Row], pad: int, device: torch.device) -> torch.Tensor:
    """Token ids, padded on the right: [B, N]."""
    longest = max(len(row.ids) for row in rows)
    return torch.tensor([list(row.ids) + [pad] * (longest - len(row.ids)) for row in rows], device=device)


def row_mask(rows: Sequence[Row], device: torch.device) -> torch.Tensor:
    """Visibility, True = attend: [B, 1, N, N].

    A token sees its own stretch (the trunk, or its span) up to itself, and a token of a span also the stretches before
    it.  Padding is a stretch of its own, so that no query is left without a key.
    """
    longest = max(len(row.ids) for row in rows)
    stretch_BN = torch.full((len(rows), longest), -1, dtype=torch.int32)
    before_BNN = torch.zeros(len(rows), longest, longest, dtype=torch.bool)
    for b, row in enumerate(rows):
        stretch_BN[b, : row.trunk] = 0
        for number, span in enumerate(row.spans, 1):
            stretch_BN[b, span.start : span.end] = number
            for start, end in span.before:
                before_BNN[b, span.start : span.end, start:end] = True
    stretch_BN = stretch_BN.to(device)
    causal_NN = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
    own_BNN = (stretch_BN[:, :, None] == stretch_BN[:, None, :]) & causal_NN
    return (own_BNN | before_BNN.to(device))[:, None]


def row_positions(rows: Sequence[Row], prompts: Sequence[torch.Tensor], device: torch.device) -> torch.Tensor:
    """Position ids: [B, N], or [A, B, N] for A > 1.

    `prompts` gives, per row, the model's positions of the prompt and of one text token after it, [A, P + 1].
    Padding keeps position 0.
    """
    longest = max(len(row.ids) for row in rows)
    axes = prompts[0].shape[0]
    positions_ABN = torch.zeros(axes, len(rows), longest, dtype=torch.long)
    for b, (row, prompt_AP) in enumerate(zip(rows, prompts, strict=True)):
        after_prompt = torch.tensor(row.depths()[row.prompt :])
        positions_ABN[:, b, : row.prompt] = prompt_AP[:, : row.prompt]
        positions_ABN[:, b, row.prompt : len(row.ids)] = prompt_AP[:, row.prompt :] + after_prompt
    return (positions_ABN[0] if axes == 1 else positions_ABN).to(device)


def own_positions(rows: Sequence[Row], extras: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """What a model that finds its positions itself makes them of: the processor's numbers per token, each [B, N].

    Raises ModelError for `token_type_ids`: some models take 0 for text, others for a prompt that sees all of itself.
    """
    if "token_type_ids" in extras[0]:
        raise ModelError(
            "this model's family is not known, so neither is what its token_type_ids should be after the prompt; "
            "add an adapter to srpo.models.families (docs/families.md)"
        )
    longest = max(len(row.ids) for row in rows)
    kinds = {key: [extra[key] for extra in extras] for key in PER_TOKEN if key in extras[0]}
    return {key: torch.cat([pad(t, (0, longest - t.shape[1])) for t in tensors]) for key, tensors in kinds.items()}


def attention_mask(mask_B1NN: torch.Tensor, implementation: str, dtype: torch.dtype) -> torch.Tensor:
    """The boolean mask [B, 1, N, N] as the attention implementation wants it: eager code adds its mask to scores."""
    if implementation != "eager":
        return mask_B1NN
    return torch.zeros_like(mask_B1NN, dtype=dtype).masked_fill(~mask_B1NN, torch.finfo(dtype).min)


def layer_masks(config: Any, rows: Sequence[Row], device: torch.device) -> dict[str, torch.Tensor]:
    """Visibility by kind of layer, each [B, 1, N, N].

    A window counts along the path, not along the row.  Image tokens that see each other do so inside the window only.
    """
    seen = row_mask(rows, device)
    if family_of(config).two_way_images:
        seen = seen | _same_picture(config, rows, device)
    window = sliding_window(config)
    if window is None:
        return {"full_attention": seen}
    depth_BN = torch.zeros(seen.shape[0], seen.shape[-1], dtype=torch.long)
    for b, row in enumerate(rows):
        depth_BN[b, : len(row.ids)] = torch.tensor(row.depths())
    depth_BN = depth_BN.to(device)
    near_B1NN = (depth_BN[:, :, None] - depth_BN[:, None, :] < window)[:, None]
    return {"full_attention": seen, "sliding_attention": seen & near_B1NN}


def _same_picture(config: Any, rows: Sequence[Row], device: torch.device) -> torch.Tensor:
    """Pairs of image tokens that stand in one unbroken run: [B, 1, N, N]."""
    image_BN: torch.Tensor = row_ids(rows, pad=-1, device=device) == config.image_token_id
    starts_BN = image_BN & ~pad(image_BN, (1, 0))[:, :-1]
    run_BN = starts_BN.cumsum(dim=1)
    both_BNN = image_BN[:, :, None] & image_BN[:, None, :]
    return (both_BNN & (run_BN[:, :, None] == run_BN[:, None, :]))[:, None]


def attention_inputs(core: Any, rows: Sequence[Row], device: torch.device) -> dict[str, Any]:
    """What keeps branches apart: a plan for attention by segments, or masks; rows of one path need neither."""
    config = core.config
    if all(_one_path(row) for row in rows):
        return _own_masks(config, rows, device)
    implementation = config.get_text_config()._attn_implementation
    if implementation in _PLANNERS and segments_problem(config) is None:
        # A mask of four dimensions keeps transformers from making one; attention by segments does not look at it.
        unused = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device)
        return {"attention_mask": unused, "tree_segments": _PLANNERS[implementation](rows, device)}
    masks = {
        kind: attention_mask(mask, implementation, core.dtype)
        for kind, mask in layer_masks(config, rows, device).items()
    }
    if hasattr(config.get_text_config(), "layer_types") and len(masks) > 1:
        return {"attention_mask": masks}
    # Without kinds of layers all are alike: the window holds for all of them if there is one.
    return {"attention_mask": masks.get("sliding_attention", masks["full_attention"])}


def _one_path(row: Row) -> bool:
    """Whether every token sees all before it: no span, or spans that go on where the row ends."""
    return all(span.start == span.depth for span in row.spans)


def _own_masks(config: Any, rows: Sequence[Row], device: torch.device) -> dict[str, Any]:
    """The model's own masks do: no token sees the padding, which follows it."""
    ids_BN = row_ids(rows, pad=-1, device=device)
    inputs = {"attention_mask": torch.ones_like(ids_BN)}
    if family_of(config).two_way_images:
        inputs["token_type_ids"] = (ids_BN == config.image_token_id).long()
    return inputs
