"""Numbers made of rates, with intervals over clusters that the rates share."""

from __future__ import annotations

import pytest

from srpo.benchmarks.summary import Unit, summarise


def mean(values):
    return sum(values) / len(values)


def units(name: str, values, clusters=None):
    clusters = clusters or [f"{name}{i}" for i in range(len(values))]
    return [Unit(f"{name}{i}", cluster, value) for i, (value, cluster) in enumerate(zip(values, clusters, strict=True))]


def test_each_part_counts_alike():
    found = summarise([units("a", [True] * 30 + [False] * 10), units("b", [False] * 38 + [True, None])], mean, 0)
    assert found.value == pytest.approx((30 / 40 + 1 / 39) / 2)
    assert (found.n, found.unscored) == (79, 1)
    # normal interval of a mean of two independent proportions
    half = 1.96 / 2 * (0.75 * 0.25 / 40 + (1 / 39) * (38 / 39) / 39) ** 0.5
    assert found.high - found.low == pytest.approx(2 * half, rel=0.12)
    assert found.method == "cluster bootstrap 95 %, 80 clusters" or found.method.endswith("79 clusters")


def test_doubled_rows_do_not_narrow_the_interval():
    values, names = [True, False] * 20, [str(i) for i in range(40)]
    once = summarise([units("a", values, names), units("b", values[::-1], names)], mean, 0)
    twice = summarise([units("a", values * 2, names * 2), units("b", values[::-1] * 2, names * 2)], mean, 0)
    assert (once.value, once.low, once.high) == (twice.value, twice.low, twice.high)


def test_shared_clusters_are_drawn_together():
    values, names = [True, False] * 20, [str(i) for i in range(40)]
    opposite = [not value for value in values]
    found = summarise([units("a", values, names), units("b", opposite, names)], mean, 0)
    assert (found.value, found.low) == (0.5, None)  # one up, the other down: the mean never moves


def test_no_number_without_every_part():
    found = summarise([units("a", [True]), units("b", [None])], mean, 0)
    assert (found.value, found.low, found.n, found.unscored) == (None, None, 1, 1)


def test_no_spread_is_no_certainty():
    found = summarise([units("a", [False] * 50), units("b", [False] * 50)], mean, 0)
    assert (found.value, found.low, found.high) == (0.0, None, None)
