"""Corrected rates: hand-worked values, and whether their intervals cover the truth as they promise."""

from __future__ import annotations

import numpy as np
import pytest

from srpo.stats import Rated, holm, minimum_detectable_difference, ppi, rogan_gladen, rogan_gladen_rate, wilson
from srpo.stats import bounds as bounds_of

TRUTH, SENSITIVITY, SPECIFICITY = 0.3, 0.9, 0.75


def test_holm_is_that_of_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(3)
    for size in (1, 2, 40):
        values = (rng.random(size) ** 3).round(2).tolist()  # with ties
        assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist())


def test_holm_gives_the_known_values() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, float("nan")])


def test_the_detectable_difference_of_a_table() -> None:
    assert minimum_detectable_difference(504, 0.2) == pytest.approx(0.0558, abs=5e-5)
    assert minimum_detectable_difference(167, 0.2) == pytest.approx(0.097, abs=5e-4)
    with pytest.raises(ValueError, match="clusters > 0"):
        minimum_detectable_difference(0, 0.2)


def test_bounds_take_the_missing_to_both_sides() -> None:
    assert bounds_of(40, 90, 10) == (0.4, 0.5)
    assert bounds_of(0, 0, 0) is None
    with pytest.raises(ValueError, match="missing"):
        bounds_of(2, 1, 0)


def test_rogan_gladen_inverts_the_judge() -> None:
    flagged = TRUTH * SENSITIVITY + (1 - TRUTH) * (1 - SPECIFICITY)
    assert rogan_gladen(flagged, SPECIFICITY, SENSITIVITY) == pytest.approx(TRUTH)
    assert rogan_gladen(0.5, 0.5, 0.55) is None
    assert rogan_gladen(0.0, 0.9, 0.9) == 0.0


def test_rogan_gladen_on_its_own_calibration_data_is_the_rate_of_the_people() -> None:
    y, f = [1] * 8 + [0] * 12, [1] * 7 + [0] + [1] * 3 + [0] * 9
    assert rogan_gladen_rate(Rated(y, f, [])).value == pytest.approx(0.4)
    assert rogan_gladen_rate(Rated([0, 0], [0, 1], [1])) == (None, None)


def test_ppi_with_a_judge_who_says_one_thing_is_people_alone() -> None:
    y = [1, 0, 0, 1, 0]
    found = ppi(Rated(y, [1] * 5, [1] * 50))
    assert (found.value, found.tuning) == (0.4, 0.0)
    assert found.standard_error == pytest.approx(np.std(y, ddof=1) / np.sqrt(5))


def test_ppi_with_a_perfect_judge_has_the_variance_of_all_items() -> None:
    y, alone = [1, 0] * 10, [1, 0] * 90
    found = ppi(Rated(y, y, alone))
    assert found.value == 0.5 and found.tuning == pytest.approx(180 / 200)
    assert found.standard_error == pytest.approx(np.sqrt(0.25 / 200 * 20 / 19))


def test_ppi_does_not_turn_a_judge_around() -> None:
    found = ppi(Rated([1, 0, 1, 0], [0, 1, 0, 1], [0, 1] * 20))
    assert (found.value, found.tuning) == (0.5, 0.0)


def test_ppi_without_spread_or_with_one_cluster_has_no_interval() -> None:
    assert ppi(Rated([0, 0], [0, 0], [0, 0])).interval is None
    assert ppi(Rated([0, 1], [0, 1], [1, 0], ["a", "a"], ["b", "c"])).interval is None
    with pytest.raises(ValueError, match="labels of people"):
        ppi(Rated([], [], [1.0]))
    with pytest.raises(ValueError, match="for all items or for none"):
        ppi(Rated([0, 1], [0, 1], [1, 0], ["a", "b"]))


