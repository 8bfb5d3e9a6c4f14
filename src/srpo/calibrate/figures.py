"""Labels to metrics: each number with its items, its interval, and the items that could not be judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from srpo.calibrate.human import drawn
from srpo.records import seed_of
from srpo.stats import (
    Category,
    Estimate,
    Interval,
    Rated,
    cohens_kappa,
    paired_difference,
    ppi,
    rate_interval,
    rogan_gladen_rate,
)
from srpo.types import Metric

BOOTSTRAP = "cluster bootstrap 95 %, {} clusters"


def rate(values: Sequence[bool | None], clusters: Sequence[str], seed: int) -> Metric:
    """Share of flags that are up; unscored ones are left out and counted."""
    scored = [(value, name) for value, name in zip(values, clusters, strict=True) if value is not None]
    flags = [value for value, _ in scored]
    interval, method = rate_interval(flags, [name for _, name in scored], seed)
    value = sum(flags) / len(flags) if flags else None
    return metric(Estimate(value, interval), len(flags), len(values) - len(flags), method)


def kappa(a: Sequence[Category | None], b: Sequence[Category | None], clusters: Sequence[str], seed: int) -> Metric:
    """Cohen's kappa over the items that both have labelled."""
    rows = list(zip(a, b, clusters, strict=True))
    both = [(x, y, name) for x, y, name in rows if x is not None and y is not None]
    names = [name for *_, name in both]
    found = cohens_kappa([x for x, *_ in both], [y for _, y, _ in both], names, seed)
    method = BOOTSTRAP.format(len(set(names))) if found.interval else "no interval: one cluster or no spread"
    return metric(Estimate(found.value, found.interval), len(both), len(rows) - len(both), method)


def paired_change(
    plain: Sequence[bool | None], changed: Sequence[bool | None], clusters: Sequence[str], seed: int
) -> Metric:
    """Rate of flags up after a change minus that before, over the items scored both times."""
    rows = list(zip(plain, changed, clusters, strict=True))
    both = [(x, y, name) for x, y, name in rows if x is not None and y is not None]
    if not both:
        return metric(Estimate(None, None), 0, len(rows), "nothing scored")
    before, after, names = ([float(x) for x, *_ in both], [float(y) for _, y, _ in both], [name for *_, name in both])
    found = paired_difference(after, before, names, seed)
    spread = found.interval is not None and found.interval.low < found.interval.high
    method = f"paired {BOOTSTRAP.format(len(set(names)))}" if spread else "no interval: one cluster or no spread"
    return metric(Estimate(found.value, found.interval if spread else None), len(both), len(rows) - len(both), method)


class Both(NamedTuple):
    """One item as people and a judge flag it; none if they have not, or could not."""

    id: str
    people: bool | None
    judge: bool | None
    cluster: str


def corrected(rows: Sequence[Both], subset: int, seed: int) -> dict[str, Metric]:
    """The judge's rate corrected by labels of people.

    If some rows have no label of people, all those that have one are used, and should be a random draw.  Otherwise
    `subset` of them are drawn by seed and id, as if the others had none.  Empty if nothing would be left over.
    """
    scored = [(row, row.judge) for row in rows if row.judge is not None]
    labelled = [row.id for row, _ in scored if row.people is not None]
    chosen = set(
        drawn(labelled, subset, seed_of(seed, "subset")) if subset and len(labelled) == len(scored) else labelled
    )
    some = [(row.people, flag, row.cluster) for row, flag in scored if row.id in chosen and row.people is not None]
    rest = [(flag, row.cluster) for row, flag in scored if row.id not in chosen]
    if not some or not rest:
        return {}
    rated = Rated(
        people=[y for y, *_ in some],
        judge=[f for _, f, _ in some],
        judge_alone=[f for f, _ in rest],
        clusters=[name for *_, name in some],
        clusters_alone=[name for _, name in rest],
    )
    unscored, words = len(rows) - len(scored), f"{len(some)} labels of people"
    powered = ppi(rated)
    both = {
        "ppi": (Estimate(powered.value, powered.interval), f"PPI++ 95 %, {words}, lambda {powered.tuning:.2f}"),
        "rogan_gladen": (rogan_gladen_rate(rated), f"Rogan-Gladen 95 %, {words}"),
    }
    return {name: metric(_cut(found), len(scored), unscored, method) for name, (found, method) in both.items()}


def metric(found: Estimate, n: int, unscored: int, method: str) -> Metric:
    """A record of an estimate."""
    low, high = found.interval or (None, None)
    return Metric(value=found.value, n=n, low=low, high=high, unscored=unscored, method=method)


def _cut(found: Estimate) -> Estimate:
    """A rate lies in 0..1, and so does what is known of it."""
    value = None if found.value is None else min(max(found.value, 0.0), 1.0)
    interval = found.interval and Interval(max(found.interval.low, 0.0), min(found.interval.high, 1.0))
    return Estimate(value, interval)
