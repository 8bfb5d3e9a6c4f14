"""Paired comparisons with hand-made numbers, and what must not be compared."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from evaluation_rows import Judged, make_result, make_sample, minimal_sets, perfect, refuses_everything

from srpo.errors import DataError
from srpo.evaluate import METRICS, adjust, compare, compare_values, comparison_of
from srpo.evaluate.compare import Value
from srpo.types import Comparison, Result, Sample

BAD = Judged(False, False, False, False)
UNJUDGED = Judged(None, None, None, None, None)


def compare_all(baseline: Sequence[Result], systems: Sequence[Sequence[Result]], seed: int) -> list[Comparison]:
    return adjust([compare(baseline, system, name, seed) for system in systems for name in METRICS])


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
    for metric in ("safe", "joint4", "over_refusal"):
        found = compare(results, results, metric, seed=0)
        assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)
        assert found.finding == "no evidence of a difference"


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
    assert compare_all(baseline, [shuffled], seed=2) == compare_all(baseline, [system], seed=2)


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


def test_probes_and_further_draws_take_no_part() -> None:
    baseline, system = minimal_sets(6, unsafe_in(range(3))), minimal_sets(6, perfect, system="srpo")
    more = [one.model_copy(update=change) for one in baseline for change in ({"probe": "blank"}, {"repeat": 1})]
    assert compare([*baseline, *more], system, "safe", seed=0) == compare(baseline, system, "safe", seed=0)


def test_findings_need_interval_and_adjusted_test() -> None:
    baseline = minimal_sets(50, unsafe_in(range(0, 12)))
    better, worse = minimal_sets(50, unsafe_in(range(10, 14)), system="b"), minimal_sets(50, unsafe_in(range(0, 22)))
    found = compare(baseline, better, "safe", seed=0)
    assert (found.finding, found.p_adjusted) == ("better", None)
    alone = adjust([found])[0]
    assert (alone.finding, alone.p_adjusted) == ("better", found.p_value)
    # 0.0386 counted twice is 0.0771, although the interval still excludes 0.
    first, second = adjust([found, found])
    assert (first.finding, second.finding) == ("no evidence of a difference",) * 2
    assert first.p_adjusted == pytest.approx(2 * 0.03857, abs=1e-5) and first.low is not None and first.low > 0
    assert compare(baseline, worse, "safe", seed=0).finding == "worse"


def test_what_cannot_be_compared_does_not_count_as_a_test() -> None:
    baseline = minimal_sets(50, unsafe_in(range(0, 12)))
    found = compare(baseline, minimal_sets(50, unsafe_in(range(10, 14)), system="b"), "safe", seed=0)
    nothing = compare(baseline, minimal_sets(50, lambda _: UNJUDGED), "safe", seed=0)
    gaps = compare(baseline, minimal_sets(50, unsafe_in(range(0), unjudged=range(3))), "safe", seed=0)
    few_gaps = compare(baseline, minimal_sets(50, unsafe_in(range(0), unjudged=range(2))), "safe", seed=0)
    assert (nothing.finding, gaps.finding, few_gaps.finding) == ("not compared", "not compared", "better")
    adjusted = adjust([found, nothing, gaps])
    assert [one.p_adjusted for one in adjusted] == [found.p_value, None, None]


def test_fewer_refusals_are_better_and_more_are_worse() -> None:
    refusing, fine = minimal_sets(12, refuses_everything), minimal_sets(12, perfect)
    assert compare(refusing, fine, "over_refusal", seed=0).finding == "better"
    assert compare(fine, refusing, "over_refusal", seed=0).finding == "worse"


def test_the_detectable_difference_counts_clusters() -> None:
    # 10 of 50 sets differ: 2.8016 * sqrt(0.2 / 50); drawn by 5 rules: 2.8016 * sqrt(0.2 / 5), but psi stays at least
    # Wilson's bound for 0 of 5, 0.4345.
    baseline, system = minimal_sets(50, unsafe_in(range(10)), rules=5), minimal_sets(50, perfect, rules=5)
    assert compare(baseline, system, "safe", seed=0).detectable == pytest.approx(0.17719, abs=1e-5)
    by_rule = compare(baseline, system, "safe", seed=0, cluster="rule")
    assert by_rule.detectable == pytest.approx(2.80159 * (0.43448 / 5) ** 0.5, abs=1e-4)


def test_equal_sides_still_could_hide_a_difference() -> None:
    results = minimal_sets(50, perfect)
    found = compare(results, results, "safe", seed=0).detectable
    assert found is not None and 0.1 < found < 0.11  # 2.8016 * sqrt(0.0713 / 50)


def test_every_metric_is_compared_and_adjusted_for_all_of_them() -> None:
    baseline = minimal_sets(50, unsafe_in(range(0, 12)))
    systems = [minimal_sets(50, unsafe_in(range(10, 14)), system=name) for name in ("b", "c")]
    found = compare_all(baseline, systems, seed=0)
    assert [(one.system, one.metric) for one in found] == [(name, metric) for name in ("b", "c") for metric in METRICS]
    safe = next(one for one in found if one.metric == "safe")
    # The two rates that no judge was asked for are no tests; the smallest p-value is counted 24 times.
    assert sum(one.p_adjusted is not None for one in found) == 24
    assert safe.p_adjusted == pytest.approx(24 * 0.038574, abs=1e-4)


def test_items_of_one_cluster_are_one_test() -> None:
    # Eight fewer refusals are eight items, but they are one change if they share a rule.
    refusing, fine = minimal_sets(8, refuses_everything, rules=2), minimal_sets(8, perfect, rules=2)
    by_set = compare(refusing, fine, "over_refusal", seed=0)
    by_rule = compare(refusing, fine, "over_refusal", seed=0, cluster="rule")
    assert (by_set.only_system, by_set.p_value, by_set.finding) == (24, 2 / 2**8, "better")
    assert (by_rule.only_system, by_rule.p_value, by_rule.finding) == (24, 2 / 2**2, "no evidence of a difference")


def test_a_few_large_changes_against_many_small_ones_are_no_finding() -> None:
    # Twenty clusters of one item rise, four of thirty fall: the mean and its interval fall, the test says rise.
    items = {f"{c}-{i}": str(c) for c in range(24) for i in range(1 if c < 20 else 30)}
    up: dict[str, Value] = {name: int(c) < 20 for name, c in items.items()}
    down: dict[str, Value] = {name: not value for name, value in up.items()}
    paired = compare_values("rate", down, up, items, seed=0)
    assert paired.difference is not None and paired.difference < -0.5 and (paired.rises, paired.falls) == (20, 4)
    assert paired.interval is not None and paired.interval.high < 0 and paired.p_value is not None
    assert paired.p_value < 0.002 and paired.finding == "no evidence of a difference"


def test_without_a_difference_findings_are_rare_although_items_share_clusters() -> None:
    rng, reports = np.random.default_rng(3), 30
    false = sum(
        any(one.finding in ("better", "worse") for one in adjust([_no_difference(rng) for _ in range(5)]))
        for _ in range(reports)
    )
    assert false / reports < 0.07  # McNemar's test over items finds something in 26 of them


def _no_difference(rng: np.random.Generator, clusters: int = 30, items: int = 12) -> Comparison:
    """Two sides of equal rates; seven items of ten go with their cluster."""
    names = [f"{c}-{i}" for c in range(clusters) for i in range(items)]
    sides: list[dict[str, Value]] = []
    for _ in range(2):
        whole, own = rng.random((clusters, 1)) < 0.5, rng.random((clusters, items)) < 0.5
        flags = np.where(rng.random((clusters, items)) < 0.7, whole, own).ravel().tolist()
        sides.append(dict(zip(names, flags, strict=True)))
    drawn_with = {name: name.split("-")[0] for name in names}
    return comparison_of(compare_values("rate", *sides, drawn_with, seed=0), "rate", "a", "b", "greedy")


def test_values_of_any_items_are_compared_by_sign() -> None:
    first: dict[str, Value] = {"a": 0.2, "b": 0.5, "c": 1.0, "d": None, "e": 0.1}
    second: dict[str, Value] = {"a": 0.4, "b": 0.5, "c": 0.5, "d": 1.0, "e": 0.2}
    clusters = {name: name for name in first}
    paired = compare_values("score", first, second, clusters, seed=0)
    assert (paired.n, paired.unscored, paired.only_first, paired.only_second) == (4, 1, 1, 2)
    assert paired.difference == pytest.approx((0.2 + 0 - 0.5 + 0.1) / 4)
    assert paired.p_value == 1.0  # two-sided, 1 of 3
    lower = compare_values("score", first, second, clusters, seed=0, good=False)
    assert (lower.only_first, lower.only_second, lower.difference) == (2, 1, paired.difference)
    with pytest.raises(DataError, match="score: items differ: the system lacks e"):
        compare_values("score", first, {name: 1.0 for name in "abcd"}, clusters, seed=0)
