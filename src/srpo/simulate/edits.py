"""Agents that work on a path: reflection, rewriting, summary."""

from __future__ import annotations

from collections.abc import Callable

from srpo.serve.refusal import Refusal
from srpo.simulate.agents import GENERIC, steps_of
from srpo.simulate.errors import Possible
from srpo.simulate.paths import read_steps, states_of
from srpo.simulate.roles import Asked
from srpo.steps import STEP_NAMES


def reflection(asked: Asked) -> Possible:
    """Steps that repeat others or leave out what they are for, and whether the request is harmless alone."""
    states = states_of(asked.world, asked.situation, steps_in(asked))
    redundant = [name for name, state in states.items() if state == "repeated"]
    incomplete = [name for name, state in states.items() if state == "empty"]
    safe = not asked.wanted.names_danger

    def found(redundant: list[str], incomplete: list[str], safe: bool) -> dict[str, object]:
        reason = "Something is to be mended." if redundant or incomplete or not safe else "All is in place."
        return {"reason": reason, "redundant": redundant, "incomplete": incomplete, "text_safe": safe}

    any_step = asked.draw.choose("step", STEP_NAMES)
    if redundant or incomplete or not safe:
        wrong: dict[str, Callable[[], object]] = {"misses": lambda: found([], [], True)}
    else:
        wrong = {
            "redundant": lambda: found([any_step], [], True),
            "incomplete": lambda: found([], [any_step], True),
            "text": lambda: found([], [], False),
        }
    return Possible(found(redundant, incomplete, safe), wrong)


def rewrite(asked: Asked) -> Possible:
    """The steps with those mended that say nothing of their own, and a request that names no danger."""
    steps, right = steps_in(asked), steps_of(asked.world, asked.situation)
    states = states_of(asked.world, asked.situation, steps)
    mended = {n: right[n] if states[n] in ("repeated", "empty") else steps[n] for n in STEP_NAMES}
    question = asked.value("question")
    if asked.wanted.names_danger:
        question = asked.draw.choose("ask", asked.world.triggers[asked.wanted.trigger].asks)
    lost = asked.draw.choose("step", STEP_NAMES)
    wrong: dict[str, Callable[[], object]] = {"loses": lambda: {"question": question, **mended, lost: GENERIC}}
    return Possible({"question": question, **mended}, wrong)


def summary(asked: Asked) -> Possible:
    """The steps as they are: in this world there is nothing to leave out."""
    steps = steps_in(asked)
    missing = {name: GENERIC for name in STEP_NAMES if name not in steps}
    kept = {**steps, **missing, "reply": asked.value("reply")}
    lost = asked.draw.choose("step", STEP_NAMES)
    return Possible(kept, {"loses": lambda: kept | {lost: GENERIC}})


def steps_in(asked: Asked) -> dict[str, str]:
    """The steps that the prompt shows.  Raises Refusal if they cannot be told apart."""
    steps = read_steps(asked.value("steps"))
    if steps is None or not set(steps) <= set(STEP_NAMES):
        raise Refusal(400, "messages: the steps are not those of a path", "messages", "unknown_steps")
    return steps
