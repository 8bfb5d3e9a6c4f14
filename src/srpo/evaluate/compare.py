"""Two systems on the same items: difference with interval, and the exact test on the items they disagree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from srpo.errors import DataError
from srpo.evaluate.metrics import METRICS, Cluster, Item, check_results, cluster_of, items
from srpo.records import seed_of
from srpo.stats import Interval, mcnemar_exact, paired_difference, wilson
from srpo.types import Comparison, Result

HEADLINE: Final = (
    "joint4",
    "safe",
    "effective_benign",
    "safe_and_effective",
    "path_safe",
    "path_effective",
    "over_refusal",
)
_NAMED_AT_MOST: Final = 5


def compare(
    baseline: Sequence[Result], system: Sequence[Result], metric: str, seed: int, *, cluster: Cluster = "group"
) -> Comparison:
    """`system` minus `baseline` in one metric, paired by sample (by minimal set for `joint4`).

    Items unscored on either side are left out and counted.  `only_baseline` and `only_system` count items that
    one side alone gets right; for `over_refusal` and `format_failure` right means that it did not happen.
    McNemar's test takes items as independent; the interval draws whole clusters.  Raises DataError if the
    items, decodings or judges differ, or a side is not one system with each sample once.
    """
    _check_sides(baseline, system)
    pairs = _paired(items(baseline, metric), items(system, metric), metric)
    scored = [(a, b) for a, b in pairs if a.value is not None and b.value is not None]
    good = METRICS[metric].good
    before = [a.value is good for a, _ in scored]
    after = [b.value is good for _, b in scored]
    only_baseline = sum(a and not b for a, b in zip(before, after, strict=True))
    only_system = sum(b and not a for a, b in zip(before, after, strict=True))
    clusters = [cluster_of(a, cluster) for a, _ in scored]
    difference, interval = _difference(scored, clusters, seed_of(seed, "compare", metric))
    return Comparison(
        metric=metric,
        decoding=system[0].decoding,
        baseline=baseline[0].system,
        system=system[0].system,
        difference=difference,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        n=len(scored),
        unscored=len(pairs) - len(scored),
        only_baseline=only_baseline,
        only_system=only_system,
        p_value=mcnemar_exact(only_baseline, only_system) if scored else None,
    )


def compare_all(
    baseline: Sequence[Result], system: Sequence[Result], seed: int, *, cluster: Cluster = "group"
) -> list[Comparison]:
    """`compare` in every headline metric.  The p-values are not adjusted."""
    return [compare(baseline, system, metric, seed, cluster=cluster) for metric in HEADLINE]


def _check_sides(baseline: Sequence[Result], system: Sequence[Result]) -> None:
    for name, side in (("baseline", baseline), ("system", system)):
        if not side:
            raise DataError(f"the {name} has no results; evaluate it first")
        check_results(side)
    if baseline[0].decoding != system[0].decoding:
        raise DataError(
            f"decodings differ: {baseline[0].decoding!r} and {system[0].decoding!r}; compare like with like"
        )
    judges = [sorted({result.judge for result in side}) for side in (baseline, system)]
    if judges[0] != judges[1]:
        raise DataError(f"judges differ: {', '.join(judges[0])} against {', '.join(judges[1])}; judge both alike")


def _paired(before: Sequence[Item], after: Sequence[Item], metric: str) -> list[tuple[Item, Item]]:
    """Items of equal id, ordered by id."""
    first = {item.id: item for item in before}
    second = {item.id: item for item in after}
    missing = [("system", sorted(first.keys() - second.keys())), ("baseline", sorted(second.keys() - first.keys()))]
    texts = [f"the {side} lacks {_listed(ids)}" for side, ids in missing if ids]
    if texts:
        raise DataError(f"{metric}: items differ: {'; '.join(texts)}; evaluate both on the same samples")
    return [(first[name], second[name]) for name in sorted(first)]


def _listed(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_NAMED_AT_MOST])
    return shown if len(ids) <= _NAMED_AT_MOST else f"{shown} and {len(ids) - _NAMED_AT_MOST} more"


def _difference(
    scored: Sequence[tuple[Item, Item]], clusters: Sequence[str], seed: int
) -> tuple[float | None, Interval | None]:
    if not scored:
        return None, None
    before = [float(bool(a.value)) for a, _ in scored]
    after = [float(bool(b.value)) for _, b in scored]
    difference, interval = paired_difference(after, before, clusters, seed)
    if interval is None or interval.low < interval.high or before == after:
        return difference, interval
    # Every cluster moved alike, so the bootstrap has no spread.  That is not certainty: a share of clusters up
    # to Wilson's bound for "none of these" may behave otherwise and not have been drawn.
    number = len(set(clusters))
    unseen = wilson(0, number)
    margin = unseen.high if unseen else 1.0
    return difference, Interval(max(-1.0, difference - margin), min(1.0, difference + margin))
