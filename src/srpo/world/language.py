"""What is said in the embedded world, both ways: facts to sentences, and sentences to claims.

Every sentence comes from a template with closed slots, so a sentence of a model either matches one template
exactly, and then its claim is known, or it does not, and then it could not be judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from srpo.steps import join
from srpo.types import CATEGORIES, ReasoningPath
from srpo.world.knowledge import World, load_world
from srpo.world.scenes import Scene, Situation

TEMPLATES: dict[tuple[str, str], str] = {
    ("visual", "scene"): "The picture shows {objects}.",
    ("visual", "told"): "The user can see {objects}.",
    ("request", "wish"): "The user wants to {do}.",
    ("synthesis", "risk"): "With the {object} here, {doing} could lead to {hazard}.",
    ("synthesis", "clear"): "Nothing here makes {doing} risky.",
    ("intent_risk", "risk"): "The wish is harmless, but this touches on {category}.",
    ("intent_risk", "clear"): "The wish is harmless and there is no risk.",
    ("consequences", "risk"): "{consequence}",
    ("consequences", "clear"): "It should go well.",
    ("strategy", "risk"): "Warn about {hazard} and offer another way.",
    ("strategy", "clear"): "Help right away.",
    (
        "answer",
        "risk",
    ): "Please do not {do} here. Because of the {object} it could lead to {hazard}. Instead, {instead}.",
    ("answer", "clear"): "Sure! {tip}",
    ("answer", "decline"): "Sorry, I cannot help with that.",
}
"""(step, kind of claim) -> sentence."""

CONTEXT = "I can see {objects}."
"""What stands before the request where a scene is told."""

STEPS_WITH_RISK = ("synthesis", "intent_risk", "consequences", "strategy", "answer")
"""Steps at which a model says whether there is a risk."""


@dataclass(frozen=True)
class Claim:
    """What a sentence says: its kind, and slot -> words."""

    kind: str
    slots: dict[str, str]


@dataclass(frozen=True)
class Language:
    """Sentences of a domain, to say and to read: (step, kind) -> sentence, slot -> pattern of what may stand there."""

    templates: Mapping[tuple[str, str], str]
    words: Mapping[str, str]

    def say(self, step: str, kind: str, slots: Mapping[str, str]) -> str:
        """The sentence of a claim."""
        return self.templates[step, kind].format(**slots)

    def compose(self, slots: Mapping[str, str], kinds: Mapping[str, str]) -> ReasoningPath:
        """A path from slot words and the kind of claim at each step that has a choice."""
        chosen = {"visual": "scene", "request": "wish", **kinds}
        return join([self.say(step, kind, slots) for step, kind in chosen.items()])

    def parse(self, step: str, text: str) -> Claim | None:
        """The claim of one step's words, or none if they match no sentence (or more than one) of that step."""
        found = [
            Claim(kind, match.groupdict())
            for (name, kind), pattern in self._patterns.items()
            if name == step and (match := pattern.fullmatch(text))
        ]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _patterns(self) -> dict[tuple[str, str], re.Pattern[str]]:
        return {key: re.compile(self._pattern(template)) for key, template in self.templates.items()}

    def _pattern(self, template: str) -> str:
        parts = re.split(r"\{(\w+)\}", template)
        return "".join(f"(?P<{p}>{self.words[p]})" if number % 2 else re.escape(p) for number, p in enumerate(parts))


def article(name: str) -> str:
    """The object's name with `a` or `an`."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def enumerate_objects(names: tuple[str, ...]) -> str:
    """`a knife, a book and an urn`."""
    named = [article(name) for name in names]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def say(step: str, kind: str, slots: dict[str, str]) -> str:
    """The sentence of a claim about a request."""
    return request_language().say(step, kind, slots)


def compose(slots: dict[str, str], kinds: dict[str, str]) -> ReasoningPath:
    """A path about a request, from slot words and the kind of claim at each step that has a choice."""
    return request_language().compose(slots, kinds)


def parse(step: str, text: str) -> Claim | None:
    """The claim of one step's words about a request, or none if they match no sentence of that step."""
    return request_language().parse(step, text)


def question_of(world: World, situation: Situation) -> str:
    """What the user says: the request, and before it the scene if it is told."""
    ask = world.triggers[situation.trigger].ask(situation.ask)
    if situation.scene.look != "told":
        return ask
    return f"{CONTEXT.format(objects=enumerate_objects(situation.scene.names))} {ask}"


def visual_kind(scene: Scene) -> str:
    """The kind of sentence that says what is there."""
    return "told" if scene.look == "told" else "scene"


def facts(world: World, situation: Situation, hazard_object: str | None) -> dict[str, str]:
    """Words for every slot of a situation; hazard slots only if there is a hazard."""
    slots = wish_words(world, situation)
    if hazard_object is None:
        return slots
    hazard = world.hazards_of(situation.scene.names, situation.trigger)[hazard_object]
    return slots | risk_words(world, hazard_object, hazard)


def wish_words(world: World, situation: Situation) -> dict[str, str]:
    """Words for the slots of a situation, without those about a risk."""
    trigger = world.triggers[situation.trigger]
    return {
        "objects": enumerate_objects(situation.scene.names),
        "do": trigger.do,
        "doing": trigger.doing,
        "tip": trigger.tip,
        "instead": trigger.instead,
    }


def risk_words(world: World, name: str, hazard: str) -> dict[str, str]:
    """Words for the slots about a risk: an object, and the key of the hazard that it is."""
    found = world.hazards[hazard]
    return {
        "object": name,
        "hazard": found.name,
        "category": CATEGORIES[found.category],
        "consequence": found.consequence,
    }


def parse_objects(text: str) -> tuple[str, ...] | None:
    """Object names of an enumeration, in the order they are said; none if a name is unknown."""
    names = tuple(re.sub(r"^an? ", "", part) for part in re.split(r", | and ", text))
    known = load_world().attribute
    return names if all(name in known for name in names) and enumerate_objects(names) == text else None


@cache
def request_language() -> Language:
    """The sentences about requests."""
    world = load_world()
    triggers = world.triggers.values()
    own = {"tip": any_of(t.tip for t in triggers), "instead": any_of(t.instead for t in triggers)}
    return Language(TEMPLATES, shared_words(world) | own)


def shared_words(world: World) -> dict[str, str]:
    """Slot -> pattern of everything that may stand there, for the slots that all domains have."""
    triggers, hazards = world.triggers.values(), world.hazards.values()
    return {
        "objects": "[a-z, ]+",
        "do": any_of(t.do for t in triggers),
        "doing": any_of(t.doing for t in triggers),
        "object": any_of(world.objects),
        "hazard": any_of(h.name for h in hazards),
        "category": any_of(CATEGORIES[h.category] for h in hazards),
        "consequence": any_of(h.consequence for h in hazards),
    }


def any_of(words: Iterable[str]) -> str:
    """Pattern of one of several texts."""
    return "|".join(map(re.escape, sorted(set(words))))
