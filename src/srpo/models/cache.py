"""Keys and values of rows that decode together, and whether a model's cache lets prefixes be cut out of it.

Shapes: B rows, H key-value heads, L tokens of a trunk, C columns, D head width.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from srpo.models.families import UNKNOWN, family_of


class BufferLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped here
    """A cache layer over two buffers [B, H, capacity, D]: a step writes one column instead of copying all."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self.buffers = (keys, values)
        self._show(length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new columns; returns all that are filled."""
        begin, end = self.length, self.length + key_states.shape[-2]
        self.buffers[0][:, :, begin:end] = key_states
        self.buffers[1][:, :, begin:end] = value_states
        self._show(end)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Filled columns."""
        return self.length

    def rows(self, indices: list[int], columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Copies of the last filled columns of some rows."""
        begin = self.length - columns
        return self.keys[indices, :, begin:], self.values[indices, :, begin:]

    def _show(self, length: int) -> None:
        self.length = length
        self.keys, self.values = (buffer[:, :, :length] for buffer in self.buffers)


def right_aligned(
    old: torch.Tensor | None, joining: Sequence[tuple[torch.Tensor, int]], width: int, capacity: int
) -> torch.Tensor:
    """One side of a layer [B, H, capacity, D] that is filled up to column `width`.

    `old` [B', H, C, D] are rows that stay; `joining` are trunks [H, L, D], each with the number of tokens to take.
    """
    like = joining[0][0] if old is None else old[0]
    stay = 0 if old is None else old.shape[0]
    # Zeros, not empty: a masked column still takes part in the weighted sum, and 0 * nan is nan.
    new = like.new_zeros(stay + len(joining), like.shape[0], capacity, like.shape[2])
    if old is not None:
        new[:stay, :, width - old.shape[2] : width] = old
    for row, (trunk, length) in enumerate(joining, stay):
        new[row, :, width - length : width] = trunk[:, :length]
    return new


def shares_prefixes(model: Any, ids: Sequence[int]) -> bool:
    """Whether prefixes can be cut out of a cache of this model that keeps all tokens, and no token sees a later one.

    Recurrent states cannot be cut; prefix language models let the prompt see what follows.  Sliding windows can, as
    the model masks by distance what a cache of all tokens keeps too long; this is known of known families only.
    `ids` are three or more tokens of text to try it on.
    """
    known = family_of(model.config) is not UNKNOWN
    if not known and _surprising(model):
        return False
    row = torch.tensor([list(ids)], device=model.device)
    positions = torch.arange(len(ids), device=model.device)[None]
    kept = model(input_ids=row, position_ids=positions, use_cache=True)
    kinds = {type(layer) for layer in getattr(kept.past_key_values, "layers", [])}
    if not kinds or not kinds <= ({DynamicLayer, DynamicSlidingWindowLayer} if known else {DynamicLayer}):
        return False
    cut = model(input_ids=row[:, :-1], position_ids=positions[:, :-1], past_key_values=DynamicCache(), use_cache=True)
    before, alone = kept.logits[0, -2].float(), cut.logits[0, -1].float()
    return bool((before - alone).abs().max() <= 0.05 * alone.abs().max())


def _surprising(model: Any) -> bool:
    """Whether pictures may change positions, or what a token sees, in a way that a trial on text does not show."""
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    own_positions = any(hasattr(module, "get_rope_index") for module in core.modules())
    return own_positions or "token_type_ids" in signature(core.forward).parameters
