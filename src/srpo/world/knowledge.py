"""What the embedded world knows: objects, requests, and the rules by which they become a hazard.

The facts stand in `assets/world.yaml`; this file only reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import yaml

from srpo.records import content_id

ASSETS = Path(__file__).parent / "assets"

DomainName = Literal["requests", "household"]
"""Kinds of request: single wishes, or chores that take a plan of several actions."""

HELD_OUT_RULES = 0.4
"""Share of an attribute's rules that alignment never sees (rounded down per attribute)."""

DEVELOPMENT_RULES = 14
"""Held-out rules that a development split may use; the others are for testing."""

HELD_OUT_COMBINATIONS = 5
"""One in so many (object, trigger) combinations of the other rules is kept from alignment."""


@dataclass(frozen=True)
class Hazard:
    """A kind of harm: its noun phrase, SSUI category slug, and what could happen in one sentence."""

    name: str
    category: str
    consequence: str


@dataclass(frozen=True)
class Trigger:
    """A request that is harmless by itself, in several phrasings, with a tip and a safer alternative.

    A chore of the household has neither: plans take their place.
    """

    do: str
    doing: str
    asks: tuple[str, ...]
    tip: str = ""
    instead: str = ""
    new_asks: tuple[str, ...] = ()
    """Phrasings for tests of a shift in wording; nothing else draws them."""

    def ask(self, number: int) -> str:
        """A phrasing by its number; new ones follow the others."""
        return (*self.asks, *self.new_asks)[number]


@dataclass(frozen=True)
class Rule:
    """An attribute of an object and a trigger that together mean a hazard."""

    attribute: str
    trigger: str
    hazard: str

    @property
    def id(self) -> str:
        return f"{self.attribute}:{self.trigger}"


@dataclass(frozen=True)
class World:
    """All facts.  `attribute` is none for neutral objects."""

    attribute: dict[str, str | None]
    icons: dict[str, str]
    hazards: dict[str, Hazard]
    triggers: dict[str, Trigger]
    rules: tuple[Rule, ...]
    domain: DomainName = "requests"

    @cached_property
    def _hazard_of(self) -> dict[tuple[str | None, str], str]:
        return {(rule.attribute, rule.trigger): rule.hazard for rule in self.rules}

    @cached_property
    def objects(self) -> tuple[str, ...]:
        """All object names in alphabetical order: the order of the sprite sheet."""
        return tuple(sorted(self.attribute))

    def objects_with(self, attribute: str) -> tuple[str, ...]:
        """Objects that have the attribute."""
        return tuple(name for name in self.objects if self.attribute[name] == attribute)

    def hazard(self, name: str, trigger: str) -> str | None:
        """The hazard that the object and the trigger mean together, or none."""
        return self._hazard_of.get((self.attribute[name], trigger))

    def hazards_of(self, names: tuple[str, ...], trigger: str) -> dict[str, str]:
        """Object -> hazard for every object of a scene that is a hazard under the trigger."""
        found = {name: self.hazard(name, trigger) for name in names}
        return {name: hazard for name, hazard in found.items() if hazard is not None}

    @cached_property
    def held_out_rules(self) -> frozenset[str]:
        """Rules that no alignment sample shows.  The base model did see them in pretraining, with the others."""
        held: set[str] = set()
        for attribute in sorted({rule.attribute for rule in self.rules}):
            own = sorted((r.id for r in self.rules if r.attribute == attribute), key=lambda i: content_id("rule", i))
            held.update(own[: int(len(own) * HELD_OUT_RULES)])
        return frozenset(held)

    @cached_property
    def development_rules(self) -> frozenset[str]:
        """The held-out rules on which settings may be chosen."""
        return frozenset(sorted(self.held_out_rules, key=lambda i: content_id("development", i))[:DEVELOPMENT_RULES])

    def held_out_combination(self, name: str, trigger: str) -> bool:
        """True if the (object, trigger) pair is kept from alignment; never for every object of a rule."""
        attribute = self.attribute[name]
        if attribute is None or self.hazard(name, trigger) is None:
            return False
        siblings = sorted(self.objects_with(attribute), key=lambda n: content_id("combination", n, trigger))
        drawn = int(content_id("combination", name, trigger), 16) % HELD_OUT_COMBINATIONS == 0
        return drawn and name != siblings[-1]


@cache
def load_world(path: Path = ASSETS / "world.yaml") -> World:
    """Read the facts of the embedded world."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    named = [(name, icon, kind) for kind, objects in data["attributes"].items() for name, icon in objects.items()]
    named += [(name, icon, None) for name, icon in data["neutral"].items()]
    frames, new_frames = data["frames"], data["new_frames"]
    triggers = {
        key: Trigger(
            do=t["do"],
            doing=t["doing"],
            asks=(*t["asks"], *(frame.format(do=t["do"]) for frame in frames)),
            tip=t["tip"],
            instead=t["instead"],
            new_asks=tuple(frame.format(do=t["do"], doing=t["doing"]) for frame in new_frames),
        )
        for key, t in data["triggers"].items()
    }
    return World(
        attribute={name: kind for name, _, kind in named},
        icons={name: icon for name, icon, _ in named},
        hazards={key: Hazard(*values) for key, values in data["hazards"].items()},
        triggers=triggers,
        rules=tuple(Rule(a, t, h) for a, found in data["rules"].items() for t, h in found.items()),
    )
