"""A rate by a judge who errs, corrected by the labels of people on some of the items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from srpo.stats.intervals import LEVEL, Estimate, Floats, Interval, sums_by_cluster

LEAST_YOUDEN: Final = 0.1
"""Sensitivity + specificity - 1 below which a judge is too close to a coin for Rogan and Gladen's formula."""


class Ppi(NamedTuple):
    """A mean by people and judge together."""

    value: float
    interval: Interval | None
    standard_error: float | None
    tuning: float
    """Lambda in 0..1, how much the judge counts; 0 = people alone."""


class Rated(NamedTuple):
    """Items with both labels, and items with the judge's alone; items that share a cluster are not independent."""

    people: Sequence[float]
    judge: Sequence[float]
    judge_alone: Sequence[float]
    clusters: Sequence[str] | None = None
    """Of the items with both labels; none = every item is its own."""
    clusters_alone: Sequence[str] | None = None


def ppi(rated: Rated) -> Ppi:
    """PPI++ for a mean: mean_n(y - L f) + L mean_N(f), y by people and f by the judge.

    L = cov_n(y, f) / ((1 + n/N) var_{n+N}(f)), clipped to 0..1.  The variance is that of the sums of both terms by
    cluster, times G/(G - 1) for the G clusters with labels of people; with single items it is
    var(y - L f)/n + L^2 var(f)/N.  The interval is Student's with G - 1 degrees of freedom; none with one cluster or
    without spread.  Source: A. N. Angelopoulos, J. C. Duchi, T. Zrnic, arXiv:2311.01453.
    Raises ValueError if there are no labels of people, lengths differ or a value is not finite.
    """
    y, f, alone, clusters, clusters_alone = _checked(rated)
    n, extra = len(y), len(alone)
    tuning = _tuning(y, f, alone)
    residual = y - tuning * f
    value = residual.mean() + (tuning * alone.mean() if extra else 0.0)
    terms = np.concatenate([(residual - residual.mean()) / n, tuning * (alone - alone.mean()) / extra if extra else []])
    own = rated.clusters is None
    sums = terms if own else sums_by_cluster(terms[:, None], [*clusters, *clusters_alone])[:, 0]
    groups = n if own else len(set(clusters))
    variance = (sums**2).sum() * groups / (groups - 1) if groups > 1 else 0.0
    if variance == 0:
        return Ppi(float(value), None, None, tuning)
    from scipy.stats import t as student_t

    error = math.sqrt(variance)
    half = error * float(student_t.ppf((1 + LEVEL) / 2, groups - 1))
    return Ppi(float(value), Interval(float(value - half), float(value + half)), error, tuning)


def rogan_gladen(p: float, q0: float, q1: float) -> float | None:
    """(p + q0 - 1) / (q0 + q1 - 1), cut to 0..1: the true rate if a judge of specificity q0, sensitivity q1 says p.

    None where q0 + q1 - 1 < 0.1.  Source: W. J. Rogan, B. Gladen, American Journal of Epidemiology 107 (1978).
    """
    youden = q0 + q1 - 1
    return min(max((p + q0 - 1) / youden, 0.0), 1.0) if youden >= LEAST_YOUDEN else None


def rogan_gladen_rate(rated: Rated) -> Estimate:
    """The same with q0 and q1 from the labels of people, labels 0 or 1; p counts all items.

    The interval carries the error of the calibration, as in arXiv:2511.21140: shares are pulled towards one half by
    z^2/2 of z^2 items (p) or 1 of 2 (q0, q1), and with t for the rate that follows, s2 = q (1 - q) / m for each share,

        t + 2 z^2 (t s2_1 - (1 - t) s2_0)  -+  z sqrt(s2_p + (1 - t)^2 s2_0 + t^2 s2_1) / (q0 + q1 - 1),

    cut to 0..1.  There m counts independent items; here it is divided by the design effect of the clusters.  The
    interval takes the three shares as independent, so it is somewhat too wide where most items have labels of people.
    None without positives and negatives by people, or for a judge too close to a coin; no interval with one cluster.
    """
    y, f, alone, clusters, clusters_alone = _checked(rated)
    names = np.asarray(clusters, dtype=str)
    positive = y > 0
    if positive.all() or not positive.any():
        return Estimate(None, None)
    p = _share(np.concatenate([f, alone]), [*clusters, *clusters_alone])
    q0, q1 = _share(1 - f[~positive], names[~positive].tolist()), _share(f[positive], names[positive].tolist())
    value = rogan_gladen(p.value, q0.value, q1.value)
    return Estimate(value, _plugged_in(p, q0, q1) if value is not None and len(set(clusters)) > 1 else None)


class _Share(NamedTuple):
    """A proportion, and as how many independent items those counted are worth."""

    value: float
    n: float

    @property
    def variance(self) -> float:
        return self.value * (1 - self.value) / self.n

    def pulled(self, successes: float, items: float) -> _Share:
        """With so many imagined items, of which so many are successes."""
        return _Share((self.n * self.value + successes) / (self.n + items), self.n + items)


def _share(flags: Floats, clusters: Sequence[str]) -> _Share:
    value, n, groups = float(flags.mean()), len(flags), len(set(clusters))
    if groups == n:
        return _Share(value, n)
    if groups == 1 or value in (0.0, 1.0):
        return _Share(value, groups)  # no spread to go by: count clusters
    sums = sums_by_cluster((flags - value)[:, None], clusters)
    variance = float((sums**2).sum()) * groups / (groups - 1) / n**2
    return _Share(value, min(float(n), value * (1 - value) / variance) if variance else float(n))


def _plugged_in(p: _Share, q0: _Share, q1: _Share) -> Interval | None:
    from scipy.stats import norm

    z = float(norm.ppf((1 + LEVEL) / 2))
    p, q0, q1 = p.pulled(z * z / 2, z * z), q0.pulled(1, 2), q1.pulled(1, 2)
    youden = q0.value + q1.value - 1
    if youden < LEAST_YOUDEN:
        return None
    t = (p.value + q0.value - 1) / youden
    middle = t + 2 * z * z * (t * q1.variance - (1 - t) * q0.variance)
    half = z * math.sqrt(p.variance + (1 - t) ** 2 * q0.variance + t**2 * q1.variance) / youden
    return Interval(min(max(middle - half, 0.0), 1.0), min(max(middle + half, 0.0), 1.0))


def _tuning(y: Floats, f: Floats, alone: Floats) -> float:
    spread = np.concatenate([f, alone]).var()
    if spread == 0 or len(alone) == 0:
        return 0.0
    covariance = ((y - y.mean()) * (f - f.mean())).mean()
    return float(np.clip(covariance / ((1 + len(y) / len(alone)) * spread), 0.0, 1.0))


def _checked(rated: Rated) -> tuple[Floats, Floats, Floats, Sequence[str], Sequence[str]]:
    y, f, alone = (np.asarray(values, dtype=np.float64) for values in rated[:3])
    if len(y) == 0 or len(y) != len(f):
        raise ValueError(f"need labels of people and judge on the same items, got {len(y)} and {len(f)}")
    if (rated.clusters is None) != (rated.clusters_alone is None):
        raise ValueError("give clusters for all items or for none")
    own, own_alone = [f"labelled {i}" for i in range(len(y))], [f"alone {i}" for i in range(len(alone))]
    return y, f, alone, rated.clusters or own, own_alone if rated.clusters_alone is None else rated.clusters_alone
