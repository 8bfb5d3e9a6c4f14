"""Numbers made of rates, with intervals over clusters that the rates share."""

from __future__ import annotations

import pytest

from srpo.benchmarks.counting import Unit
from srpo.benchmarks.summary import summarise


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
    assert found.method == "cluster bootstrap 95 %, 79 clusters"


def test_doubled_rows_do_not_narrow_the_interval():
    values, names = [True, False] * 20, [str(i) for i in range(40)]
    others = [True, True, False, False] * 10
    once = summarise([units("a", values, names), units("b", others, names)], mean, 0)
    twice = summarise([units("a", values * 2, names * 2), units("b", others * 2, names * 2)], mean, 0)
    assert once.low < once.value == 0.5 < once.high
    assert (once.value, once.low, once.high) == (twice.value, twice.low, twice.high)


def test_shared_clusters_are_drawn_together():
    values, names = [True, False] * 20, [str(i) for i in range(40)]
    opposite = [not value for value in values]
    found = summarise([units("a", values, names), units("b", opposite, names)], mean, 0)
    # one up, the other down: the mean never moves, and Wilson's ends of 20 of 40 stand in
    assert found.value == 0.5 and (found.low, found.high) == (
        pytest.approx(0.352, abs=0.01),
        pytest.approx(0.648, abs=0.01),
    )


def test_no_number_without_every_part():
    found = summarise([units("a", [True]), units("b", [None])], mean, 0)
    assert (found.value, found.low, found.n, found.unscored) == (None, None, 1, 1)


def test_no_spread_is_no_certainty():
    found = summarise([units("a", [False] * 50), units("b", [False] * 20)], mean, 0)
    assert (found.value, found.low) == (0.0, 0.0) and "without spread" in found.method
    # Wilson's upper ends for 0 of n are z^2 / (n + z^2), z = 1.96
    assert found.high == pytest.approx((3.8415 / 53.8415 + 3.8415 / 23.8415) / 2, abs=1e-4)
    alone = summarise([units("a", [True] * 50), units("b", [True] * 3, ["x"] * 3)], mean, 0)
    assert (alone.value, alone.low, alone.method) == (1.0, None, "no interval: a part has none")


def test_a_difference_of_two_perfect_systems_is_not_certain():
    both = [units("a", [True] * 50), units("b", [True] * 50)]
    found = summarise(both, lambda means: means[1] - means[0], 0)
    lowest = 1 - 3.8415 / 53.8415
    assert (found.value, found.low, found.high) == (
        0,
        pytest.approx(lowest - 1, abs=1e-4),
        pytest.approx(1 - lowest, abs=1e-4),
    )
