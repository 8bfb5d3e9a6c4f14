"""Tests of a difference, their adjustment for many comparisons, and what a number of items could show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from scipy.stats import binomtest, norm

from srpo.stats.intervals import LEVEL

POWER: Final = 0.8


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value that the discordant items fall to both sides alike; 1 when there are none.

    It counts items as independent: where several items share a cluster, read the cluster bootstrap first.
    Raises ValueError on a negative count.
    """
    if min(only_a, only_b) < 0:
        raise ValueError(f"counts cannot be negative, got {only_a} and {only_b}")
    discordant = only_a + only_b
    return float(binomtest(only_a, discordant, 0.5).pvalue) if discordant else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in their order: the k-th smallest of m times m - k + 1, never decreasing.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).  Raises ValueError unless all lie in 0..1.
    """
    if not all(0 <= p <= 1 for p in p_values):  # also false for NaN
        raise ValueError(f"p-values lie between 0 and 1, got {list(p_values)}")
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests  # slow to import

    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def minimum_detectable_difference(clusters: int, discordant_share: float) -> float:
    """Smallest paired difference of two rates that so many clusters show with 80 % power at the 5 % level.

    (z(0.975) + z(0.8)) * sqrt(psi / n), with psi the share of items that one side alone gets right and n the number of
    clusters: items that share one are not independent.  Source: R. J. Connor, Biometrics 43 (1987), without its term
    of second order.  Raises ValueError unless clusters > 0 and 0 <= discordant_share <= 1.
    """
    if clusters < 1 or not 0 <= discordant_share <= 1:
        raise ValueError(f"need clusters > 0 and a share of 0..1, got {clusters} and {discordant_share}")
    quantiles = norm.ppf((1 + LEVEL) / 2) + norm.ppf(POWER)
    return float(quantiles) * math.sqrt(discordant_share / clusters)
