"""Intervals and tests against published or hand-worked values, and the coverage they promise."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srpo.stats import cluster_bootstrap, cluster_signs, holm, paired_difference, sign_test, wilson

CLUSTERED_BITS = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 1)), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(85, 167, 0.4338, 0.5837), (0, 300, 0.0, 0.0126), (10, 10, 0.7225, 1.0)]
)
def test_wilson_gives_the_known_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_is_no_interval() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(successes, n)


@pytest.mark.parametrize(("rises", "falls", "p_value"), [(10, 2, 0.03857), (3, 3, 1.0), (6, 0, 0.03125), (0, 0, 1.0)])
def test_the_sign_test_gives_the_known_values(rises: int, falls: int, p_value: float) -> None:
    assert sign_test(rises, falls) == pytest.approx(p_value, abs=5e-6)
    assert sign_test(falls, rises) == pytest.approx(p_value, abs=5e-6)


def test_the_sign_test_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="negative"):
        sign_test(-1, 3)


def test_a_cluster_rises_or_falls_as_a_whole() -> None:
    assert cluster_signs([1, 1, -1, 1, -1, -1, 0], list("aaabbcd")) == (1, 1)  # b and d stay
    assert cluster_signs([0.1, 0.2, -0.3], list("aaa")) == (0, 0)  # 5.6e-17 is rounding
    assert cluster_signs([], []) == (0, 0)


@pytest.mark.parametrize(("clusters", "items", "alike"), [(60, 3, 1.0), (60, 3, 0.4), (30, 12, 0.7), (11, 18, 0.8)])
def test_a_family_of_sign_tests_over_clusters_errs_as_seldom_as_it_promises(
    clusters: int, items: int, alike: float
) -> None:
    rng, reports, tests = np.random.default_rng(5), 200, 14
    names = np.repeat(np.arange(clusters), items).astype(str).tolist()
    by_cluster = by_item = 0
    tested = cache(sign_test)  # the same counts come again and again
    for _ in range(reports):
        sides = rng.random((2, tests, clusters, items)) < 0.5
        together = rng.random(sides.shape) < alike
        flags = np.where(together, rng.random((2, tests, clusters, 1)) < 0.5, sides)
        changes = (flags[1].astype(float) - flags[0]).reshape(tests, -1)
        by_cluster += min(holm([tested(*cluster_signs(row.tolist(), names)) for row in changes])) < 0.05
        by_item += min(holm([tested(int((row > 0).sum()), int((row < 0).sum())) for row in changes])) < 0.05
    assert by_cluster / reports < 0.07 < by_item / reports


@given(rows=CLUSTERED_BITS, seed=st.integers(0, 2**63 - 1))
@settings(max_examples=30, deadline=None)
def test_duplicates_inside_their_cluster_leave_the_interval_as_it_is(rows: list[tuple[str, int]], seed: int) -> None:
    clusters, values = [name for name, _ in rows], [float(value) for _, value in rows]
    once = cluster_bootstrap(values, clusters, seed, resamples=50)
    assert cluster_bootstrap(values * 2, clusters * 2, seed, resamples=50) == once


@given(rows=CLUSTERED_BITS)
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_does_not_matter(rows: list[tuple[str, int]]) -> None:
    clusters, values = [name for name, _ in rows], [float(value) for _, value in rows]
    forward = cluster_bootstrap(values, clusters, 1, resamples=50)
    assert cluster_bootstrap(values[::-1], clusters[::-1], 1, resamples=50) == forward


def test_one_cluster_has_no_interval() -> None:
    assert cluster_bootstrap([0.0, 1.0, 1.0], ["a", "a", "a"], seed=0) is None
    assert cluster_bootstrap([], [], seed=0) is None
    assert paired_difference([1.0, 0.0], [0.0, 0.0], ["a", "a"], seed=0) == (0.5, None)


def test_the_bootstrap_hangs_on_its_seed_alone() -> None:
    values = [i**0.5 for i in range(60)]
    clusters = [str(i // 2) for i in range(60)]
    assert cluster_bootstrap(values, clusters, 5) == cluster_bootstrap(values, clusters, 5)
    assert cluster_bootstrap(values, clusters, 5) != cluster_bootstrap(values, clusters, 6)


def test_clusters_of_one_row_agree_with_wilson_on_many_rows() -> None:
    n = 3000  # large enough for the draws to be made in several blocks
    values = [1.0] * (n * 3 // 5) + [0.0] * (n * 2 // 5)
    bootstrap = cluster_bootstrap(values, [str(i) for i in range(n)], seed=0)
    assert bootstrap == pytest.approx(wilson(n * 3 // 5, n), abs=0.002)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        cluster_bootstrap([1.0, bad], ["a", "b"], seed=0)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 values but 1 clusters"):
        cluster_bootstrap([1.0, 0.0], ["a"], seed=0)
    with pytest.raises(ValueError, match="equally long"):
        paired_difference([1.0], [1.0, 0.0], ["a"], seed=0)


def test_identical_lists_differ_by_zero_without_spread() -> None:
    values = [1.0, 0.0, 1.0, 1.0]
    assert paired_difference(values, values, ["a", "a", "b", "c"], seed=0) == (0.0, (0.0, 0.0))


def test_the_difference_is_the_first_minus_the_second() -> None:
    a, b = [1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]
    difference = paired_difference(a, b, list("wxyz"), seed=0)
    assert difference.value == 0.5
    assert difference.interval is not None
    assert difference.interval.low == 0.0 and difference.interval.high == 1.0


def test_pairing_is_narrower_than_two_unpaired_samples() -> None:
    rng = np.random.default_rng(0)
    b = rng.integers(0, 2, 200).astype(float)
    a = b.copy()
    a[:20] = 1.0
    clusters = [str(i) for i in range(200)]
    paired = paired_difference(a.tolist(), b.tolist(), clusters, seed=0).interval
    unpaired = paired_difference(a.tolist(), rng.permutation(b).tolist(), clusters, seed=0).interval
    assert paired is not None and unpaired is not None
    assert paired.high - paired.low < 0.6 * (unpaired.high - unpaired.low)


def test_the_cluster_bootstrap_covers_the_truth_where_wilson_on_rows_does_not() -> None:
    rng = np.random.default_rng(7)
    runs, clusters, rows = 300, 50, 6
    names = np.repeat(np.arange(clusters), rows).astype(str).tolist()
    bootstrap_covers = wilson_covers = 0
    for run in range(runs):
        rates = rng.beta(0.6, 0.6, size=clusters)  # mean 0.5, rows of one cluster much alike
        values = (rng.random((clusters, rows)) < rates[:, None]).astype(float).ravel()
        by_cluster = cluster_bootstrap(values.tolist(), names, seed=run, resamples=400)
        by_row = wilson(int(values.sum()), len(values))
        assert by_cluster is not None and by_row is not None
        bootstrap_covers += by_cluster.low <= 0.5 <= by_cluster.high
        wilson_covers += by_row.low <= 0.5 <= by_row.high
    assert 0.92 <= bootstrap_covers / runs <= 0.98
    assert wilson_covers / runs < 0.80
