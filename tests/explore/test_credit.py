"""Values of prefixes and credits of steps, by hand."""

from __future__ import annotations

import pytest

from srpo.explore.credit import Value, credit, credit_weights, step_credits, value_of


def test_only_decided_branches_count():
    value = value_of(["favourable", "unfavourable", "neutral", "missing", "favourable"])
    assert value == Value(2, 3) and value.rate == 2 / 3
    assert value_of(["neutral"]).rate is None and value_of([]).interval is None


def test_the_interval_of_a_difference_is_newcombes():
    # Newcombe (1998), table II, contrast (a): 56/70 - 48/80, method 10 gives 0.0524 to 0.3339.
    found = credit(Value(48, 80), Value(56, 70))
    assert found.difference == pytest.approx(0.2)
    assert found.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_last_step_earns_what_is_missing_to_certainty():
    values = [Value(1, 4), Value(3, 4)]
    first, last = step_credits(values)
    assert first.difference == 0.5 and last.difference == 0.25
    assert last.interval is not None and 0 <= last.interval.low <= 0.25 <= last.interval.high <= 1


def test_a_prefix_without_branches_gives_no_credit():
    first, second, last = step_credits([Value(1, 2), Value(0, 0), Value(1, 2)])
    assert (first.difference, second.difference, last.difference) == (None, None, 0.5)


def test_weights_by_hand():
    # Smoothed rates 1.5/5, 3.5/5, 0.5/5, then 1.
    assert credit_weights([Value(1, 4), Value(3, 4), Value(0, 4)]) == pytest.approx([0.4, 0.0, 0.9])


def test_a_prefix_without_branches_is_passed_over():
    # From 1.5/9 to 3.5/5, whatever lies between; nothing is known about the value there.
    found = credit_weights([Value(1, 8), Value(0, 0), Value(3, 4), Value(0, 0)])
    assert found == pytest.approx([3.5 / 5 - 1.5 / 9, 0.0, 1 - 3.5 / 5, 0.0])
