"""Log-probabilities of chosen tokens, without the logits of all positions.

Shapes: B rows, N tokens, P scored tokens, D hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from srpo.train.loss import widen

CHUNK_ELEMENTS = 2**27
"""Logits computed at once (512 MiB in float32); beyond that, chunks are computed again in the backward pass."""

_SCALED_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling")


def unwrap(model: Any) -> Any:
    """The model with the head: without data-parallel wrappers and adapters around it (adapter layers stay inside)."""
    inner = model
    while isinstance(getattr(inner, "module", None), nn.Module):
        inner = inner.module
    return inner.get_base_model() if hasattr(inner, "get_base_model") else inner


def token_logps(
    model: Any, inputs: dict[str, Any], reads_P: torch.Tensor, targets_P: torch.Tensor, chunk: int = CHUNK_ELEMENTS
) -> torch.Tensor:
    """Log-probability of each target, [P], float32 or wider.

    `reads_P` are indices into the flattened [B * N] positions; a target is the next token of its read position, and a
    position may be read more than once.  The head runs on read positions only, unless the model transforms its logits
    in a way that is not in the head; then it gives full logits.
    """
    return _call_through(model, lambda: _token_logps(unwrap(model), inputs, reads_P, targets_P, chunk))


def _token_logps(
    module: Any, inputs: dict[str, Any], reads_P: torch.Tensor, targets_P: torch.Tensor, chunk: int
) -> torch.Tensor:
    body, head = _body(module), module.get_output_embeddings()
    if body is None or head is None:
        logits_BNV = module(**inputs, use_cache=False).logits
        return _pick(logits_BNV.flatten(0, 1)[reads_P], targets_P)
    hidden_BND = body(**inputs, use_cache=False).last_hidden_state
    hidden_PD = hidden_BND.flatten(0, 1).index_select(0, reads_P)
    size = max(1, chunk // head.weight.shape[0])
    if len(targets_P) <= size:
        return _pick(head(hidden_PD), targets_P)

    def score(hidden_cD: torch.Tensor, targets_c: torch.Tensor) -> torch.Tensor:
        return _pick(head(hidden_cD), targets_c)

    parts = zip(torch.split(hidden_PD, size), torch.split(targets_P, size), strict=True)
    return torch.cat([checkpoint(score, hidden, target, use_reentrant=False) for hidden, target in parts])


def _pick(logits_PV: torch.Tensor, targets_P: torch.Tensor) -> torch.Tensor:
    return -cross_entropy(widen(logits_PV), targets_P, reduction="none")


def _body(module: Any) -> Any | None:
    """The part of the model that gives the hidden states its head is applied to, or none if that is not certain."""
    text = module.config.get_text_config()
    if any(getattr(text, name, None) is not None for name in _SCALED_LOGITS):
        return None
    body = getattr(module, "base_model", None)
    return None if body is module else body


def _call_through(model: Any, function: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Call `function` as if it were the forward of the wrapped model.

    Data-parallel wrappers and sharding work through hooks around `forward`; calling an inner module directly would
    leave gradients unsynchronised.  So the innermost wrapped module gets `function` as its forward for one call.
    """
    inner = model
    while isinstance(getattr(inner, "module", None), nn.Module):
        inner = inner.module
    had = inner.__dict__.get("forward")

    def forward() -> torch.Tensor:
        _restore(inner, had)
        return function()

    inner.forward = forward
    try:
        result: torch.Tensor = model()
    finally:
        _restore(inner, had)
    return result


def _restore(module: nn.Module, forward: Any | None) -> None:
    if forward is None:
        module.__dict__.pop("forward", None)
    else:
        module.__dict__["forward"] = forward
