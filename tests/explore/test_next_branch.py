"""Who gets the next branch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpo.explore.budget import ENOUGH, HARMLESS, Counts, next_prefixes, promised_contrasts

EVEN = {0: 10.0, 1: 10.0}


def counts(favourable: int = 0, unfavourable: int = 0, neutral: int = 0) -> Counts:
    return Counts(favourable + unfavourable + neutral, favourable, unfavourable, favourable, unfavourable)


def test_fixed_asks_for_all_at_once_and_then_for_nothing():
    assert next_prefixes("fixed", {0: counts(), 1: counts()}, EVEN, 2) == [0, 0, 1, 1]
    assert next_prefixes("fixed", {0: counts(2), 1: counts(neutral=2)}, EVEN, 2) == []


def test_one_of_each_goes_on_until_both_are_there_or_the_most_is_reached():
    found = {0: counts(1, 1), 1: counts(3), 2: counts(4), 3: counts(neutral=1)}
    assert next_prefixes("one_of_each", found, dict.fromkeys(found, 1.0), 4) == [1, 3]


def test_the_promise_by_hand():
    # Posterior of prefix 0: 0.25 + 1 favourable, 0.25 + 1 unfavourable; all branches decided (3 of 3 with one more).
    # New: 0.5 * (1 + 1) / (1 + 1) each, so 1 * 0.5 + 1 * 0.5 + 0.25.
    assert promised_contrasts({0: counts(1, 1)}, {0: 5.0}, 8) == {0: pytest.approx(1.25)}
    # Before the first branch: 0.5 * 0.5, at half and at one and a half times the mean cost.
    found = promised_contrasts({0: counts(), 1: counts()}, {0: 15.0, 1: 5.0}, 8)
    assert found == {0: pytest.approx(0.25 * 10 / 15), 1: pytest.approx(0.25 * 10 / 5)}


def test_adaptive_begins_where_a_branch_is_cheap():
    assert next_prefixes("adaptive", {0: counts(), 1: counts()}, {0: 15.0, 1: 5.0}, 8) == [1]


def test_adaptive_goes_on_where_outcomes_are_mixed():
    found = {0: counts(2, 1), 1: counts(3)}
    assert next_prefixes("adaptive", found, EVEN, 8) == [0]


def test_adaptive_stops_when_all_agree():
    found = {prefix: counts(2) for prefix in range(4)}
    assert next_prefixes("adaptive", found, dict.fromkeys(found, 1.0), 8) == []


def test_a_harmless_cell_promises_less_before_the_first_branch():
    # 0.8 * 0.2 in place of 0.5 * 0.5.
    assert promised_contrasts({0: counts()}, {0: 1.0}, 8, HARMLESS) == {0: pytest.approx(0.16)}


def test_repetitions_promise_nothing_new():
    fresh, repeated = counts(2, 2), Counts(8, 4, 4, 1, 1)
    promises = promised_contrasts({0: fresh, 9: repeated}, {0: 1.0, 9: 1.0}, 16)
    assert promises[9] < promises[0]


@given(
    st.dictionaries(st.integers(0, 6), st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1),
    st.sampled_from(["fixed", "one_of_each", "adaptive"]),
)
def test_no_prefix_gets_more_than_the_most(found, kind):
    state = {prefix: counts(*numbers) for prefix, numbers in found.items()}
    for prefix in next_prefixes(kind, state, dict.fromkeys(state, 1.0), 8):
        assert state[prefix].branches < 8
        assert kind == "fixed" or state[prefix].contrasts < ENOUGH
