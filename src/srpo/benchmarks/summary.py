"""One number made of several rates, with an interval that draws the clusters of all of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from srpo.benchmarks.counting import Unit, interval_of, scored
from srpo.rates import metric_from
from srpo.stats import LEVEL, Interval
from srpo.types import Metric

_DRAWS: Final = 2000
_FEWEST: Final = 0.9
"""Share of the draws that must hold something of every part, or there is no interval."""

Floats = npt.NDArray[np.float64]
Combine = Callable[[Sequence[float]], float]
_Scored = tuple[list[float], list[str]]
"""Values and their clusters."""


def summarise(parts: Sequence[Sequence[Unit]], combine: Combine, seed: int) -> Metric:
    """`combine` of the means of the parts, with a percentile interval over draws of clusters.

    Parts may share clusters; a cluster is drawn with all that it has in every part.  Draws that do not move the number
    are no certainty: then the ends of the parts' own intervals are combined (`combine` never turns within a part).
    The value is none if a part has nothing scored.  n counts the scored values of all parts.
    """
    values = [scored(part) for part in parts]
    number, waiting = sum(len(one) for one, _ in values), sum(unit.value is None for part in parts for unit in part)
    if not all(one for one, _ in values):
        return metric_from(None, None, n=number, unscored=waiting, method="a part has nothing scored")
    sums, counts = _totals(values)
    interval, method = _interval(sums, counts, combine, seed), f"cluster bootstrap 95 %, {sums.shape[1]} clusters"
    if interval is None:
        interval, method = _of_ends(values, combine, seed)
    value = float(combine((sums.sum(axis=1) / counts.sum(axis=1)).tolist()))
    return metric_from(value, interval, n=number, unscored=waiting, method=method)


def _of_ends(values: Sequence[_Scored], combine: Combine, seed: int) -> tuple[Interval | None, str]:
    """The least and the most that the ends of the parts' own intervals combine to: wide, since not all err at once."""
    found = [interval_of(numbers, clusters, seed)[0] for numbers, clusters in values]
    ends = [one for one in found if one is not None]
    if len(ends) < len(found):
        return None, "no interval: a part has none"
    corners = [float(combine(corner)) for corner in product(*ends)]
    return Interval(min(corners), max(corners)), "intervals of the parts combined (bootstrap without spread)"


def _totals(values: Sequence[_Scored]) -> tuple[Floats, Floats]:
    """Sum and number of values, [part, cluster], clusters in sorted order."""
    names = sorted({cluster for _, clusters in values for cluster in clusters})
    column = {name: number for number, name in enumerate(names)}
    sums, counts = np.zeros((len(values), len(names))), np.zeros((len(values), len(names)))
    for row, (numbers, clusters) in enumerate(values):
        for number, cluster in zip(numbers, clusters, strict=True):
            sums[row, column[cluster]] += number
            counts[row, column[cluster]] += 1
    return sums, counts


def _interval(sums: Floats, counts: Floats, combine: Combine, seed: int) -> Interval | None:
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
