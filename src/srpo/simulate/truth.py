"""What is true of a draft, by the exact oracle: it knows the scene, and neither what the server drew nor who wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from srpo.errors import DataError
from srpo.pictures import picture_of
from srpo.simulate.agents import steps_of
from srpo.simulate.paths import states_of
from srpo.steps import ANSWER, STEP_NAMES, answer, body
from srpo.types import CATEGORIES, Draft, Edit, Image, ReasoningPath, Sample
from srpo.world.alone import harm_alone
from srpo.world.domain import load_domain
from srpo.world.knowledge import World, load_world
from srpo.world.language import parse
from srpo.world.oracle import judge_answer
from srpo.world.pool import PoolPicture, hash_picture, read_pool
from srpo.world.scenes import Scene, Situation
from srpo.world.wishes import read_wish


@dataclass(frozen=True)
class Truth:
    """What holds of one cell; what a cell does not have yet, or never has, counts as right."""

    text_alone_safe: bool
    """The request is of this world and names no danger."""
    image_alone_safe: bool
    as_labelled: bool
    """Picture and request are dangerous together exactly in the hazard cell."""
    category_right: bool
    path_right: bool
    """Every step says what is the case."""
    path_free_of_repeats: bool
    path_complete: bool
    """Every step says something of its own kind, or repeats another."""
    safe_reply_right: bool
    unsafe_reply_unsafe: bool

    @property
    def right(self) -> bool:
        """Whether the record may stay as it is."""
        return all(astuple(self))


class Scenes:
    """Scenes of picture files, by their pixels."""

    def __init__(self, pool: Path, folder: Path) -> None:
        """`folder` is the one from which the paths of pictures start.  Raises DataError if there is no pool."""
        self._pool, self._folder = pool, folder
        self._pictures: Mapping[str, PoolPicture] = read_pool(pool)
        self._found: dict[str, Scene] = {}

    def of(self, image: Image) -> Scene:
        """The scene of a picture.  Raises DataError if the pool does not have it."""
        if image.path not in self._found:
            path = self._folder / image.path
            try:
                key = hash_picture(path.read_bytes())
            except (OSError, SyntaxError) as error:
                raise DataError(f"{path}: cannot read the picture ({error})") from error
            if key not in self._pictures:
                raise DataError(f"{path}: is no picture of the pool {self._pool}; give the pool that it was built from")
            self._found[image.path] = self._pictures[key].scene
        return self._found[image.path]


def judge_draft(draft: Draft, scene: Scene) -> Truth:
    """The truth of a draft, as far as it has come."""
    wish, world = read_wish(draft.question), load_world()
    if wish is None:
        return Truth(False, harm_alone(world, scene) is None, *[False] * 7)
    situation = Situation(scene, wish.trigger, 0)
    hazards = world.hazards_of(scene.names, wish.trigger)
    categories = {world.hazards[hazard].category for hazard in hazards.values()}
    states = set(_states(world, situation, draft.reference).values())
    unsafe, plain = draft.unsafe_reply, draft.cell != "hazard"
    return Truth(
        text_alone_safe=not wish.names_danger,
        image_alone_safe=harm_alone(world, scene) is None,
        as_labelled=bool(hazards) == (draft.cell == "hazard"),
        category_right=draft.category in categories if draft.cell == "hazard" else draft.category is None,
        path_right=states <= {"right"},
        path_free_of_repeats="repeated" not in states,
        path_complete="empty" not in states,
        safe_reply_right=not draft.safe_reply or reply_suits(world, situation, draft.safe_reply, plain),
        unsafe_reply_unsafe=unsafe is None or is_unsafe(world, situation, unsafe),
    )


def judge_sample(sample: Sample, scene: Scene) -> Truth:
    """The truth of a finished sample."""
    draft = Draft(
        cell=sample.cell,
        source="",
        image=picture_of(sample),
        question=sample.question,
        category=sample.category,
        hypothesis=sample.hypothesis,
        safe_reply=answer(sample.reference) or "",
        unsafe_reply=sample.unsafe_reply,
        reference=sample.reference,
    )
    return judge_draft(draft, scene)


def reply_suits(world: World, situation: Situation, reply: str, plain: bool) -> bool:
    """Whether a reply is safe and helps; `plain`: also without turning anything down."""
    claim = parse(ANSWER, reply.strip())
    return claim is not None and all(judge_answer(world, situation, claim)) and not (plain and claim.kind != "clear")


def is_unsafe(world: World, situation: Situation, reply: str) -> bool:
    """Whether following a reply could bring harm."""
    claim = parse(ANSWER, reply.strip())
    return claim is not None and not judge_answer(world, situation, claim)[0]


def path_states(draft: Draft, path: ReasoningPath | None, question: str, scene: Scene) -> frozenset[str]:
    """Kinds of steps that a path of a draft has, under a request that it had then."""
    wish = read_wish(question)
    if wish is None:
        return frozenset({"empty"})
    return frozenset(_states(load_world(), Situation(scene, wish.trigger, 0), path).values())


def mending(sample: Sample, scene: Scene) -> Edit | None:
    """What would make a sample right, if words of its path or its category are all that is wrong; none otherwise."""
    truth, world = judge_sample(sample, scene), load_world()
    beyond = (truth.text_alone_safe, truth.image_alone_safe, truth.as_labelled, truth.unsafe_reply_unsafe)
    wish = read_wish(sample.question)
    if truth.right or wish is None or not all(beyond):
        return None
    situation = Situation(scene, wish.trigger, 0)
    right = steps_of(world, situation) | {ANSWER: answer(load_domain(world.domain).reference_path(situation)) or ""}
    states = _states(world, situation, sample.reference)
    steps = {name: right[name] for name in STEP_NAMES if states[name] != "right"}
    if not truth.safe_reply_right:
        steps[ANSWER] = right[ANSWER]
    hazard = next(iter(world.hazards_of(scene.names, wish.trigger).values()), None)
    category = world.hazards[hazard].category if hazard and not truth.category_right else None
    return Edit(category=category, steps=steps)


def spoiled(edit: Edit) -> Edit:
    """The same edit as somebody writes it who did not look well: still wrong, whatever it was."""
    steps = {name: f"{words} Or so." for name, words in edit.steps.items()}
    other = None if edit.category is None else next(slug for slug in CATEGORIES if slug != edit.category)
    return Edit(category=other, steps=steps)


def _states(world: World, situation: Situation, path: ReasoningPath | None) -> Mapping[str, str]:
    """Of the six steps; nothing if there is no path yet."""
    if path is None:
        return {}
    steps = {step.name: body(step) for step in path.steps if step.name in STEP_NAMES}
    return states_of(world, situation, {str(name): words for name, words in steps.items()})
