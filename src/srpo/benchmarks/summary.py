"""One number made of several rates, with an interval that draws the clusters of all of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from srpo.stats import LEVEL, Interval
from srpo.types import Metric

_DRAWS: Final = 2000
_FEWEST: Final = 0.9
"""Share of the draws that must hold something of every part, or there is no interval."""

Floats = npt.NDArray[np.float64]


class Unit(NamedTuple):
    """One item of a rate; a value of none could not be judged."""

    item: str
    cluster: str
    value: bool | float | None


def summarise(parts: Sequence[Sequence[Unit]], combine: Callable[[Sequence[float]], float], seed: int) -> Metric:
    """`combine` of the means of the parts, with a percentile interval over draws of clusters.

    Parts may share clusters; a cluster is drawn with all that it has in every part.  The value is none if a part has
    nothing scored.  n counts the scored values of all parts.
    """
    scored = [[unit for unit in part if unit.value is not None] for part in parts]
    number, waiting = sum(map(len, scored)), sum(map(len, parts)) - sum(map(len, scored))
    if not all(scored):
        return Metric(value=None, n=number, low=None, high=None, unscored=waiting, method="a part has nothing scored")
    sums, counts = _totals(scored)
    interval = _interval(sums, counts, combine, seed)
    clusters = sums.shape[1]
    return Metric(
        value=float(combine((sums.sum(axis=1) / counts.sum(axis=1)).tolist())),
        n=number,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        unscored=waiting,
        method=f"cluster bootstrap 95 %, {clusters} clusters"
        if interval
        else "no interval: too few clusters, or all alike",
    )


def _totals(scored: Sequence[Sequence[Unit]]) -> tuple[Floats, Floats]:
    """Sum and number of values, [part, cluster], clusters in sorted order."""
    names = sorted({unit.cluster for part in scored for unit in part})
    column = {name: number for number, name in enumerate(names)}
    sums, counts = np.zeros((len(scored), len(names))), np.zeros((len(scored), len(names)))
    for row, part in enumerate(scored):
        for unit in part:
            sums[row, column[unit.cluster]] += float(unit.value or 0)
            counts[row, column[unit.cluster]] += 1
    return sums, counts


def _interval(sums: Floats, counts: Floats, combine: Callable[[Sequence[float]], float], seed: int) -> Interval | None:
    clusters = sums.shape[1]
    rng = np.random.default_rng(seed)
    drawn: list[float] = []
    for _ in range(_DRAWS):
        often = np.bincount(rng.integers(clusters, size=clusters), minlength=clusters)
        numbers = counts @ often
        if numbers.all():  # a draw may miss a small part as a whole
            drawn.append(float(combine((sums @ often / numbers).tolist())))
    if len(drawn) < _FEWEST * _DRAWS:
        return None
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high)) if low < high else None  # no spread is no certainty
