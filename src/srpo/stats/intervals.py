"""Intervals of rates and differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

LEVEL: Final = 0.95
RESAMPLES: Final = 2000
_CELLS_PER_BLOCK: Final = 2_000_000

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end, in the unit of the values."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A number and its interval; each is none where the data cannot give it."""

    value: float | None
    interval: Interval | None


class Difference(NamedTuple):
    """A mean difference; no interval when there are fewer than two clusters."""

    value: float
    interval: Interval | None


def wilson(successes: int, n: int) -> Interval | None:
    """Wilson score interval of a proportion; none when nothing was counted.

    Source: E. B. Wilson, JASA 22 (1927).  Raises ValueError unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"need 0 <= successes <= n, got {successes} of {n}")
    if n == 0:
        return None
    from scipy.stats import binomtest  # takes longer to import than all the rest

    interval = binomtest(successes, n).proportion_ci(confidence_level=LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def bounds(successes: int, scored: int, missing: int) -> Interval | None:
    """The rate if all missing items were failures, and if all were successes; none when there is no item.

    Raises ValueError unless 0 <= successes <= scored and missing >= 0.
    """
    if not 0 <= successes <= scored or missing < 0:
        raise ValueError(f"need 0 <= successes <= scored and missing >= 0, got {successes}, {scored} and {missing}")
    total = scored + missing
    return Interval(successes / total, (successes + missing) / total) if total else None


def cluster_bootstrap(
    values: Sequence[float], clusters: Sequence[str], seed: int, resamples: int = RESAMPLES
) -> Interval | None:
    """Percentile interval of the mean when whole clusters are drawn with replacement.

    None with fewer than two clusters: one cluster says nothing about the spread between clusters.  The order
    of the rows does not matter.  Raises ValueError if the lengths differ or a value is not finite.
    """
    totals = cluster_totals(values, clusters)
    if len(totals) < 2:
        return None
    drawn = resampled_totals(totals, seed, resamples)
    return percentiles(drawn[:, 0] / drawn[:, 1])


def paired_difference(a: Sequence[float], b: Sequence[float], clusters: Sequence[str], seed: int) -> Difference:
    """Mean of `a` minus `b` over the same items, with its cluster bootstrap interval.

    Raises ValueError if the lengths differ, there is no item, or a value is not finite.
    """
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(f"need two equally long, non-empty lists, got {len(a)} and {len(b)} values")
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    interval = cluster_bootstrap(differences.tolist(), clusters, seed)
    return Difference(float(differences.mean()), interval)


def rate_interval(
    values: Sequence[float], clusters: Sequence[str], seed: int, unit: str = "cluster"
) -> tuple[Interval | None, str]:
    """Interval of a rate and the words for how it was made: Wilson, or the bootstrap where items share clusters.

    Values are flags, or shares in 0..1 such as means over repeats, which are bootstrapped in any case.  Clusters that
    are all alike leave the bootstrap no spread, which is not certainty: then Wilson's interval on the number of
    clusters stands in.
    """
    number = len(set(clusters))
    if not values:
        return None, "nothing scored"
    if number == len(values) and set(values) <= {0, 1}:
        return wilson(round(sum(values)), len(values)), "wilson 95 %"
    interval = cluster_bootstrap(values, clusters, seed)
    if interval is None:
        return None, f"no interval: one {unit}"
    if interval.low < interval.high:
        return interval, f"cluster bootstrap 95 %, {number} {unit}s"
    successes = round(number * sum(values) / len(values))
    return wilson(successes, number), f"wilson 95 % on {number} {unit}s (bootstrap without spread)"


def cluster_totals(values: Sequence[float], clusters: Sequence[str]) -> Floats:
    """Sum and number of the values of each cluster, clusters in sorted order, [clusters, 2]."""
    numbers = np.asarray(values, dtype=np.float64)
    return sums_by_cluster(np.column_stack([numbers, np.ones_like(numbers)]), clusters)


def sums_by_cluster(rows: Floats, clusters: Sequence[str]) -> Floats:
    """Rows [rows, k] added up by cluster, clusters in sorted order, [clusters, k].

    Raises ValueError if the lengths differ or a value is not finite.
    """
    if len(rows) != len(clusters):
        raise ValueError(f"{len(rows)} values but {len(clusters)} clusters")
    if not np.isfinite(rows).all():
        raise ValueError("every value must be a finite number; leave unscored items out and count them")
    names, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    columns = [np.bincount(index, weights=column, minlength=len(names)) for column in rows.T]
    return np.column_stack(columns).astype(np.float64)


def resampled_totals(totals: Floats, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Column sums [resamples, k] of draws of whole clusters from `totals` [clusters, k]; in blocks, to bound memory."""
    rng = np.random.default_rng(seed)
    clusters, width = totals.shape
    block = max(1, _CELLS_PER_BLOCK // (clusters * width))
    found = np.empty((resamples, width))
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        drawn = rng.integers(clusters, size=(stop - start, clusters))
        found[start:stop] = totals[drawn].sum(axis=1)
    return found


def percentiles(draws: Floats) -> Interval:
    """The middle 95 % of the draws."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
