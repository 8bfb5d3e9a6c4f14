"""Tests of a difference, their adjustment for many comparisons, and what a number of items could show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from srpo.stats.intervals import LEVEL, cluster_totals

POWER: Final = 0.8
_ROUNDING: Final = 1e-9
"""Sums of shares that are nearer to 0 than this are 0."""


def cluster_signs(differences: Sequence[float], clusters: Sequence[str]) -> tuple[int, int]:
    """Number of clusters whose differences add up to more than 0, and to less.

    Raises ValueError if the lengths differ or a difference is not finite.
    """
    sums = cluster_totals(differences, clusters)[:, 0]
    return int((sums > _ROUNDING).sum()), int((sums < -_ROUNDING).sum())


def sign_test(rises: int, falls: int) -> float:
    """Two-sided exact p-value that what changed rises and falls alike often; 1 when nothing changed.

    What is counted must be independent: clusters, not items that share one.  Counted over flags of items that share
    none it is McNemar's exact test.  Raises ValueError on a negative count.
    """
    if min(rises, falls) < 0:
        raise ValueError(f"counts cannot be negative, got {rises} and {falls}")
    from scipy.stats import binomtest

    changed = rises + falls
    return float(binomtest(rises, changed, 0.5).pvalue) if changed else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in their order: the k-th smallest of m times m - k + 1, never decreasing.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).  Raises ValueError unless all lie in 0..1.
    """
    if not all(0 <= p <= 1 for p in p_values):  # also false for NaN
        raise ValueError(f"p-values lie between 0 and 1, got {list(p_values)}")
    # statsmodels' own function collects garbage at every call: a fifth of a second in a process that holds a model.
    given = np.asarray(p_values, dtype=float)
    order = given.argsort(kind="stable")
    steps = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(p) for p in adjusted]


def minimum_detectable_difference(clusters: int, discordant_share: float) -> float:
    """Smallest paired difference of two rates that so many clusters show with 80 % power in a single test at 5 %.

    (z(0.975) + z(0.8)) * sqrt(psi / n), with psi the share of items that one side alone gets right and n the number of
    clusters: items that share one are not independent.  One of many comparisons, adjusted for their number, needs a
    larger difference.  Source: R. J. Connor, Biometrics 43 (1987), without its term of second order.
    Raises ValueError unless clusters > 0 and 0 <= discordant_share <= 1.
    """
    if clusters < 1 or not 0 <= discordant_share <= 1:
        raise ValueError(f"need clusters > 0 and a share of 0..1, got {clusters} and {discordant_share}")
    from scipy.stats import norm

    quantiles = norm.ppf((1 + LEVEL) / 2) + norm.ppf(POWER)
    return float(quantiles) * math.sqrt(discordant_share / clusters)
