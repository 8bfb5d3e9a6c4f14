"""Two systems on the same items: difference with interval, exact test, and what that says in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from srpo.errors import DataError
from srpo.evaluate.metrics import units
from srpo.evaluate.units import Cluster, check_results, cluster_of, plain
from srpo.rates import RATES, SIGNIFICANCE, many_unscored
from srpo.records import seed_of
from srpo.stats import (
    Interval,
    cluster_signs,
    holm,
    minimum_detectable_difference,
    paired_difference,
    sign_test,
    wilson,
)
from srpo.types import Comparison, Finding, Result

Value = bool | float | None
"""Of one item; none = could not be judged."""

_NAMED_AT_MOST: Final = 5


@dataclass(frozen=True)
class Paired:
    """Second side minus first side over the items that both have scored.

    `only_first` and `only_second` count items that one side alone gets right, or gets more right.  `rises` and `falls`
    count clusters whose differences add up to more than 0, and to less: the test goes by them.  `detectable` is the
    smallest difference that so many clusters show with 80 % power in a single test at 5 %.  `p_value` is none if
    nothing was scored, or if there is no exact test.
    """

    difference: float | None
    interval: Interval | None
    n: int
    unscored: int
    only_first: int
    only_second: int
    rises: int
    falls: int
    p_value: float | None
    detectable: float | None
    good: bool

    @property
    def finding(self) -> Finding:
        """By interval and p-value, before any adjustment."""
        if self.difference is None or self.p_value is None or many_unscored(self.n, self.unscored):
            return "not compared"
        unclear = self.interval is None or self.interval.low <= 0 <= self.interval.high
        one_way = self.difference * (self.rises - self.falls) > 0  # a few clusters may outweigh many in the mean
        if unclear or not one_way or self.p_value >= SIGNIFICANCE:
            return "no evidence of a difference"
        return "better" if (self.difference > 0) is self.good else "worse"


def compare(
    baseline: Sequence[Result], system: Sequence[Result], metric: str, seed: int, *, cluster: Cluster = "group"
) -> Comparison:
    """`system` minus `baseline` in one metric, paired by sample (by minimal set for `joint4`).

    Items unscored on either side are left out and counted.  `only_baseline` and `only_system` count items that
    one side alone gets right; where a rate should be low, right means that it did not happen.  Test and interval go
    by whole clusters.  The finding is that of this comparison alone: pass all that are made together through
    `adjust`.  Raises DataError if the items, decodings or judges differ, or a side is not one system with each
    sample once.
    """
    _check_sides(baseline, system)
    before, after = units(plain(baseline), metric), units(plain(system), metric)
    paired = compare_values(
        metric,
        {unit.id: unit.value for unit in before},
        {unit.id: unit.value for unit in after},
        {unit.id: cluster_of(unit, cluster) for unit in before},
        seed_of(seed, "compare", metric),
        good=RATES[metric].good,
    )
    return comparison_of(paired, metric, baseline[0].system, system[0].system, system[0].decoding)


def adjust(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Comparisons that are made together, with p-values after Holm and the findings that are left.

    What could not be compared is no test and does not count.
    """
    p_values = [c.p_value for c in comparisons if c.p_value is not None and c.finding != "not compared"]
    adjusted = iter(holm(p_values))
    return [
        c if c.p_value is None or c.finding == "not compared" else _with_p_adjusted(c, next(adjusted))
        for c in comparisons
    ]


def compare_values(
    what: str,
    first: Mapping[str, Value],
    second: Mapping[str, Value],
    clusters: Mapping[str, str],
    seed: int,
    *,
    good: bool = True,
) -> Paired:
    """Values of the same items on two sides: item -> value, and item -> name of what it is drawn with.

    The test is the exact sign test over clusters: McNemar's, where each item is a cluster and its value a flag.
    `good` is false if less is better.  `what` begins the message of the DataError that is raised if the items differ.
    """
    _check_items(what, first, second)
    pairs = [(name, first[name], second[name]) for name in sorted(first)]
    scored = [(name, float(a), float(b)) for name, a, b in pairs if a is not None and b is not None]
    more, less = sum(b > a for _, a, b in scored), sum(b < a for _, a, b in scored)
    drawn_with = [clusters[name] for name, _, _ in scored]
    changes = [b - a for _, a, b in scored]
    rises, falls = cluster_signs(changes, drawn_with)
    difference, interval = _difference([a for _, a, _ in scored], [b for _, _, b in scored], drawn_with, seed)
    return Paired(
        difference=difference,
        interval=interval,
        n=len(scored),
        unscored=len(pairs) - len(scored),
        only_first=less if good else more,
        only_second=more if good else less,
        rises=rises,
        falls=falls,
        p_value=sign_test(rises, falls) if scored else None,
        detectable=_detectable(changes, len(set(drawn_with))),
        good=good,
    )


def comparison_of(
    paired: Paired, metric: str, baseline: str, system: str, decoding: str, benchmark: str = "rsbench"
) -> Comparison:
    """The record of a paired comparison, not adjusted yet."""
    return Comparison(
        metric=metric,
        decoding=decoding,
        baseline=baseline,
        system=system,
        difference=paired.difference,
        low=paired.interval.low if paired.interval else None,
        high=paired.interval.high if paired.interval else None,
        n=paired.n,
        unscored=paired.unscored,
        only_baseline=paired.only_first,
        only_system=paired.only_second,
        p_value=paired.p_value,
        detectable=paired.detectable,
        finding=paired.finding,
        benchmark=benchmark,
    )


def _with_p_adjusted(comparison: Comparison, p: float) -> Comparison:
    finding = comparison.finding if p < SIGNIFICANCE else "no evidence of a difference"
    return comparison.model_copy(update={"p_adjusted": p, "finding": finding})


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


def _check_items(what: str, first: Mapping[str, Value], second: Mapping[str, Value]) -> None:
    missing = [("system", sorted(first.keys() - second.keys())), ("baseline", sorted(second.keys() - first.keys()))]
    texts = [f"the {side} lacks {_listed(ids)}" for side, ids in missing if ids]
    if texts:
        raise DataError(f"{what}: items differ: {'; '.join(texts)}; evaluate both on the same samples")


def _listed(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_NAMED_AT_MOST])
    return shown if len(ids) <= _NAMED_AT_MOST else f"{shown} and {len(ids) - _NAMED_AT_MOST} more"


def _difference(
    before: Sequence[float], after: Sequence[float], clusters: Sequence[str], seed: int
) -> tuple[float | None, Interval | None]:
    if not before:
        return None, None
    difference, interval = paired_difference(after, before, clusters, seed)
    if interval is None or interval.low < interval.high or before == after:
        return difference, interval
    # Every cluster moved alike, so the bootstrap has no spread.  That is not certainty: a share of clusters up
    # to Wilson's bound for "none of these" may behave otherwise and not have been drawn.
    margin = _unseen(len(set(clusters)))
    return difference, Interval(max(-1.0, difference - margin), min(1.0, difference + margin))


def _detectable(differences: Sequence[float], clusters: int) -> float | None:
    """With the mean square of the differences, which for flags is the share of items that one side alone gets right.

    Where the sides hardly differ, that share is not zero but below Wilson's bound for "none of these".
    """
    if not differences:
        return None
    share = sum(d * d for d in differences) / len(differences)
    return minimum_detectable_difference(clusters, min(1.0, max(share, _unseen(clusters))))


def _unseen(clusters: int) -> float:
    """Share of clusters that may be of a kind of which none was seen."""
    bound = wilson(0, clusters)
    return bound.high if bound else 1.0
