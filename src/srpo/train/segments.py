"""Attention over tree rows without a mask over the whole row.

The trunk attends causally to itself.  A *segment*, a few spans that stand side by side, attends to slices of what is
before them and to itself, under a small mask that keeps its paths apart.  Nothing is gathered or padded.  It is
registered as an attention function of transformers and behaves as sdpa when a call brings no plan, e.g. in generation.

Shapes: B rows, N tokens of the longest row, L tokens of a segment, F tokens before it, H query heads,
G key heads, D head size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from srpo.train.pack import Row, Span

SEGMENTS = "srpo_segments"
"""Name of the attention implementation."""


@dataclass(frozen=True)
class Segment:
    """Neighbouring spans: tokens `start` to `end` see, by the mask, some of the stretches `before` and of their own.

    `before` has F tokens in all; `visible_11LK` is [1, 1, L, F + L].
    """

    start: int
    end: int
    before: tuple[tuple[int, int], ...]
    visible_11LK: torch.Tensor


@dataclass(frozen=True)
class RowPlan:
    """How a row attends: `trunk` tokens, then the segments, one after the other."""

    trunk: int
    segments: tuple[Segment, ...]


SegmentPlan = tuple[RowPlan, ...]
"""One plan per row."""


def plan_segments(rows: Sequence[Row], device: torch.device) -> SegmentPlan:
    """The plan for padded rows; it is the same for all layers."""
    return tuple(RowPlan(row.trunk, tuple(_segment(s, device) for s in _side_by_side(row.spans))) for row in rows)


def _side_by_side(spans: Sequence[Span]) -> Iterator[Sequence[Span]]:
    """Spans that share a call, in the order of the row.

    Neighbours share one, each with all that goes on from it, while they are together no longer than what is before
    them: so the mask over them stays small.  Of a longer one the span itself goes alone, and the others after it.
    """
    waiting = [spans] if spans else []
    while waiting:
        spans = waiting.pop()
        first, level = spans[0], len(spans[0].before)
        ends = [i for i in range(1, len(spans) + 1) if i == len(spans) or len(spans[i].before) == level]
        fitting = [end for end in ends if spans[end - 1].end - first.start <= first.depth]
        if fitting:
            yield spans[: fitting[-1]]
            left = [spans[fitting[-1] :]]
        else:
            yield spans[:1]
            left = [spans[ends[0] :], spans[1 : ends[0]]]
        waiting += [part for part in left if part]


def _segment(spans: Sequence[Span], device: torch.device) -> Segment:
    start, end, level = spans[0].start, spans[-1].end, len(spans[0].before)
    # They differ in how much of the trunk they see, and the last one sees most; other stretches all of them see.
    before = spans[-1].before[:level]
    depth = sum(last - first for first, last in before)
    visible_LK = torch.zeros(end - start, depth + end - start, dtype=torch.bool)
    for span in spans:
        own_LK = visible_LK[span.start - start : span.end - start]
        own_LK[:, : span.trunk] = True
        own_LK[:, before[0][1] : depth] = True
        for first, last in span.before[level:]:
            own_LK[:, depth + first - start : depth + last - start] = True
        own_LK[:, depth + span.start - start : depth + span.end - start] = torch.ones(len(own_LK), len(own_LK)).tril()
    return Segment(start, end, before, visible_LK.to(device)[None, None])


def segment_attention(  # noqa: PLR0913 - the signature of transformers' attention functions
    module: torch.nn.Module,
    query_BHND: torch.Tensor,
    key_BGND: torch.Tensor,
    value_BGND: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    tree_segments: SegmentPlan | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention output [B, N, H, D].  `attention_mask` matters only without a plan."""
    if tree_segments is None:
        result: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query_BHND, key_BGND, value_BGND, attention_mask, scaling=scaling, **kwargs
        )
        return result
    groups = query_BHND.shape[1] // key_BGND.shape[1]
    if groups > 1 and query_BHND.device.type != "cpu":
        # Elsewhere the fast kernels do not take a mask and shared key heads together.
        key_BGND, value_BGND = key_BGND.repeat_interleave(groups, 1), value_BGND.repeat_interleave(groups, 1)
    rows = [
        _attend(query_BHND[b : b + 1], key_BGND[b : b + 1], value_BGND[b : b + 1], plan, scaling)
        for b, plan in enumerate(tree_segments)
    ]
    out_BHND = rows[0] if len(rows) == 1 else torch.cat(rows)
    return out_BHND.transpose(1, 2), None


def _attend(
    query_1HND: torch.Tensor, key_1GND: torch.Tensor, value_1GND: torch.Tensor, plan: RowPlan, scaling: float | None
) -> torch.Tensor:
    """Attention output of one row, [1, H, N, D]; zeros for padding."""
    shared: dict[str, Any] = {"scale": scaling, "enable_gqa": query_1HND.shape[1] != key_1GND.shape[1]}
    query, key, value = (x[:, :, : plan.trunk] for x in (query_1HND, key_1GND, value_1GND))
    parts = [scaled_dot_product_attention(query, key, value, is_causal=True, **shared)]
    for segment in plan.segments:
        query = query_1HND[:, :, segment.start : segment.end]
        key, value = _seen(key_1GND, segment), _seen(value_1GND, segment)
        parts.append(scaled_dot_product_attention(query, key, value, attn_mask=segment.visible_11LK, **shared))
    last = plan.segments[-1].end if plan.segments else plan.trunk
    return pad(torch.cat(parts, dim=2), (0, 0, 0, query_1HND.shape[2] - last))


def _seen(heads_1GND: torch.Tensor, segment: Segment) -> torch.Tensor:
    """Keys or values of a segment, [1, G, F + L, D]."""
    stretches = (*segment.before, (segment.start, segment.end))
    return torch.cat([heads_1GND[:, :, first:last] for first, last in stretches], dim=2)


def use_segments(model: Any) -> None:
    """Let the language model of `model` attend by segments; the vision tower keeps its attention."""
    AttentionInterface.register(SEGMENTS, segment_attention)
    AttentionMaskInterface.register(SEGMENTS, sdpa_mask)
    attend_by(model, SEGMENTS)


def attend_by(model: Any, implementation: str) -> None:
    """Choose the attention of the language model; a vision tower beside it keeps its own."""
    alone = model.config.get_text_config() is model.config
    model.set_attn_implementation(implementation if alone else {"text_config": implementation})
