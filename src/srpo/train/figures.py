"""Figures of a training run between two log rows, summed on the device and over processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from srpo.train.batch import TreeExample
from srpo.train.loss import LossOut

_PER_CONTRAST = ("z_chosen", "z_rejected", "margin", "accuracy")
_COUNTS = ("dropped_branches", "rejected_branches", "reencoded_branches")
_SUMS = (
    "trees",
    "contrasts",
    "trees_with_contrasts",
    "loss",
    "reference_loss",
    "contrast_loss",
    *_PER_CONTRAST,
    *_COUNTS,
)


class Figures:
    """Sums of what `drain` averages.

    `loss` and `reference_loss` are means over trees, `contrast_loss` over trees with contrasts, `z_chosen`,
    `z_rejected`, `margin` and `accuracy` over contrasts, `max_z` is a maximum; the rest are counts.
    """

    def __init__(self) -> None:
        self._sums = dict.fromkeys(_SUMS, torch.zeros((), dtype=torch.float64))
        self._max_z = torch.tensor(-torch.inf, dtype=torch.float64)

    def add(self, examples: Sequence[TreeExample], losses: Sequence[LossOut]) -> None:
        """Take in a micro-batch; trees of weight 0 count only by their unusable branches."""
        for example, out in zip(examples, losses, strict=True):
            counts = (example.dropped, example.rejected, example.reencoded)
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
        result = {name: sums[name] for name in ("trees", "contrasts", *_COUNTS)}
        if sums["trees"]:
            result |= {name: sums[name] / sums["trees"] for name in ("loss", "reference_loss")}
        if sums["contrasts"]:
            result["contrast_loss"] = sums["contrast_loss"] / sums["trees_with_contrasts"]
            result |= {name: sums[name] / sums["contrasts"] for name in _PER_CONTRAST} | {"max_z": max_z}
        return result
