"""Rows to the tensors a model needs: ids, positions and the mask that keeps branches apart.

Shapes: B rows, N tokens of the longest row, A axes of the model's positions (1, or 3 for multimodal rotary ones).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from srpo.errors import ModelError
from srpo.train.pack import Row
from srpo.train.segments import SEGMENTS, plan_segments

TREE_ARCHITECTURES = frozenset({"idefics3", "smolvlm", "qwen2_5_vl"})
"""Model types for which tree and flat rows were shown to give equal log-probabilities and gradients.

Sliding windows, recurrent layers and bidirectional attention over images do not fit the mask below.
"""

_MASKED_ATTENTION = frozenset({"sdpa", "eager", SEGMENTS})


def tree_problem(config: Any) -> str | None:
    """Why tree rows are not exact for this model, or none if they are."""
    if config.model_type not in TREE_ARCHITECTURES:
        return f"tree rows are checked for {', '.join(sorted(TREE_ARCHITECTURES))}, not for {config.model_type}"
    if "sliding_attention" in (getattr(config.get_text_config(), "layer_types", None) or ()):
        return "tree rows do not fit sliding-window attention"
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

    A token sees the tokens of its own stretch (the trunk, or its branch) up to itself, and a branch token also the
    trunk before its fork.  Padding is a stretch of its own, so that no query is left without a key.
    """
    longest = max(len(row.ids) for row in rows)
    stretch_BN = torch.full((len(rows), longest), -1, dtype=torch.int32)
    fork_BN = torch.zeros((len(rows), longest), dtype=torch.int32)
    for b, row in enumerate(rows):
        stretch_BN[b, : row.trunk] = 0
        for number, span in enumerate(row.spans, 1):
            stretch_BN[b, span.start : span.end] = number
            fork_BN[b, span.start : span.end] = span.fork
    stretch_BN, fork_BN = stretch_BN.to(device), fork_BN.to(device)
    causal_NN = torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
    own_BNN = (stretch_BN[:, :, None] == stretch_BN[:, None, :]) & causal_NN
    prefix_BNN = torch.arange(longest, dtype=torch.int32, device=device) < fork_BN[:, :, None]
    return (own_BNN | prefix_BNN)[:, None]


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


def attention_mask(mask_B1NN: torch.Tensor, implementation: str, dtype: torch.dtype) -> torch.Tensor:
    """The boolean mask [B, 1, N, N] as the attention implementation wants it: eager code adds its mask to scores."""
    if implementation == "sdpa":
        return mask_B1NN
    return torch.zeros_like(mask_B1NN, dtype=dtype).masked_fill(~mask_B1NN, torch.finfo(dtype).min)


def attention_inputs(core: Any, rows: Sequence[Row], device: torch.device) -> dict[str, Any]:
    """What keeps branches apart: a plan for attention by segments, else a mask."""
    implementation = core.config.get_text_config()._attn_implementation
    if implementation == SEGMENTS:
        # A mask of four dimensions keeps transformers from making one; attention by segments does not look at it.
        unused = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device)
        return {"attention_mask": unused, "tree_segments": plan_segments(rows, device)}
    return {"attention_mask": attention_mask(row_mask(rows, device), implementation, core.dtype)}
