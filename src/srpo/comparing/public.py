"""Two systems on one public benchmark: its rates item by item, and its summaries, which are made of rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from srpo.benchmarks.base import Protocol, Summary
from srpo.benchmarks.counting import Unit
from srpo.benchmarks.rates import rates, units, values
from srpo.benchmarks.summary import summarise
from srpo.evaluate import Paired, compare_values, comparison_of
from srpo.records import seed_of
from srpo.stats import Interval
from srpo.types import Comparison, Item, Label, Metric


class Answers(NamedTuple):
    """What one judge says of the answers of one system, called `name` in tables, to the items of one benchmark."""

    name: str
    labels: Sequence[Label]
    items: Sequence[Item]


class Compared(NamedTuple):
    """A rate or summary of two systems; `good` is false where less is better."""

    rate: str
    good: bool
    before: Metric
    after: Metric
    comparison: Comparison


def compare_answers(title: str, first: Answers, second: Answers, protocol: Protocol, seed: int) -> Iterator[Compared]:
    """Every rate and summary of the protocol; `title` names both in records and messages.

    A summary has a paired difference with an interval, but no exact test: it is `not compared`.  Raises DataError if
    the items differ.
    """
    old, new = (rates(side.labels, side.items, protocol, seed) for side in (first, second))
    paired = {rate: _paired(title, rate, first, second, protocol, seed) for rate in protocol.rates}
    for name, summary in protocol.summaries.items():
        difference = _difference(summary, first, second, protocol, seed_of(seed, "compare", title, name))
        paired[name] = _untested(difference, [paired[part] for part in summary.parts], good=summary.good)
    for name, one in paired.items():
        comparison = comparison_of(one, name, first.name, second.name, first.labels[0].decoding, title)
        yield Compared(name, one.good, old[name], new[name], comparison)


def _paired(title: str, rate: str, first: Answers, second: Answers, protocol: Protocol, seed: int) -> Paired:
    before, after = (values(side.labels, side.items, protocol, rate) for side in (first, second))
    clusters = {item.id: item.cluster for item in first.items}
    one_seed = seed_of(seed, "compare", title, rate)
    return compare_values(f"{title}, {rate}", before, after, clusters, one_seed, good=protocol.rates[rate].good)


def _difference(summary: Summary, first: Answers, second: Answers, protocol: Protocol, seed: int) -> Metric:
    """Summary of the second side minus that of the first, over what both have scored, clusters drawn for both sides."""
    pairs = [_scored_on_both(part, first, second, protocol) for part in summary.parts]
    parts = [[pair[side] for pair in part] for side in (0, 1) for part in pairs]

    def difference(means: Sequence[float]) -> float:
        return summary.combine(means[len(pairs) :]) - summary.combine(means[: len(pairs)])

    return summarise(parts, difference, seed)


def _scored_on_both(rate: str, first: Answers, second: Answers, protocol: Protocol) -> list[tuple[Unit, Unit]]:
    before = units(first.labels, first.items, protocol, rate)
    after = {unit.item: unit for unit in units(second.labels, second.items, protocol, rate)}
    pairs = [(unit, after[unit.item]._replace(cluster=unit.cluster)) for unit in before]
    return [(a, b) for a, b in pairs if a.value is not None and b.value is not None]


def _untested(difference: Metric, parts: Sequence[Paired], *, good: bool) -> Paired:
    """A difference without a test; counts are those of the parts together."""
    low, high = difference.low, difference.high
    return Paired(
        difference=difference.value,
        interval=None if low is None or high is None else Interval(low, high),
        n=sum(part.n for part in parts),
        unscored=sum(part.unscored for part in parts),
        only_first=sum(part.only_first for part in parts),
        only_second=sum(part.only_second for part in parts),
        rises=0,
        falls=0,
        p_value=None,
        detectable=None,
        good=good,
    )
