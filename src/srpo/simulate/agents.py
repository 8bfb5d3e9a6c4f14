"""Agents that propose: requests, reasoning, counterparts, helpful replies.  What is right, and how it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from srpo.simulate.errors import Possible
from srpo.simulate.roles import Asked
from srpo.steps import ANSWER, STEP_NAMES, body
from srpo.types import CATEGORIES
from srpo.world.alone import harm_alone
from srpo.world.domain import load_domain
from srpo.world.knowledge import Hazard, World
from srpo.world.language import STEPS_WITH_RISK, compose, enumerate_objects, facts, say
from srpo.world.pool import caption
from srpo.world.scenes import Situation
from srpo.world.wishes import dangerous_ask, read_wish

GENERIC: Final = "This calls for some thought."
"""Words of a step that leaves out what it is for."""

_NOTHING: Final = {
    "reason": "Nothing that is shown makes an ordinary request dangerous.",
    "found": False,
    "hypothesis": "",
    "category": "",
    "question": "",
    "safe_reply": "",
    "unsafe_reply": "",
}


def query(asked: Asked) -> Possible:
    """An unsafe event of the picture, with a request that was not proposed before."""
    world, scene, draw = asked.world, asked.shown, asked.draw
    known = {wish.trigger for line in asked.value("known").splitlines() if (wish := read_wish(line))}
    risky = {trigger for trigger in world.triggers if world.hazards_of(scene.names, trigger)}
    tame = draw.choose("tame", sorted(set(world.triggers) - risky))
    invented = lambda: _query_of(asked, tame, "")  # noqa: E731  # one line of several alike
    left = sorted(risky - known)
    if not left:
        return Possible(_NOTHING, {"harmless": invented})
    trigger = draw.choose("trigger", left)
    return Possible(
        _query_of(asked, trigger, ""),
        {
            "harmless": invented,
            "category": lambda: _query_of(asked, trigger, "category"),
            "names_danger": lambda: _query_of(asked, trigger, "names_danger"),
            "overlooks": lambda: _query_of(asked, trigger, "overlooks"),
        },
    )


def _query_of(asked: Asked, trigger: str, wrong: str) -> dict[str, object]:
    """A proposal for a request; of a picture without the hazard it is an invention."""
    world, scene, draw = asked.world, asked.shown, asked.draw
    situation = Situation(scene, trigger, draw.choose("ask", range(len(world.triggers[trigger].asks))))
    hazards = world.hazards_of(scene.names, trigger)
    slots, hazard = _event(world, situation, next(iter(hazards), None), asked)
    category = hazard.category
    if wrong == "category":
        category = draw.choose("category", [slug for slug in CATEGORIES if slug != category])
    careless = say(ANSWER, "clear", slots)
    ask = world.triggers[trigger].asks[situation.ask]
    return {
        "reason": f"With the {slots['object']}, {slots['doing']} could lead to {slots['hazard']}.",
        "found": True,
        "hypothesis": f"{hazard.name}: {hazard.consequence}",
        "category": category if category in asked.value("categories") else CATEGORIES[category],
        "question": dangerous_ask(world, trigger) if wrong == "names_danger" else ask,
        "safe_reply": careless if wrong == "overlooks" else say(ANSWER, "risk", slots),
        "unsafe_reply": careless,
    }


def _event(world: World, situation: Situation, key: str | None, asked: Asked) -> tuple[dict[str, str], Hazard]:
    """Words for all slots and the hazard; without a key object both are invented, always alike for a request."""
    slots = facts(world, situation, key)
    if key is not None:
        hazards = world.hazards_of(situation.scene.names, situation.trigger)
        return slots, world.hazards[hazards[key]]
    of_trigger = sorted({rule.hazard for rule in world.rules if rule.trigger == situation.trigger})
    hazard = world.hazards[asked.draw.choose("invented hazard", of_trigger)]
    slots |= {"object": asked.draw.choose("invented object", situation.scene.names), "hazard": hazard.name}
    slots |= {"category": CATEGORIES[hazard.category], "consequence": hazard.consequence}
    return slots, hazard


def reasoning(asked: Asked) -> Possible:
    """The six steps that a careful model writes."""
    world, situation = asked.world, asked.situation
    right = steps_of(world, situation)
    risky = bool(world.hazards_of(situation.scene.names, situation.trigger))
    wrong: dict[str, Callable[[], object]] = {
        "repeats": lambda: _repeated(asked, right),
        "generic": lambda: right | {asked.draw.choose("step", STEP_NAMES): GENERIC},
        "object": lambda: right | {"visual": _wrong_visual(asked)},
        "denies" if risky else "invents": lambda: _turned(asked, risky),
    }
    return Possible(right, wrong)


def steps_of(world: World, situation: Situation) -> dict[str, str]:
    """Slug -> words of the reference path, without the reply."""
    reference = load_domain(world.domain).reference_path(situation)
    return {str(step.name): body(step) for step in reference.steps if step.name != ANSWER}


def _repeated(asked: Asked, right: dict[str, str]) -> dict[str, str]:
    """One step says what another before it has said."""
    place = asked.draw.choose("step", range(1, len(STEP_NAMES)))
    return right | {STEP_NAMES[place]: right[STEP_NAMES[place - 1]]}


def _wrong_visual(asked: Asked) -> str:
    """The picture with an object that is not there."""
    names = list(asked.shown.names)
    place = asked.draw.choose("object", range(len(names)))
    names[place] = asked.draw.choose("absent", [name for name in asked.world.objects if name not in names])
    return say("visual", "scene", {"objects": enumerate_objects(tuple(names))})


def _turned(asked: Asked, risky: bool) -> dict[str, str]:
    """The path of a model that denies a risk, or invents one."""
    slots, _ = _event(asked.world, asked.situation, None, asked)
    path = compose(slots, {step: "clear" if risky else "risk" for step in STEPS_WITH_RISK})
    return {str(step.name): body(step) for step in path.steps if step.name != ANSWER}


def counterpart(asked: Asked) -> Possible:
    """Another request that is harmless with the picture, and a picture with which the request is."""
    world, scene, draw = asked.world, asked.shown, asked.draw
    risky = [t for t in world.triggers if t != asked.wanted.trigger and world.hazards_of(scene.names, t)]
    tame = sorted(set(world.triggers) - set(risky) - {asked.wanted.trigger})
    # As frequent as hazards are, so that a request alone does not tell whether it is one.
    weights = [sum(rule.trigger == trigger for rule in world.rules) for trigger in tame]
    key = next(iter(world.hazards_of(scene.names, asked.wanted.trigger)), scene.names[0])
    others = [n for n in world.objects if n not in scene.names and world.attribute[n] is None]
    other_caption = caption(world, scene.swap(key, draw.choose("other", others)))

    def proposed(question: str) -> dict[str, str]:
        return {"reason": "It keeps the wish near.", "question": question, "caption": other_caption}

    def ask(trigger: str) -> str:
        return draw.choose("ask", world.triggers[trigger].asks)

    trigger = draw.choose("trigger", tame, weights)
    hazard = ask(draw.choose("risky", risky)) if risky else dangerous_ask(world, trigger)
    return Possible(proposed(ask(trigger)), {"hazard": lambda: proposed(hazard)})


def benign(asked: Asked) -> Possible:
    """Whether the request is harmless with the picture, and a reply that helps."""
    world, situation = asked.world, asked.situation
    risky = bool(world.hazards_of(situation.scene.names, situation.trigger)) or asked.wanted.names_danger
    helps = say(ANSWER, "clear", facts(world, situation, None))
    yes = {"reason": "It should go well.", "harmless": True, "reply": helps}
    no = {"reason": "Somebody could come to harm.", "harmless": False, "reply": ""}
    if risky:
        return Possible(no, {"overlooks": lambda: yes})

    def warned() -> dict[str, object]:
        slots, _ = _event(world, situation, None, asked)
        return {**yes, "reply": say(ANSWER, "risk", slots)}

    return Possible(yes, {"alarm": lambda: no, "invents": warned})


def describe(asked: Asked) -> Possible:
    """What the picture shows, and what harm it shows by itself."""
    words = caption(asked.world, asked.shown)
    harm = harm_alone(asked.world, asked.shown)
    alarming = f"{words} Look out: {harm.consequence if harm else 'Somebody could come to harm.'}"
    right, wrong = (alarming, words) if harm else (words, alarming)
    return Possible(right, {"wrong": lambda: wrong})


def text_only(asked: Asked) -> Possible:
    """A reply to the request alone; a wrong one helps with something else, or with what it should warn of."""
    world, trigger = asked.world, asked.world.triggers[asked.wanted.trigger]
    helps = f"Sure! {trigger.tip}"
    if asked.wanted.names_danger:
        return Possible(f"Please do not {trigger.do}. It is dangerous.", {"helps": lambda: helps})
    other = asked.draw.choose("other", sorted(set(world.triggers) - {asked.wanted.trigger}))
    return Possible(helps, {"other": lambda: f"Sure! {world.triggers[other].tip}"})
