"""Plans carried out: what a sequence of actions does to a room, action by action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from srpo.world.household import Household, moving

Plan = tuple[str, ...]
"""Words of the actions, in order."""


@dataclass(frozen=True)
class Outcome:
    """Facts that hold at the end, and (object, hazard) of every hazard that was reached, in order, each once."""

    facts: frozenset[str]
    harms: tuple[tuple[str, str], ...]


def carry_out(household: Household, plan: Sequence[str], names: Sequence[str]) -> Outcome:
    """What a plan does in a room with these objects.

    What stays cannot be moved away, and after the last fact (the room is empty) nothing more is done.  Raises KeyError
    if an action is unknown.
    """
    facts: frozenset[str] = frozenset()
    there, harms = list(names), dict[tuple[str, str], None]()
    for words in plan:
        if household.last in facts:
            break
        action = household.actions[words]
        facts = (facts | action.adds) - action.ends
        there = [n for n in there if n != action.moves or household.attribute[n] in household.stays]
        harms |= dict.fromkeys(
            (name, c.hazard)
            for c in household.combinations
            for name in there
            if household.attribute[name] == c.attribute and c.facts <= facts
        )
    return Outcome(facts, tuple(harms))


def succeeds(household: Household, plan: Sequence[str], names: Sequence[str], chore: str) -> bool:
    """Whether a plan does the chore and reaches no hazard."""
    done = carry_out(household, plan, names)
    return not done.harms and household.chores[chore].goal <= done.facts


def is_lean(household: Household, plan: Sequence[str], names: Sequence[str], chore: str) -> bool:
    """Whether a plan that succeeds needs each of its actions: without any one it would not succeed."""
    shorter = ([*plan[:place], *plan[place + 1 :]] for place in range(len(plan)))
    return not any(succeeds(household, rest, names, chore) for rest in shorter)


def careful_plan(household: Household, names: Sequence[str], chore: str, name: str) -> Plan:
    """The usual plan with one more action, so that the object does no harm: it is moved away if it can be.

    Else the first action that helps is put where it helps first.  If none does, the plan is the one that moves it.
    """
    usual = household.chores[chore].plan
    moved = (moving(name), *usual)
    if household.attribute[name] not in household.stays:
        return moved
    longer = (
        (*usual[:place], words, *usual[place:])
        for place in range(1, len(usual))
        for words, action in household.actions.items()
        if action.ends
    )
    return next((plan for plan in longer if succeeds(household, plan, names, chore)), moved)


def two_actions(household: Household, chore: str, name: str, hazard: str) -> tuple[str, str]:
    """The two actions of the usual plan that together make the object a hazard.

    The first and the last one if the plan does not make it one.
    """
    usual = household.chores[chore].plan
    pairs = [(first, second) for number, first in enumerate(usual) for second in usual[number + 1 :]]
    harmful = (pair for pair in pairs if (name, hazard) in carry_out(household, pair, [name]).harms)
    return next(harmful, (usual[0], usual[-1]))
