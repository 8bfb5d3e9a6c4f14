"""The gathering around the varlen kernel, with a plain function in the kernel's place."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import tiny
import torch
from torch.nn.functional import scaled_dot_product_attention

from srpo.errors import ModelError
from srpo.models.encode import banned_token_ids, end_token_ids
from srpo.train.batch import TreeCollator
from srpo.train.loss import tree_loss
from srpo.train.scorer import TreeScorer
from srpo.train.segments import use_segments
from srpo.train.varlen import kernel_problem, use_varlen, varlen_problem


def plain_kernel(  # noqa: PLR0913 - the signature of flash_attn_varlen_func
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    cu_seqlens_k: torch.Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
) -> torch.Tensor:
    """[total, heads, size] sequences one after the other; the causal mask is aligned at their ends."""
    assert dropout_p == 0 and causal and cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32
    queries, keys = pairwise(cu_seqlens_q.tolist()), pairwise(cu_seqlens_k.tolist())
    out = []
    for (q0, q1), (k0, k1) in zip(queries, keys, strict=True):
        assert 0 < q1 - q0 <= max_seqlen_q and q1 - q0 <= k1 - k0 <= max_seqlen_k
        one = [x.transpose(0, 1)[None] for x in (q[q0:q1], k[k0:k1], v[k0:k1])]
        mask = torch.ones(q1 - q0, k1 - k0).tril(k1 - k0 - (q1 - q0)).bool()
        shared = {"scale": softmax_scale, "enable_gqa": q.shape[1] != k.shape[1]}
        out.append(scaled_dot_product_attention(*one, attn_mask=mask, **shared)[0].transpose(0, 1))
    return torch.cat(out)


def test_the_varlen_path_equals_segments_with_gradients(double, tmp_path):
    model, processor = double
    words = processor.tokenizer
    data = tiny.dataset(tmp_path, words, 3, branches=8)
    collator = TreeCollator(processor, end_token_ids(model, words), frozenset(banned_token_ids(model, words)))
    examples = collator([data[i] for i in range(3)])["examples"]

    def run(attend: Any) -> tuple[list[dict[int, torch.Tensor]], dict[str, torch.Tensor]]:
        attend(model)
        model.zero_grad()
        logps = TreeScorer(None)(model, examples)
        sum(
            tree_loss(paths, example.pairs, "srpo", 0.3).loss for paths, example in zip(logps, examples, strict=True)
        ).backward()
        return logps, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    logps, gradients = run(use_segments)
    other_logps, other_gradients = run(lambda model: use_varlen(model, plain_kernel))
    for ours, theirs in zip(other_logps, logps, strict=True):
        assert max((ours[path] - theirs[path]).abs().max() for path in theirs) < 1e-9
    assert set(gradients) == set(other_gradients)
    for name, expected in gradients.items():
        scale = expected.abs().max().clamp(min=1e-6)
        assert (other_gradients[name] - expected).abs().max() / scale < 1e-6, name


def test_a_kernel_that_aligns_its_mask_at_the_start_is_not_trusted():
    def at_the_start(q: Any, k: Any, v: Any, q_ends: Any, k_ends: Any, *rest: Any, **options: Any) -> torch.Tensor:
        # As if keys had no prefix: each sequence sees as many keys as it has queries, from the first one on.
        out = []
        for (q0, q1), (k0, _) in zip(pairwise(q_ends.tolist()), pairwise(k_ends.tolist()), strict=True):
            one = [x.transpose(0, 1)[None] for x in (q[q0:q1], k[k0 : k0 + q1 - q0], v[k0 : k0 + q1 - q0])]
            out.append(scaled_dot_product_attention(*one, is_causal=True)[0].transpose(0, 1))
        return torch.cat(out)

    cpu = torch.device("cpu")
    assert kernel_problem(cpu, torch.float32, plain_kernel) is None
    assert "off by" in str(kernel_problem(cpu, torch.float32, at_the_start))


def test_the_kernel_is_asked_for_only_where_it_can_run(idefics3):
    assert "CUDA device, not cpu" in str(varlen_problem(torch.bfloat16, torch.device("cpu")))
    with pytest.raises(ModelError, match="install flash_attn or use segments"):
        use_varlen(idefics3[0])
