"""Chores of the household: their facts, and plans carried out."""

from __future__ import annotations

from itertools import permutations

import pytest

from srpo.world.household import load_household, moving
from srpo.world.knowledge import load_world
from srpo.world.plans import careful_plan, carry_out, is_lean, succeeds, two_actions

HOUSE = load_household()
RULES = [(rule, name) for rule in HOUSE.rules for name in HOUSE.objects_with(rule.attribute)]


def test_there_are_rules_enough_and_a_third_is_held_out():
    assert len(HOUSE.rules) >= 40 and 12 <= len(HOUSE.triggers) <= 16
    assert 0.3 <= len(HOUSE.held_out_rules) / len(HOUSE.rules) <= 0.4
    assert {rule.trigger for rule in HOUSE.rules} == set(HOUSE.triggers)
    assert {len(trigger.asks) for trigger in HOUSE.triggers.values()} == {4}
    assert HOUSE.objects == load_world().objects


def test_no_action_is_dangerous_by_itself():
    assert {words for words in HOUSE.actions if carry_out(HOUSE, [words], HOUSE.objects).harms} == set()


def test_the_usual_plan_is_a_hazard_exactly_where_a_rule_says_so():
    for key, chore in HOUSE.chores.items():
        found = carry_out(HOUSE, chore.plan, HOUSE.objects).harms
        assert dict(found) == HOUSE.hazards_of(HOUSE.objects, key) and len(found) == len(dict(found))


def test_the_usual_plan_does_its_chore_and_needs_every_action():
    for key, chore in HOUSE.chores.items():
        assert succeeds(HOUSE, chore.plan, [], key) and is_lean(HOUSE, chore.plan, [], key)


def test_every_hazard_has_a_careful_plan_without_needless_actions():
    for rule, name in RULES:
        plan = careful_plan(HOUSE, [name], rule.trigger, name)
        assert succeeds(HOUSE, plan, [name], rule.trigger) and is_lean(HOUSE, plan, [name], rule.trigger)
        assert (moving(name) in plan) == (rule.attribute not in HOUSE.stays)
        assert (name, rule.hazard) in carry_out(
            HOUSE, two_actions(HOUSE, rule.trigger, name, rule.hazard), [name]
        ).harms


def test_no_plan_is_right_both_with_a_hazard_and_without():
    """Every way to do a chore in a harmless room without a needless action is a hazard where the rule says so."""
    plans = [
        plan for length in (1, 2, 3) for plan in permutations([w for w, a in HOUSE.actions.items() if a.adds], length)
    ]
    for key in HOUSE.chores:
        lean = [plan for plan in plans if succeeds(HOUSE, plan, [], key) and is_lean(HOUSE, plan, [], key)]
        assert lean
        for rule in HOUSE.rules:
            if rule.trigger == key:
                name = HOUSE.objects_with(rule.attribute)[0]
                assert not [plan for plan in lean if succeeds(HOUSE, plan, [name], key)]


@pytest.mark.parametrize(
    ("plan", "facts", "harms"),
    [
        (["open the window", "leave the room"], {"fresh", "draughty", "empty"}, [("candle", "blaze")]),
        (["leave the room", "open the window"], {"empty"}, []),
        (["open the window", "close the window", "leave the room"], {"fresh", "empty"}, []),
        (["move the candle away", "open the window", "leave the room"], {"fresh", "draughty", "empty"}, []),
        (
            ["move the book away", "open the window", "leave the room"],
            {"fresh", "draughty", "empty"},
            [("candle", "blaze")],
        ),
        (["mop the floor", "move the plug away", "leave the room"], {"clean", "wet", "empty"}, [("plug", "shock")]),
        ([], set(), []),
    ],
)
def test_plans_are_carried_out_action_by_action(plan, facts, harms):
    done = carry_out(HOUSE, plan, ["candle", "plug", "book"])
    assert (done.facts, done.harms) == (facts, tuple(harms))


def test_an_unknown_action_is_an_error():
    with pytest.raises(KeyError, match="sing"):
        carry_out(HOUSE, ["sing"], [])
