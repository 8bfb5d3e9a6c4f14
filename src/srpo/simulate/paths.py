"""Steps of a path against the scene: right, wrong, a repetition, or words that say nothing of this world."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from srpo.steps import STEP_NAMES, body
from srpo.types import Step
from srpo.world.knowledge import World
from srpo.world.language import parse
from srpo.world.oracle import judge_step
from srpo.world.scenes import Situation

State = Literal["right", "wrong", "repeated", "empty"]
"""`empty`: the step leaves out what it is for."""

_FIRST_NAME = re.compile(r"\[[a-z_]+ ([0-9a-f]{16})\]\n")


def read_steps(text: str) -> dict[str, str] | None:
    """Name -> words of the steps as `srpo.judge.show` renders them; none if the text is something else."""
    first = _FIRST_NAME.match(text)
    if first is None:
        return None
    parts = re.split(rf"^\[([a-z_]+) {first[1]}\]\n", text, flags=re.MULTILINE)
    names = parts[1::2]
    # A judge is shown the markers too.
    words = [body(Step(name=name, text=part.strip())) for name, part in zip(names, parts[2::2], strict=True)]
    return dict(zip(names, words, strict=True)) if len(set(names)) == len(names) else None


def state_of(world: World, situation: Situation, steps: Mapping[str, str], name: str) -> State:
    """How a step is, in the light of those before it."""
    words = steps[name]
    if parse(name, words) is None:
        before = [steps[other] for other in STEP_NAMES[: STEP_NAMES.index(name)] if other in steps]
        return "repeated" if words in before else "empty"
    return "right" if judge_step(world, situation, name, words).effective else "wrong"


def states_of(world: World, situation: Situation, steps: Mapping[str, str]) -> dict[str, State]:
    """Name -> state of all six steps; one that is not there is `empty`."""
    return {name: state_of(world, situation, steps, name) if name in steps else "empty" for name in STEP_NAMES}
