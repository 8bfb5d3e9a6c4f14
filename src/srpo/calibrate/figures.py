"""Labels to metrics: each number with its items, its interval, and the items that could not be judged."""

from __future__ import annotations

from collections.abc import Sequence

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


def corrected(rows: Sequence[tuple[bool | None, bool | None, str]], subset: int, seed: int) -> dict[str, Metric]:
    """The judge's rate corrected by labels of people, from (flag of the people, flag of the judge, cluster).

    If some rows have no label of people, all those that have one are used, and should be a random draw.  Otherwise
    `subset` of them are drawn by the seed, as if the others had none.  Empty if nothing would be left over.
    """
    scored = [(y, f, name) for y, f, name in rows if f is not None]
    labelled = [(y, f, name) for y, f, name in scored if y is not None]
    rest = [(f, name) for y, f, name in scored if y is None]
    some = labelled
    if not rest and subset:
        order = sorted(range(len(labelled)), key=lambda i: seed_of(seed, "subset", i))
        some = [labelled[i] for i in sorted(order[:subset])]
        rest = [labelled[i][1:] for i in sorted(order[subset:])]
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
