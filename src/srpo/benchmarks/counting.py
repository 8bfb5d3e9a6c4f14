"""What rates are made of: flags of labels, one value per item, and the mean of these with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from srpo.logic import all3
from srpo.rates import metric_from
from srpo.stats import Interval, cluster_bootstrap, rate_interval
from srpo.types import Item, Label, Metric


class Unit(NamedTuple):
    """One item of a rate; a value of none could not be judged."""

    item: str
    cluster: str
    value: bool | float | None


def flag(name: str) -> Callable[[Label, Item], bool | None]:
    """The label as true, false or none."""

    def read(label: Label, item: Item) -> bool | None:
        found = label.labels.get(name)
        return None if found is None else bool(found)

    return read


def all_flags(*names: str) -> Callable[[Label, Item], bool | None]:
    """Three-valued *and* of labels: false if one is false, else none if one is none."""

    return lambda label, item: all3(flag(name)(label, item) for name in names)


def is_one_of(name: str, *values: str | int) -> Callable[[Label, Item], bool | None]:
    """Whether the label is one of these values; none if it is none."""

    def read(label: Label, item: Item) -> bool | None:
        found = label.labels.get(name)
        return None if found is None else found in values

    return read


def mean(units: Sequence[Unit], seed: int) -> Metric:
    """Mean of the values with its interval; units without a value are counted and left out."""
    values, clusters = scored(units)
    interval, method = interval_of(values, clusters, seed)
    value = sum(values) / len(values) if values else None
    return metric_from(value, interval, n=len(values), unscored=len(units) - len(values), method=method)


def scored(units: Sequence[Unit]) -> tuple[list[float], list[str]]:
    """Values and clusters of the units that have a value."""
    found = [(float(unit.value), unit.cluster) for unit in units if unit.value is not None]
    return [value for value, _ in found], [cluster for _, cluster in found]


def interval_of(values: Sequence[float], clusters: Sequence[str], seed: int) -> tuple[Interval | None, str]:
    """Interval of a mean and the words for how it was made: that of a rate for values in 0..1, else a bootstrap.

    Official scores may lie outside, such as -1 for a verdict that was not found.
    """
    if all(0 <= value <= 1 for value in values):
        return rate_interval(values, clusters, seed)
    interval, number = cluster_bootstrap(values, clusters, seed), len(set(clusters))
    if interval is None:
        return None, "no interval: one cluster"
    if interval.low == interval.high:
        return None, "no interval: bootstrap without spread"
    return interval, f"cluster bootstrap 95 %, {number} clusters"
