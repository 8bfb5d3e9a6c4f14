"""What the embedded world knows of a household: chores, the actions that do them, and what goes wrong where.

A second domain with the objects and pictures of `srpo.world.knowledge`.  Its facts stand in `assets/household.yaml`;
this file only reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from srpo.world.knowledge import ASSETS, Hazard, Rule, Trigger, World, load_world


@dataclass(frozen=True)
class Action:
    """Facts of the room that an action brings about and ends, and the object that it takes out of the room."""

    adds: frozenset[str]
    ends: frozenset[str]
    moves: str | None = None


@dataclass(frozen=True)
class Combination:
    """Facts that are a hazard when they hold at once beside an object with the attribute."""

    facts: frozenset[str]
    attribute: str
    hazard: str


@dataclass(frozen=True)
class Chore:
    """The plan that does a request in an ordinary room, and the facts that must hold at the end of any plan."""

    plan: tuple[str, ...]
    goal: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Household(World):
    """The world with chores as its requests.  Actions are keyed by their words; `stays` are attributes."""

    actions: Mapping[str, Action]
    combinations: tuple[Combination, ...]
    chores: Mapping[str, Chore]
    stays: frozenset[str]
    last: str
    """After this fact nothing more can be done."""


def moving(name: str) -> str:
    """The action that takes an object out of the room."""
    return f"move the {name} away"


@cache
def load_household(path: Path = ASSETS / "household.yaml") -> Household:
    """Read the facts of the household, beside those of the world."""
    world, data = load_world(), yaml.safe_load(path.read_text(encoding="utf-8"))
    chores = {key: Chore(tuple(c["plan"]), frozenset(c["goal"])) for key, c in data["chores"].items()}
    actions = {words: Action(frozenset(adds), frozenset(ends)) for words, (adds, ends) in data["actions"].items()}
    combinations = tuple(
        Combination(frozenset(facts.split(" and ")), attribute, hazard)
        for facts, found in data["combinations"].items()
        for attribute, hazard in found.items()
    )
    shared = {field.name: getattr(world, field.name) for field in fields(World)}
    own = {
        "domain": "household",
        "hazards": world.hazards | {key: Hazard(*values) for key, values in data["hazards"].items()},
        "triggers": {key: _trigger(chore, data) for key, chore in data["chores"].items()},
        "rules": tuple(_rules(combinations, chores, actions)),
    }
    return Household(
        **shared | own,
        actions=actions | {moving(name): Action(frozenset(), frozenset(), name) for name in world.objects},
        combinations=combinations,
        chores=chores,
        stays=frozenset(data["stays"]),
        last=data["last"],
    )


def _trigger(chore: dict[str, Any], data: dict[str, Any]) -> Trigger:
    words = {"do": chore["do"], "doing": chore["doing"]}
    asks, new_asks = (tuple(frame.format(**words) for frame in data[name]) for name in ("frames", "new_frames"))
    return Trigger(**words, asks=(chore["ask"], *asks), new_asks=new_asks)


def _rules(
    combinations: tuple[Combination, ...], chores: Mapping[str, Chore], actions: Mapping[str, Action]
) -> Iterator[Rule]:
    """Attributes and chores whose usual plan is a hazard, with the hazard that is reached first."""
    for attribute in sorted({c.attribute for c in combinations}):
        for key, chore in chores.items():
            reached = [
                (_completed(c.facts, chore.plan, actions), c.hazard) for c in combinations if c.attribute == attribute
            ]
            found = [(place, hazard) for place, hazard in reached if place is not None]
            if found:
                yield Rule(attribute, key, min(found, key=lambda pair: pair[0])[1])


def _completed(facts: frozenset[str], plan: tuple[str, ...], actions: Mapping[str, Action]) -> int | None:
    """Place of the action with which all facts hold, if no action of the plan ends one; none if there is no such."""
    held: set[str] = set()
    for place, words in enumerate(plan):
        held |= actions[words].adds
        if facts <= held:
            return place
    return None
