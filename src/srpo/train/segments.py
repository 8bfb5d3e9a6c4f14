"""Attention over tree rows without a mask over the whole row.

The trunk attends causally to itself; every branch attends to its prefix and to itself.  With branches of length L on
a trunk of length T this computes T*T + S*L*(T+L) scores for S branches instead of (T+S*L)^2.  It is registered as an
attention function of transformers and behaves as sdpa when a call brings no plan, e.g. in generation.

Shapes: B rows, N tokens of the longest row, S branches of all rows, L tokens of the longest branch, T tokens of the
longest trunk, K = T + L, H query heads, G key heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from srpo.train.pack import Row

SEGMENTS = "srpo_segments"
"""Name of the attention implementation."""


@dataclass(frozen=True)
class SegmentPlan:
    """Which tokens of the flattened rows [B * N] the branches consist of and see.

    `queries_SL` and `keys_SK` are token indices (padded with tokens of the same row), `visible_SLK` says which keys a
    query sees, [S, 1, L, K], and `tokens_M` with `slots_M` name the real branch tokens in the rows and in [S * L].
    """

    trunk: int
    queries_SL: torch.Tensor
    keys_SK: torch.Tensor
    visible_SLK: torch.Tensor
    tokens_M: torch.Tensor
    slots_M: torch.Tensor


def plan_segments(rows: Sequence[Row], device: torch.device) -> SegmentPlan:
    """The plan for padded rows; it is the same for all layers.  Works without branches (S = 0) as well."""
    row_length = max(len(row.ids) for row in rows)
    trunk = max(row.trunk for row in rows)
    spans = [(b * row_length, span) for b, row in enumerate(rows) for span in row.spans]
    first_S = torch.tensor([offset + span.start for offset, span in spans], dtype=torch.long, device=device)
    offset_S = torch.tensor([offset for offset, _ in spans], dtype=torch.long, device=device)
    fork_S = torch.tensor([span.fork for _, span in spans], dtype=torch.long, device=device)
    length_S = torch.tensor([span.end - span.start for _, span in spans], dtype=torch.long, device=device)
    longest = int(length_S.max()) if spans else 0
    t, step = torch.arange(trunk, device=device), torch.arange(longest, device=device)
    # Padding repeats the last token: it is computed in vain, but never read.
    queries_SL = first_S[:, None] + torch.minimum(step, length_S[:, None] - 1)
    keys_SK = torch.cat([offset_S[:, None] + t, queries_SL], dim=1)
    prefix_SLT = (t < fork_S[:, None])[:, None].expand(-1, longest, -1)
    own_SLL = (step[:, None] >= step).expand(len(spans), -1, -1)
    visible_SLK = torch.cat([prefix_SLT, own_SLL], dim=2)[:, None]
    slots_M = (step < length_S[:, None]).flatten().nonzero()[:, 0]
    return SegmentPlan(trunk, queries_SL, keys_SK, visible_SLK, queries_SL.flatten()[slots_M], slots_M)


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
    plan, row_length = tree_segments, query_BHND.shape[2]
    gqa = query_BHND.shape[1] != key_BGND.shape[1]
    if gqa and query_BHND.device.type != "cpu":
        # Elsewhere the fast kernels do not take a mask and shared key heads together.
        groups, gqa = query_BHND.shape[1] // key_BGND.shape[1], False
        key_BGND, value_BGND = key_BGND.repeat_interleave(groups, 1), value_BGND.repeat_interleave(groups, 1)
    query_BHTD, key_BGTD, value_BGTD = (x[:, :, : plan.trunk] for x in (query_BHND, key_BGND, value_BGND))
    trunk_BHTD = scaled_dot_product_attention(
        query_BHTD, key_BGTD, value_BGTD, is_causal=True, scale=scaling, enable_gqa=gqa
    )
    out_BNHD = pad(trunk_BHTD.transpose(1, 2), (0, 0, 0, 0, 0, row_length - plan.trunk))
    if not len(plan.tokens_M):
        return out_BNHD, None
    branch_SHLD = scaled_dot_product_attention(
        _take(query_BHND, plan.queries_SL),
        _take(key_BGND, plan.keys_SK),
        _take(value_BGND, plan.keys_SK),
        attn_mask=plan.visible_SLK,
        scale=scaling,
        enable_gqa=gqa,
    )
    branch_MHD = branch_SHLD.transpose(1, 2).flatten(0, 1)[plan.slots_M]
    return out_BNHD.flatten(0, 1).index_copy(0, plan.tokens_M, branch_MHD).view_as(out_BNHD), None


def use_segments(model: Any) -> None:
    """Let the language model of `model` attend by segments; the vision tower keeps its attention."""
    AttentionInterface.register(SEGMENTS, segment_attention)
    AttentionMaskInterface.register(SEGMENTS, sdpa_mask)
    model.set_attn_implementation({"text_config": SEGMENTS})


def _take(heads_BHND: torch.Tensor, index_SL: torch.Tensor) -> torch.Tensor:
    """Tokens by index into [B * N]: [S, H, L, D]."""
    tokens_XHD = heads_BHND.transpose(1, 2).flatten(0, 1)
    taken = tokens_XHD.index_select(0, index_SL.flatten())
    return taken.view(*index_SL.shape, *tokens_XHD.shape[1:]).transpose(1, 2)