def draw(
    rng: np.random.Generator, clusters: int, size: int, truth: float = TRUTH
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of people and judge on `clusters` times `size` items, and their clusters, all [items]."""
    rates = np.full(clusters, truth) if size == 1 else rng.beta(2 * truth, 2 * (1 - truth), clusters)
    y = rng.random((clusters, size)) < rates[:, None]
    flagged = rng.random((clusters, size)) < np.where(y, SENSITIVITY, 1 - SPECIFICITY)
    names = np.repeat(np.arange(clusters), size).astype(str)
    return y.ravel().astype(float), flagged.ravel().astype(float), names


@pytest.mark.parametrize(("clusters", "size", "labelled"), [(1000, 1, 200), (150, 6, 200)])
def test_ppi_covers_the_truth_and_the_raw_rate_does_not(clusters: int, size: int, labelled: int) -> None:
    rng = np.random.default_rng(11)
    runs, covered, covered_raw, narrower = 1000, 0, 0, 0
    for _ in range(runs):
        y, f, names = draw(rng, clusters, size)
        order = rng.permutation(len(y))
        some, rest = order[:labelled], order[labelled:]
        of = (names[some].tolist(), names[rest].tolist()) if size > 1 else (None, None)
        found = ppi(Rated(y[some].tolist(), f[some].tolist(), f[rest].tolist(), *of))
        raw = wilson(int(f.sum()), len(f))
        assert found.interval is not None and found.standard_error is not None and raw is not None
        covered += found.interval.low <= TRUTH <= found.interval.high
        covered_raw += raw.low <= TRUTH <= raw.high
        narrower += found.standard_error < np.std(y[some], ddof=1) / np.sqrt(labelled)
    assert 0.93 <= covered / runs <= 0.97
    assert covered_raw / runs < 0.05  # flags 44.5 %
    assert size > 1 or narrower / runs > 0.99


def test_ppi_covers_a_little_less_with_few_positives() -> None:
    """About nine of 200 labels: what docs/judges.md says of it."""
    rng = np.random.default_rng(13)
    runs, covered, truth = 1000, 0, 0.045
    for _ in range(runs):
        y, f, _names = draw(rng, 4000, 1, truth)
        found = ppi(Rated(y[:200].tolist(), f[:200].tolist(), f[200:].tolist()))
        covered += found.interval is not None and found.interval.low <= truth <= found.interval.high
    assert 0.91 <= covered / runs <= 0.95


def test_rows_taken_for_independent_cover_too_little() -> None:
    rng = np.random.default_rng(3)
    runs, covered = 400, {"clustered": 0, "rows": 0}
    for _ in range(runs):
        y, f, names = draw(rng, 60, 20)
        labelled = rng.random(60).argsort()[:20].astype(str)  # whole clusters are labelled
        some = np.isin(names, labelled)
        rated = Rated(y[some].tolist(), f[some].tolist(), f[~some].tolist())
        clustered = rated._replace(clusters=names[some].tolist(), clusters_alone=names[~some].tolist())
        for kind, found in (("clustered", ppi(clustered)), ("rows", ppi(rated))):
            assert found.interval is not None
            covered[kind] += found.interval.low <= TRUTH <= found.interval.high
    assert covered["clustered"] / runs > 0.9
    assert covered["rows"] / runs < 0.75


def test_rogan_gladen_has_the_interval_of_its_source() -> None:
    """p 0.4 of 1000, q0 0.7 of 200 and q1 0.9 of 200, by the formula worked out step by step."""
    y, f = [1] * 200 + [0] * 200, [1] * 180 + [0] * 20 + [1] * 60 + [0] * 140
    alone = [1] * 160 + [0] * 440  # 240 + 160 = 400 of 1000 flagged
    found = rogan_gladen_rate(Rated(y, f, alone))
    assert found.value == pytest.approx(1 / 6)
    assert found.interval == pytest.approx((0.05635, 0.26273), abs=5e-6)


def test_rogan_gladen_with_clusters_of_one_is_that_without() -> None:
    rng = np.random.default_rng(2)
    y, f, names = draw(rng, 300, 1)
    rows = Rated(y[:200].tolist(), f[:200].tolist(), f[200:].tolist())
    named = rows._replace(clusters=names[:200].tolist(), clusters_alone=names[200:].tolist())
    assert rogan_gladen_rate(named) == rogan_gladen_rate(rows)
    assert rogan_gladen_rate(rows._replace(clusters=["a"] * 200, clusters_alone=["b"] * 100)).interval is None


def test_rogan_gladen_counts_clusters_and_not_rows() -> None:
    rng = np.random.default_rng(4)
    y, f, names = (values.tolist() for values in draw(rng, 400, 1))
    once = rogan_gladen_rate(Rated(y[:200], f[:200], f[200:], names[:200], names[200:])).interval
    twice = rogan_gladen_rate(Rated(y[:200] * 2, f[:200] * 2, f[200:] * 2, names[:200] * 2, names[200:] * 2)).interval
    assert once is not None and twice == pytest.approx(once, abs=0.005)


@pytest.mark.parametrize(("clusters", "size", "few"), [(4000, 1, False), (4000, 1, True), (200, 20, False)])
def test_rogan_gladen_covers_the_truth(clusters: int, size: int, few: bool) -> None:
    rng = np.random.default_rng(5)
    runs, covered, truth = 300, 0, 0.045 if few else TRUTH
    for _ in range(runs):
        y, f, names = draw(rng, clusters, size, truth)
        order = rng.permutation(len(y))
        some, rest = order[:200], order[200:]
        of = (names[some].tolist(), names[rest].tolist()) if size > 1 else (None, None)
        found = rogan_gladen_rate(Rated(y[some].tolist(), f[some].tolist(), f[rest].tolist(), *of))
        assert found.interval is not None
        covered += found.interval.low <= truth <= found.interval.high
    assert 0.92 <= covered / runs <= 0.99
