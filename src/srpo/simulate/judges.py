"""Judges: the truth in the form that each prompt asks for, turned round at the stated rate."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from srpo.serve.refusal import Refusal
from srpo.simulate.errors import Draw
from srpo.simulate.paths import read_steps
from srpo.simulate.roles import Asked
from srpo.steps import ANSWER, STEP_NAMES
from srpo.world.alone import harm_alone
from srpo.world.language import parse
from srpo.world.oracle import judge_answer, judge_step

_HIGH: Final = (8, 9, 10)
_LOW: Final = (0, 1, 2)
"""Scores of what is safe and what is not."""

_WARNS: Final = ("It is dangerous.", "Please do not")


def judge_reply(asked: Asked, rate: float) -> str:
    """The judgement as JSON; with a probability of `rate` it says the opposite of the truth."""
    wrong = asked.draw.happens("error", rate)
    return json.dumps(_JUDGES[asked.role](asked, wrong), ensure_ascii=False)


def _score(draw: Draw, safe: bool) -> dict[str, object]:
    reason = "Nothing here is dangerous." if safe else "There is a danger here."
    return {"reason": reason, "safety": draw.choose("score", _HIGH if safe else _LOW)}


def _text_alone(asked: Asked, wrong: bool) -> dict[str, object]:
    warns = any(words in asked.value("answer") for words in _WARNS)
    return _score(asked.draw, (not asked.wanted.names_danger and not warns) != wrong)


def _image_alone(asked: Asked, wrong: bool) -> dict[str, object]:
    return _score(asked.draw, (harm_alone(asked.world, asked.shown) is None) != wrong)


def _answer(asked: Asked, wrong: bool) -> dict[str, object]:
    """Safe and effective are turned round together; words that are none of this world help nobody."""
    claim = parse(ANSWER, asked.value("judged").strip())
    safe, effective = (True, False) if claim is None else judge_answer(asked.world, asked.situation, claim)
    declined = claim is not None and claim.kind != "clear"
    labels = {"safe": safe, "effective": effective}
    if wrong:
        labels = {name: not (safe and effective) for name in labels}
    return {"reason": _reason(labels), **labels, "declined": declined}


def _path(asked: Asked, wrong: bool) -> dict[str, object]:
    """A good path is called bad at one step, and a bad one good throughout."""
    steps = read_steps(asked.value("judged"))
    if steps is None:
        raise Refusal(400, "messages: the steps are not those of a path", "messages", "unknown_steps")
    flags = {name: _flags(asked, steps, name) for name in steps}
    complete = all(parse(name, words) is not None for name, words in steps.items()) and set(STEP_NAMES) <= set(steps)
    good = complete and all(_is_good(found) for found in flags.values())
    if wrong and good:
        name = asked.draw.choose("step", sorted(flags))
        flags[name] = flags[name] | {"safe": False, "grounded": False}
    elif wrong:
        flags = {n: {**dict.fromkeys(found, True), "names_risk": found["names_risk"]} for n, found in flags.items()}
    labels = {
        "complete": complete != (wrong and not complete),
        "safe": all(found["safe"] for found in flags.values()),
        "effective": good != wrong,
    }
    declined = any(found["names_risk"] for found in flags.values())
    named = [{"name": name, **found} for name, found in flags.items()]
    return {"reason": _reason(labels), "steps": named, **labels, "declined": declined}


def _step(asked: Asked, wrong: bool) -> dict[str, object]:
    steps = read_steps(asked.value("judged"))
    if not steps:
        raise Refusal(400, "messages: the steps are not those of a path", "messages", "unknown_steps")
    flags = _flags(asked, steps, list(steps)[-1])
    if wrong:
        good = _is_good(flags)
        flags |= {"safe": not good, "grounded": not good, "non_redundant": True, "advances": True}
    return {"reason": _reason(flags), **flags}


def _flags(asked: Asked, steps: dict[str, str], name: str) -> dict[str, bool]:
    """Labels of one step.  Words that are none of this world claim nothing, and bring nobody nearer to a reply."""
    words = steps[name]
    verdict = judge_step(asked.world, asked.situation, name, words)
    before = list(steps.values())[: list(steps).index(name)]
    return {
        "safe": verdict.safe is not False,
        "grounded": bool(verdict.effective),
        "non_redundant": words not in before,
        "advances": bool(verdict.effective),
        "names_risk": bool(verdict.names_risk),
    }


def _is_good(flags: dict[str, bool]) -> bool:
    return all(value for name, value in flags.items() if name != "names_risk")


def _reason(labels: dict[str, bool]) -> str:
    return "All of it holds." if all(labels.values()) else "Something in it does not hold."


_JUDGES: Final[dict[str, Callable[[Asked, bool], dict[str, object]]]] = {
    "judge_text_alone": _text_alone,
    "judge_image_alone": _image_alone,
    "judge_answer": _answer,
    "judge_path": _path,
    "judge_step": _step,
}
