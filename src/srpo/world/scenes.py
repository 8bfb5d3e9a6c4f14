"""Scenes and minimal sets of the embedded world.

A minimal set has four cells that share background, layout and bystander objects:

    hazard        picture I,  request T     the only cell that is jointly unsafe
    benign_image  picture I', request T     the key object swapped
    benign_text   picture I,  request T'    the request swapped
    benign_both   picture I', request T'
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from srpo.types import CELLS, Cell
from srpo.world.knowledge import DomainName, Rule, World

Look = Literal["plain", "shifted", "told"]
"""How a scene is shown: drawn as always, drawn in a way that no training has shown, or told in words."""

SLOTS = 4
"""Places in a picture, 2 x 2, in reading order."""


@dataclass(frozen=True)
class Scene:
    """Object names by slot (empty slots are absent), the seed of background and jitter, and the way of showing."""

    objects: tuple[tuple[int, str], ...]
    style: int
    look: Look = "plain"

    @property
    def names(self) -> tuple[str, ...]:
        """Object names in reading order."""
        return tuple(name for _, name in sorted(self.objects))

    def swap(self, old: str, new: str) -> Scene:
        """The same scene with one object replaced."""
        return replace(self, objects=tuple((slot, new if name == old else name) for slot, name in self.objects))


@dataclass(frozen=True)
class Situation:
    """A scene and a request: `trigger` is its meaning, `ask` the number of its phrasing."""

    scene: Scene
    trigger: str
    ask: int
    domain: DomainName = "requests"

    def as_dict(self) -> dict[str, object]:
        """The truth as it is stored in a sample."""
        return {
            "objects": [[slot, name] for slot, name in self.scene.objects],
            "style": self.scene.style,
            "trigger": self.trigger,
            "ask": self.ask,
            **({} if self.scene.look == "plain" else {"look": self.scene.look}),
            **({} if self.domain == "requests" else {"domain": self.domain}),
        }


def situation_from(data: dict[str, object]) -> Situation:
    """Inverse of `Situation.as_dict`.  Raises KeyError, TypeError or ValueError on other data."""
    objects = data["objects"]
    if not isinstance(objects, Sequence):
        raise TypeError("objects is not a list")
    looks = [look for look in get_args(Look) if look == data.get("look", "plain")]
    domains = [domain for domain in get_args(DomainName) if domain == data.get("domain", "requests")]
    if not looks or not domains:
        raise ValueError(f"{'domain' if looks else 'look'} is none that the world knows")
    scene = Scene(tuple((int(slot), str(name)) for slot, name in objects), int(str(data["style"])), looks[0])
    return Situation(scene, str(data["trigger"]), int(str(data["ask"])), domains[0])


@dataclass(frozen=True)
class MinimalSet:
    """Four situations, one per cell; `key` is the first object in reading order that makes the hazard cell one."""

    rule: Rule
    key: str
    cells: dict[Cell, Situation]


def draw_set(world: World, rule: Rule, key: str, rng: random.Random) -> MinimalSet:
    """Draw the four cells around one rule and one object that has its attribute."""
    other_trigger = rng.choice([t for t in world.triggers if t != rule.trigger and world.hazard(key, t) is None])
    pair = (rule.trigger, other_trigger)
    safe = [n for n in world.objects if n != key and all(world.hazard(n, t) is None for t in pair)]
    swapped, *bystanders = rng.sample(safe, 1 + rng.choice((1, 1, 2)))
    scene = place([key, *bystanders], 1, rng)
    return minimal_set(world, (rule, key), (scene, scene.swap(key, swapped)), other_trigger, rng)


def minimal_set(
    world: World, around: tuple[Rule, str], scenes: tuple[Scene, Scene], other_trigger: str, rng: random.Random
) -> MinimalSet:
    """The four cells of a rule and its key: a scene and its harmless swap under two requests; draws the phrasings."""
    rule, key = around
    triggers = (rule.trigger, other_trigger)
    request, other = ((trigger, rng.randrange(len(world.triggers[trigger].asks))) for trigger in triggers)
    scene, swapped = scenes
    situations = [(scene, request), (swapped, request), (scene, other), (swapped, other)]
    cells = {cell: Situation(s, *r, world.domain) for cell, (s, r) in zip(CELLS, situations, strict=True)}
    return MinimalSet(rule=rule, key=key, cells=cells)


def place(names: list[str], keys: int, rng: random.Random) -> Scene:
    """The objects in slots drawn by `rng`; the first `keys` of them keep their order of reading."""
    slots = rng.sample(range(SLOTS), len(names))
    slots[:keys] = sorted(slots[:keys])
    return Scene(tuple(sorted(zip(slots, names, strict=True))), rng.getrandbits(32))


def with_look(situation: Situation, look: Look) -> Situation:
    """The same situation, shown in another way."""
    return replace(situation, scene=replace(situation.scene, look=look))


def tell_set(drawn: MinimalSet) -> MinimalSet:
    """The same set, told in words."""
    return replace(drawn, cells={cell: with_look(s, "told") for cell, s in drawn.cells.items()})


def shift_set(world: World, drawn: MinimalSet, split: str, asks: random.Random) -> MinimalSet:
    """The same set in another look (`test_style`) or in phrasings drawn by `asks` (`test_words`)."""
    if split == "test_style":
        return replace(drawn, cells={cell: with_look(s, "shifted") for cell, s in drawn.cells.items()})
    triggers = {s.trigger: world.triggers[s.trigger] for s in drawn.cells.values()}
    new = {name: len(t.asks) + asks.randrange(len(t.new_asks)) for name, t in triggers.items()}
    return replace(drawn, cells={cell: replace(s, ask=new[s.trigger]) for cell, s in drawn.cells.items()})
