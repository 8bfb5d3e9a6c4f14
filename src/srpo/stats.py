"""Intervals and tests for rates; pure functions of numbers, which know no record.

All intervals are at 95 %.  Rows that belong together (the cells of a minimal set, the sets of one rule) are
one *cluster*; treating them as independent makes an interval too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

LEVEL: Final = 0.95
_DRAWS_PER_BLOCK: Final = 2_000_000

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end, in the unit of the values."""

    low: float
    high: float


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
    interval = binomtest(successes, n).proportion_ci(confidence_level=LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def cluster_bootstrap(
    values: Sequence[float], clusters: Sequence[str], seed: int, resamples: int = 2000
) -> Interval | None:
    """Percentile interval of the mean when whole clusters are drawn with replacement.

    None with fewer than two clusters: one cluster says nothing about the spread between clusters.  The order
    of the rows does not matter.  Raises ValueError if the lengths differ or a value is not finite.
    """
    sums, counts = _cluster_totals(values, clusters)
    if len(sums) < 2:
        return None
    means = _resampled_means(sums, counts, np.random.default_rng(seed), resamples)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def paired_difference(a: Sequence[float], b: Sequence[float], clusters: Sequence[str], seed: int) -> Difference:
    """Mean of `a` minus `b` over the same items, with its cluster bootstrap interval.

    Raises ValueError if the lengths differ, there is no item, or a value is not finite.
    """
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(f"need two equally long, non-empty lists, got {len(a)} and {len(b)} values")
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    interval = cluster_bootstrap(differences.tolist(), clusters, seed)
    return Difference(float(differences.mean()), interval)


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value that the discordant items fall to both sides alike; 1 when there are none.

    It counts items as independent: where several items share a cluster, read the cluster bootstrap first.
    Raises ValueError on a negative count.
    """
    if min(only_a, only_b) < 0:
        raise ValueError(f"counts cannot be negative, got {only_a} and {only_b}")
    discordant = only_a + only_b
    return float(binomtest(only_a, discordant, 0.5).pvalue) if discordant else 1.0


def _cluster_totals(values: Sequence[float], clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and number of the values of each cluster, clusters in sorted order."""
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} clusters")
    numbers = np.asarray(values, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("every value must be a finite number; leave unscored items out and count them")
    names, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sums = np.bincount(index, weights=numbers, minlength=len(names))
    counts = np.bincount(index, minlength=len(names))
    return sums.astype(np.float64), counts.astype(np.float64)


def _resampled_means(sums: Floats, counts: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    """Means over rows of `resamples` draws of clusters; in blocks, so that memory stays bounded."""
    clusters = len(sums)
    block = max(1, _DRAWS_PER_BLOCK // clusters)
    means = np.empty(resamples)
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        drawn = rng.integers(clusters, size=(stop - start, clusters))
        means[start:stop] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return means
