"""Figures of a training run between two log rows, summed on the device and over processes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch

from srpo.train.batch import TreeExample
from srpo.train.loss import LossOut
from srpo.train.pack import unique_tokens

logger = logging.getLogger(__name__)

_PER_CONTRAST = ("z_chosen", "z_rejected", "margin", "accuracy")
_COUNTS = ("dropped_branches", "rejected_branches", "reencoded_branches")
_TOKENS = ("tokens", "recomputed_tokens")
_SUMS = (
    "trees",
    "contrasts",
    "trees_with_contrasts",
    "loss",
    "reference_loss",
    "contrast_loss",
    *_PER_CONTRAST,
    *_COUNTS,
    *_TOKENS,
)
_NAMED_TREES = 20
"""Trees whose dropped branches are named in the log."""


class Figures:
    """Sums of what `drain` averages.

    `loss` and `reference_loss` are means over trees, `contrast_loss` over trees with contrasts, `z_chosen`,
    `z_rejected`, `margin` and `accuracy` over contrasts, `max_z` is a maximum; the rest are counts.  `tokens` counts
    each token of a tree once, `recomputed_tokens` what the model computed beyond these.
    """

    def __init__(self) -> None:
        self._sums = dict.fromkeys(_SUMS, torch.zeros((), dtype=torch.float64))
        self._max_z = torch.tensor(-torch.inf, dtype=torch.float64)

    def add_tokens(self, examples: Sequence[TreeExample], computed: int) -> None:
        """Take in how many tokens went through the model for a micro-batch, padding left out."""
        unique = sum(unique_tokens(example.rows) for example in examples)
        self._add({"tokens": float(unique), "recomputed_tokens": float(computed - unique)})

    def add(self, examples: Sequence[TreeExample], losses: Sequence[LossOut]) -> None:
        """Take in a micro-batch; trees of weight 0 count only by their unusable branches."""
        for example, out in zip(examples, losses, strict=True):
            counts = (len(example.dropped), example.rejected, example.reencoded)
            self._add(dict(zip(_COUNTS, map(float, counts), strict=True)))
            if example.weight:
                self._add({"trees": 1.0, "loss": out.loss.detach(), "reference_loss": out.metrics["reference_loss"]})
                self._add_contrasts(out.metrics)

    def _add_contrasts(self, metrics: dict[str, torch.Tensor]) -> None:
        if "contrasts" not in metrics:
            return
        count = metrics["contrasts"]
        self._add({"trees_with_contrasts": 1.0, "contrasts": count, "contrast_loss": metrics["contrast_loss"]})
        self._add({name: metrics[name] * count for name in _PER_CONTRAST})
        self._max_z = torch.maximum(self._max_z.to(metrics["max_z"].device), metrics["max_z"].double())

    def _add(self, values: dict[str, torch.Tensor | float]) -> None:
        for name, value in values.items():
            old = self._sums[name]
            self._sums[name] = old.to(value.device) + value if isinstance(value, torch.Tensor) else old + value

    def drain(self, gather: Callable[[torch.Tensor], torch.Tensor], device: torch.device) -> dict[str, float]:
        """Averages since the last call, over all processes; `gather` stacks a vector of each, [processes, figures]."""
        own = torch.stack([value.to(device) for value in (*self._sums.values(), self._max_z)])
        everyone = gather(own[None])
        sums = dict(zip(_SUMS, everyone[:, :-1].sum(0).tolist(), strict=True))
        max_z = everyone[:, -1].max().item()
        Figures.__init__(self)
        result = {name: sums[name] for name in ("trees", "contrasts", *_COUNTS, *_TOKENS)}
        if sums["trees"]:
            result |= {name: sums[name] / sums["trees"] for name in ("loss", "reference_loss")}
        if sums["contrasts"]:
            result["contrast_loss"] = sums["contrast_loss"] / sums["trees_with_contrasts"]
            result |= {name: sums[name] / sums["contrasts"] for name in _PER_CONTRAST} | {"max_z": max_z}
        return result


class DroppedBranches:
    """Names in the log, once per tree, the branches that were too long to train on."""

    def __init__(self) -> None:
        self._named: set[str] = set()

    def log(self, examples: Sequence[TreeExample]) -> None:
        for example in examples:
            if not example.dropped or example.id in self._named or len(self._named) > _NAMED_TREES:
                continue
            self._named.add(example.id)
            if len(self._named) > _NAMED_TREES:
                logger.warning("more trees with dropped branches follow; log rows count them as dropped_branches")
            else:
                names = ", ".join(f"{example.id}:{node}" for node in example.dropped)
                logger.warning("too long and left out: branches %s", names)
