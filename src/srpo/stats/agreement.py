"""Agreement beyond chance: two raters, or many with gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import krippendorff
import numpy as np
import numpy.typing as npt

from srpo.stats.intervals import (
    RESAMPLES,
    Estimate,
    Floats,
    Interval,
    percentiles,
    resampled_totals,
    sums_by_cluster,
)

Category = str | int | bool
"""A label; labels of one call must be of one type."""


class Kappa(NamedTuple):
    """Cohen's kappa, its interval, and how often each pair of labels (first rater, second rater) occurs."""

    value: float | None
    interval: Interval | None
    confusion: Mapping[tuple[Category, Category], int]


def cohens_kappa(
    a: Sequence[Category], b: Sequence[Category], clusters: Sequence[str] | None = None, seed: int = 0
) -> Kappa:
    """(p_o - p_e) / (1 - p_e) of two raters on the same items, with a percentile bootstrap over clusters.

    p_o is the share of equal labels, p_e that expected from the two raters' own shares.  None if both use one and the
    same label only.  No interval with fewer than two clusters, or if the draws have no spread.  Without `clusters`
    every item is its own.  Source: J. Cohen, Educational and Psychological Measurement 20 (1960).
    Raises ValueError if the lengths differ.
    """
    if len(a) != len(b):
        raise ValueError(f"need the same items from both raters, got {len(a)} and {len(b)} labels")
    domain = sorted(set(a) | set(b), key=str)
    index = {label: i for i, label in enumerate(domain)}
    first, second = np.eye(len(domain))[[index[x] for x in a]], np.eye(len(domain))[[index[x] for x in b]]
    rows = np.column_stack([(first * second).sum(axis=1), first, second]) if len(a) else np.zeros((0, 1))
    totals = sums_by_cluster(rows, clusters if clusters is not None else _own_clusters(len(a)))
    value = _kappas(totals.sum(axis=0, keepdims=True))[0] if len(a) else np.nan
    return Kappa(
        float(value) if np.isfinite(value) else None,
        _spread(_kappas(resampled_totals(totals, seed))) if len(totals) > 1 else None,
        Counter(zip(a, b, strict=True)),
    )


def krippendorff_alpha(
    ratings: Sequence[Sequence[Category | None]],
    level: Literal["nominal", "ordinal"] = "nominal",
    clusters: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """1 - D_o / D_e over raters [raters][units], none = not rated, with a percentile bootstrap over the units.

    Units that fewer than two raters rated say nothing.  None if no two labels differ.  `ordinal` orders the labels as
    Python does.  Source: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011); package `krippendorff`.
    Raises ValueError if the raters have different numbers of units.
    """
    if len({len(row) for row in ratings}) > 1:
        raise ValueError(f"need the same units from all raters, got {[len(row) for row in ratings]}")
    domain = sorted({label for row in ratings for label in row if label is not None})
    units = list(zip(*ratings, strict=True))
    counts = np.array([[unit.count(label) for label in domain] for unit in units]).reshape(len(units), len(domain))
    names = np.asarray(clusters if clusters is not None else _own_clusters(len(units)), dtype=str)
    if len(names) != len(units):
        raise ValueError(f"{len(units)} units but {len(names)} clusters")
    pairable = counts.sum(axis=1) > 1
    counts, names = counts[pairable], names[pairable]
    value = _alpha(counts, level)
    draws = _drawn_alphas(counts, names, level, np.random.default_rng(seed), resamples)
    return Estimate(value, _spread(draws) if value is not None else None)


def _drawn_alphas(
    counts: npt.NDArray[np.int_], names: npt.NDArray[np.str_], level: str, rng: np.random.Generator, resamples: int
) -> Floats:
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    if len(members) < 2:
        return np.empty(0)
    draws = np.empty(resamples)
    for i in range(resamples):
        units = np.concatenate([members[j] for j in rng.integers(len(members), size=len(members))])
        found = _alpha(counts[units], level)
        draws[i] = np.nan if found is None else found
    return draws


def _alpha(counts: npt.NDArray[np.int_], level: str) -> float | None:
    if (counts.sum(axis=0) > 0).sum() < 2:
        return None
    ordered: Literal["nominal", "ordinal"] = "ordinal" if level == "ordinal" else "nominal"
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement=ordered))


def _kappas(totals: Floats) -> Floats:
    """Kappa of each row of totals (equal labels, counts of the first rater, counts of the second); NaN if undefined."""
    labels = (totals.shape[1] - 1) // 2
    first, second = totals[:, 1 : 1 + labels], totals[:, 1 + labels :]
    n = first.sum(axis=1)
    observed, expected = totals[:, 0] / n, (first * second).sum(axis=1) / n**2
    found = np.full(len(totals), np.nan)
    np.divide(observed - expected, 1 - expected, out=found, where=expected < 1)
    return found


def _spread(draws: Floats) -> Interval | None:
    """Percentiles of the draws in which the statistic is defined; none if they do not differ."""
    draws = draws[np.isfinite(draws)]
    if len(draws) == 0 or draws.min() == draws.max():
        return None
    return percentiles(draws)


def _own_clusters(n: int) -> list[str]:
    return [str(i) for i in range(n)]
