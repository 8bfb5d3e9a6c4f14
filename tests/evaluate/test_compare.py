"""Paired comparisons with hand-made numbers, and what must not be compared."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from evaluation_rows import Judged, make_result, make_sample, minimal_sets, perfect, refuses_everything

from srpo.errors import DataError
from srpo.evaluate import HEADLINE, compare, compare_all
from srpo.types import Sample

BAD = Judged(False, False, False, False)
UNJUDGED = Judged(None, None, None, None, None)


def unsafe_in(groups: range, unjudged: range = range(0)) -> Callable[[Sample], Judged]:
    """A system that fails the hazard cell of some groups and is not judged there in others."""
    bad = {f"g{i:03}-hazard" for i in groups}
    lost = {f"g{i:03}-hazard" for i in unjudged}
    return lambda sample: UNJUDGED if sample.id in lost else BAD if sample.id in bad else perfect(sample)


@pytest.mark.parametrize("metric", ["safe", "joint4"])
def test_hand_made_numbers(metric: str) -> None:
    baseline = minimal_sets(50, unsafe_in(range(0, 12)))
    system = minimal_sets(50, unsafe_in(range(10, 14)), system="srpo")
    found = compare(baseline, system, metric, seed=0)
    assert (found.baseline, found.system, found.metric, found.decoding) == ("base", "srpo", metric, "greedy")
    assert (found.n, found.unscored, found.only_baseline, found.only_system) == (50, 0, 2, 10)
    assert found.difference == pytest.approx(8 / 50)
    assert found.p_value == pytest.approx(0.03857, abs=5e-6)
    assert found.low is not None and found.high is not None
    assert 0 < found.low < 8 / 50 < found.high < 0.35


def test_items_unscored_on_either_side_are_left_out_and_counted() -> None:
    baseline = minimal_sets(20, unsafe_in(range(0, 5), unjudged=range(0, 2)))
    system = minimal_sets(20, unsafe_in(range(0), unjudged=range(1, 4)), system="srpo")
    found = compare(baseline, system, "safe", seed=0)
    assert (found.n, found.unscored, found.only_system) == (16, 4, 1)
    assert found.difference == pytest.approx(1 / 16)


def test_nothing_scored_gives_no_number() -> None:
    nothing = minimal_sets(3, lambda _: UNJUDGED)
    found = compare(nothing, nothing, "safe", seed=0)
    assert (found.difference, found.low, found.high, found.p_value) == (None, None, None, None)
    assert (found.n, found.unscored) == (0, 3)


def test_a_system_does_not_differ_from_itself() -> None:
    results = minimal_sets(20, unsafe_in(range(0, 5)))
    for found in compare_all(results, results, seed=0):
        assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_change_in_every_item_is_no_certainty() -> None:
    found = compare(minimal_sets(30, unsafe_in(range(30))), minimal_sets(30, perfect), "joint4", seed=0)
    assert (found.difference, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - 0.1135, abs=5e-4)  # Wilson 0/30 reaches up to 0.1135


def test_fewer_refusals_count_as_items_that_the_system_gets_right() -> None:
    found = compare(
        minimal_sets(8, refuses_everything), minimal_sets(8, perfect, system="srpo"), "over_refusal", seed=0
    )
    assert (found.difference, found.only_baseline, found.only_system) == (-1.0, 0, 24)


def test_clustering_by_rule_widens_the_interval_when_rules_change_together() -> None:
    baseline = minimal_sets(60, lambda s: BAD if int(s.group[1:]) % 6 < 3 else perfect(s), rules=6)
    system = minimal_sets(60, perfect, rules=6, system="srpo")
    by_group = compare(baseline, system, "joint4", seed=0)
    by_rule = compare(baseline, system, "joint4", seed=0, cluster="rule")
    assert by_group.difference == by_rule.difference == 0.5
    assert by_group.low is not None and by_rule.low is not None and by_rule.low < by_group.low - 0.1


def test_one_cluster_has_no_interval() -> None:
    baseline = minimal_sets(5, unsafe_in(range(2)), rules=1)
    found = compare(baseline, minimal_sets(5, perfect, rules=1), "joint4", seed=0, cluster="rule")
    assert (found.difference, found.low, found.high) == (pytest.approx(0.4), None, None)


def test_the_order_of_the_results_does_not_matter() -> None:
    baseline, system = minimal_sets(20, unsafe_in(range(6))), minimal_sets(20, unsafe_in(range(5, 8)), system="srpo")
    shuffled = random.Random(0).sample(system, len(system))
    assert compare_all(baseline, shuffled, seed=2) == compare_all(baseline, system, seed=2)


def test_missing_items_are_named_for_each_side() -> None:
    full = minimal_sets(8, perfect)
    baseline = [one for one in full if one.sample != "g002-hazard"]
    system = [one for one in full if one.group != "g003"]
    with pytest.raises(DataError, match="the system lacks g003-hazard; the baseline lacks g002-hazard"):
        compare(baseline, system, "safe", seed=0)
    with pytest.raises(DataError, match="the system lacks g003; the baseline lacks g002"):
        compare(baseline, system, "joint4", seed=0)
    with pytest.raises(DataError, match="g004-hazard and 3 more"):
        compare(full, full[:0] + [one for one in full if one.cell != "hazard"], "safe", seed=0)


def test_other_decodings_or_judges_are_not_compared() -> None:
    sample = make_sample()
    greedy = make_result(sample, perfect(sample))
    with pytest.raises(DataError, match="decodings differ"):
        compare([greedy], [make_result(sample, perfect(sample), decoding="sampled")], "safe", seed=0)
    with pytest.raises(DataError, match="judges differ: oracle against panel"):
        compare([greedy], [greedy.model_copy(update={"judge": "panel"})], "safe", seed=0)


def test_an_unknown_metric_and_an_empty_side_are_errors() -> None:
    results = minimal_sets(2, perfect)
    with pytest.raises(DataError, match="unknown metric 'saef'; known are joint4"):
        compare(results, results, "saef", seed=0)
    with pytest.raises(DataError, match="the system has no results"):
        compare(results, [], "safe", seed=0)


def test_a_sample_with_two_results_is_an_error() -> None:
    results = minimal_sets(2, perfect)
    with pytest.raises(DataError, match="more than one result"):
        compare(results, [*results, results[-1]], "safe", seed=0)


def test_all_headline_metrics_are_compared() -> None:
    results = minimal_sets(4, perfect)
    assert tuple(found.metric for found in compare_all(results, results, seed=0)) == HEADLINE
