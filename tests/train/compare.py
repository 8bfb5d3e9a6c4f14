"""Trees scored our way, and how far two ways differ."""

from __future__ import annotations

from typing import Any

import torch

from srpo.models.encode import banned_token_ids, end_token_ids, tokenizer_of
from srpo.train.batch import TreeCollator, TreeDataset, TreeExample
from srpo.train.logprobs import unwrap
from srpo.train.loss import tree_loss
from srpo.train.scorer import PathLogps, TreeScorer
from srpo.train.segments import use_segments
from srpo.train.vision import VisionFeatures

Gradients = dict[str, torch.Tensor]


def collate(model: Any, processor: Any, data: TreeDataset, **settings: Any) -> list[TreeExample]:
    words = tokenizer_of(processor)
    banned = frozenset(banned_token_ids(unwrap(model), words))
    collator = TreeCollator(processor, end_token_ids(model, words), banned, **settings)
    examples: list[TreeExample] = collator([data[i] for i in range(len(data))])["examples"]
    return examples


def score(layout: str, model: Any, processor: Any, data: TreeDataset) -> list[PathLogps]:
    """`layout` names rows and attention, e.g. `segments and features`."""
    if "segments" in layout:
        use_segments(unwrap(model))
    vision = VisionFeatures(2**20) if "features" in layout else None
    return TreeScorer(vision)(model, collate(model, processor, data, step_impl="flat" if layout == "flat" else "tree"))


def gradients(model: Any, logps: list[PathLogps], examples: list[TreeExample]) -> tuple[float, Gradients]:
    """The loss of the examples and its gradients."""
    loss = sum(tree_loss(p, e.pairs, "srpo", 0.3).loss for p, e in zip(logps, examples, strict=True)) / len(examples)
    model.zero_grad()
    loss.backward()
    return loss.item(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def difference(first: list[PathLogps], second: list[PathLogps]) -> float:
    assert [sorted(a) for a in first] == [sorted(b) for b in second]
    return max((a[j] - b[j]).abs().max().item() for a, b in zip(first, second, strict=True) for j in a)


def worst(right: Gradients, ours: Gradients) -> float:
    """The largest error of any gradient, relative to the largest entry of its parameter."""
    scales = {name: right[name].abs().max().clamp(min=1e-6) for name in ours}
    return max(((ours[name] - right[name]).abs().max() / scales[name]).item() for name in ours)
