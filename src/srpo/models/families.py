"""What differs between model families, one adapter each: the only place that asks for a model's type.

`docs/families.md` shows how to add one.  A model of no known family is treated with care: it keeps its own positions
and masks, trains on flat rows, and its vision features are not kept.

Shapes: B rows, N tokens, T image tokens of a prompt, D hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
)

from srpo.errors import ModelError

Positions = Callable[[Any, Mapping[str, torch.Tensor]], torch.Tensor]
"""Model and inputs of rows to position ids, [B, N], or [3, B, N] for multimodal rotary positions."""

Features = tuple[torch.Tensor, ...]
"""Vision features of one prompt, each [T, D]: what replaces the image tokens, then what deeper layers add to them."""


def by_depth(model: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Tokens are counted, image tokens as well: [B, N]."""
    ids_BN = inputs["input_ids"]
    return torch.arange(ids_BN.shape[1], device=ids_BN.device).expand(ids_BN.shape)


def by_grid(model: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Time, height and width of image tokens; text goes on after the largest of them: [3, B, N]."""
    grids = {key: inputs[key] for key in ("image_grid_thw", "video_grid_thw") if key in inputs}
    kinds = inputs["mm_token_type_ids"]
    positions: torch.Tensor = model.model.get_rope_index(inputs["input_ids"], mm_token_type_ids=kinds, **grids)[0]
    return positions


def _pooled(output: Any) -> Features:
    pooled = output.pooler_output
    return (pooled.flatten(0, -2) if isinstance(pooled, torch.Tensor) else torch.cat(list(pooled)),)


def _pooled_and_deep(output: Any) -> Features:
    return (*_pooled(output), *(torch.cat(list(layer)) for layer in output.deepstack_features))


def _listed(features: Sequence[Features]) -> Any:
    return SimpleNamespace(pooler_output=[feature[0] for feature in features])


def _stacked(features: Sequence[Features]) -> Any:
    return SimpleNamespace(pooler_output=torch.cat([feature[0] for feature in features])[None])


def _listed_with_deep(features: Sequence[Features]) -> Any:
    pooled, *deep = map(list, zip(*features, strict=True))
    return SimpleNamespace(pooler_output=pooled, deepstack_features=deep)


@dataclass(frozen=True)
class Family:
    """How one kind of model differs from the others.

    `text_types` are the language models with which tree rows were shown to be exact.  `positions` is none if only the
    model itself knows them.  `two_way_images`: the tokens of a picture see each other in both directions.
    `placeholders` are words that stand for pictures; they are never sampled.  `read_features` takes the output of
    `get_image_features` apart, `join_features` makes of the features of all rows what the forward pass takes instead
    of pixels; none if they cannot be kept.
    """

    model_types: frozenset[str]
    text_types: frozenset[str]
    placeholders: tuple[str, ...] = ()
    positions: Positions | None = by_depth
    two_way_images: bool = False
    read_features: Callable[[Any], Features] | None = _pooled
    join_features: Callable[[Sequence[Features]], Any] = _listed


_LANGUAGE_MODELS = frozenset({"llama", "mistral", "qwen2", "qwen3"})
_QWEN = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")

FAMILIES = (
    Family(
        frozenset({"idefics3", "smolvlm"}),
        _LANGUAGE_MODELS,
        ("<image>", "<video>", "<fake_token_around_image>", "<global-img>", "<row_*>"),
    ),
    Family(_LANGUAGE_MODELS, _LANGUAGE_MODELS, read_features=None),
    Family(frozenset({"qwen2_vl"}), frozenset({"qwen2_vl_text"}), _QWEN, by_grid),
    Family(frozenset({"qwen2_5_vl"}), frozenset({"qwen2_5_vl_text"}), _QWEN, by_grid),
    Family(
        frozenset({"qwen3_vl"}),
        frozenset({"qwen3_vl_text"}),
        _QWEN,
        by_grid,
        read_features=_pooled_and_deep,
        join_features=_listed_with_deep,
    ),
    Family(frozenset({"qwen3_5"}), frozenset(), _QWEN, by_grid),
    Family(frozenset({"llava"}), _LANGUAGE_MODELS, ("<image>",)),
    Family(frozenset({"llava_onevision"}), _LANGUAGE_MODELS, ("<image>", "<video>")),
    Family(
        frozenset({"internvl"}),
        _LANGUAGE_MODELS,
        ("<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
        join_features=_stacked,
    ),
    Family(
        frozenset({"gemma3"}),
        frozenset({"gemma3_text"}),
        ("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
        two_way_images=True,
        join_features=_stacked,
    ),
)

UNKNOWN = Family(
    frozenset(),
    frozenset(),
    tuple(dict.fromkeys(word for family in FAMILIES for word in family.placeholders)),
    positions=None,
    read_features=None,
)
"""For all other models."""


def family_of(config: Any) -> Family:
    """The adapter of a model with this configuration."""
    return next((family for family in FAMILIES if config.model_type in family.model_types), UNKNOWN)


def reads_pictures(config: Any) -> bool:
    """Whether a model with this configuration is a vision-language model."""
    return type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def model_class(config: Any) -> Any:
    """The Auto class of a vision-language model, or of a language model that takes text alone.

    Raises ModelError for a model of another kind.
    """
    if reads_pictures(config):
        return AutoModelForImageTextToText
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
        return AutoModelForCausalLM
    raise ModelError(f"{config.model_type} is neither a vision-language model nor a language model")


def sliding_window(config: Any) -> int | None:
    """Tokens that a sliding-window layer sees, the own one included; none if the model has no such layer."""
    text = config.get_text_config()
    kinds = getattr(text, "layer_types", None)
    if kinds is not None and "sliding_attention" not in kinds:
        return None
    window: int | None = getattr(text, "sliding_window", None)
    return window
