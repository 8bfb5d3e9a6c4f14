"""Attention over tree rows by a kernel for sequences of unequal lengths: one call, no mask and no padding.

Every trunk is a sequence, and so is every span: its queries are its own tokens, its keys those before it in its paths
and its own.  A kernel whose causal mask is aligned at the end of the keys then shows each token what it may see.  The
kernel is FlashAttention's `flash_attn_varlen_func` (package `flash_attn`, CUDA, half precision).  The tests run this
code with a plain function of the same signature; **the call of the real kernel has not been run**.

Shapes: B rows, N tokens of the longest row, Q real tokens of all rows, K keys of all sequences, H query heads, G key
heads, D head size.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn import Module
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from srpo.errors import ModelError
from srpo.train.pack import Branch, Row, pack_tree
from srpo.train.segments import attend_by, plan_segments, segment_attention

VARLEN = "srpo_varlen"
"""Name of the attention implementation."""

Kernel = Callable[..., torch.Tensor]
"""(q [Q, H, D], k [K, G, D], v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, softmax_scale, causal)."""

_HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class VarlenPlan:
    """Tokens of the flattened rows [B * N] that are queries and keys of each sequence, and where sequences end."""

    queries_Q: torch.Tensor
    keys_K: torch.Tensor
    query_ends: torch.Tensor
    key_ends: torch.Tensor
    longest_query: int
    longest_key: int


def plan_varlen(rows: Sequence[Row], device: torch.device) -> VarlenPlan:
    """The plan for padded rows; it is the same for all layers."""
    row_length = max(len(row.ids) for row in rows)
    queries, keys = [], []
    for b, row in enumerate(rows):
        tokens = torch.arange(b * row_length, b * row_length + len(row.ids))
        trunk = tokens[: row.trunk]
        queries += [trunk, *(tokens[span.start : span.end] for span in row.spans)]
        keys += [trunk, *(torch.cat([tokens[a:z] for a, z in (*s.before, (s.start, s.end))]) for s in row.spans)]
    query_ends, key_ends = (
        torch.tensor([0, *map(len, parts)]).cumsum(0).to(device, torch.int32) for parts in (queries, keys)
    )
    longest_query, longest_key = (max(map(len, parts)) for parts in (queries, keys))
    return VarlenPlan(
        torch.cat(queries).to(device), torch.cat(keys).to(device), query_ends, key_ends, longest_query, longest_key
    )


def varlen_attention(  # noqa: PLR0913 - the signature of transformers' attention functions
    module: torch.nn.Module,
    query_BHND: torch.Tensor,
    key_BGND: torch.Tensor,
    value_BGND: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    tree_segments: VarlenPlan | None = None,
    *,
    kernel: Kernel,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention output [B, N, H, D].  `attention_mask` matters only without a plan."""
    if tree_segments is None:
        result: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query_BHND, key_BGND, value_BGND, attention_mask, scaling=scaling, **kwargs
        )
        return result
    plan, dtype = tree_segments, value_BGND.dtype
    out_QHD = kernel(
        _tokens(query_BHND, plan.queries_Q).to(dtype),
        _tokens(key_BGND, plan.keys_K).to(dtype),
        _tokens(value_BGND, plan.keys_K),
        plan.query_ends,
        plan.key_ends,
        plan.longest_query,
        plan.longest_key,
        softmax_scale=scaling,
        causal=True,
    )
    rows, heads, row_length, size = query_BHND.shape
    out_BNHD = out_QHD.new_zeros(rows * row_length, heads, size).index_copy(0, plan.queries_Q, out_QHD)
    return out_BNHD.view(rows, row_length, heads, size), None


def varlen_problem(dtype: torch.dtype, device: torch.device) -> str | None:
    """Why the kernel cannot be used for a model, or none if it can."""
    if device.type != "cuda":
        return f"it needs a CUDA device, not {device.type}"
    if importlib.util.find_spec("flash_attn") is None:
        return "the package flash_attn is not installed"
    return None if dtype in _HALF else f"it needs a model in bfloat16 or float16, not {dtype}"


def kernel_problem(device: torch.device, dtype: torch.dtype, kernel: Kernel | None = None) -> str | None:
    """Why a kernel cannot be trusted, or none: its result on a small tree, beside attention by segments.

    Versions of the kernel differ in how they align the causal mask.
    """
    row = pack_tree((0, 0, 0), ((0, 0), (0, 0)), [Branch(1, (1, 2, 3)), Branch(0, (1,)), Branch(1, (1, 3))])
    shape = (3, 1, 2, len(row.ids), 64)
    q, k, v = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    expected, _ = segment_attention(Module(), q, k, v, None, tree_segments=plan_segments([row], device))
    plan, used = plan_varlen([row], device), kernel or _flash_attention()
    found, _ = varlen_attention(Module(), q, k, v, None, tree_segments=plan, kernel=used)
    apart = float((found - expected).abs().max())
    return None if apart < 0.05 else f"its result is off by {apart:.2g} on a small tree"


def use_varlen(model: Any, kernel: Kernel | None = None) -> None:
    """Let the language model of `model` attend by the kernel; the vision tower keeps its attention.

    Raises ModelError if no kernel is given and FlashAttention cannot be imported.
    """
    AttentionInterface.register(VARLEN, partial(varlen_attention, kernel=kernel or _flash_attention()))
    AttentionMaskInterface.register(VARLEN, sdpa_mask)
    attend_by(model, VARLEN)


def _flash_attention() -> Kernel:
    try:
        from flash_attn import flash_attn_varlen_func  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ModelError(f"tree_attention varlen: {error}; install flash_attn or use segments") from error
    found: Kernel = flash_attn_varlen_func
    return found


def _tokens(heads_BHND: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Tokens by index into [B * N]: [index, H, D]."""
    return heads_BHND.transpose(1, 2).flatten(0, 1).index_select(0, index)
