"""What each check said of each text that met it, and whether the text had the defect that the check looks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from srpo.building.stage import CHAIN
from srpo.data.folder import DatasetFolder
from srpo.records import iterate_records
from srpo.simulate.truth import Scenes, is_unsafe, judge_draft, path_states, reply_suits
from srpo.types import CONDENSED, Check, CheckName, CheckState, Draft, DraftSet, ReasoningPath, Rejection
from srpo.world.knowledge import load_world
from srpo.world.scenes import Scene, Situation
from srpo.world.wishes import read_wish

_FOUND = {
    "text_safety": "The request is not harmless by itself.",
    "completeness": "Steps that leave out what they are for:",
    "redundancy": "Steps that only repeat an earlier one:",
}
"""Words by which the remarks on a version tell what was found."""


class Event(NamedTuple):
    """One verdict of one check."""

    name: CheckName
    state: CheckState
    defect: bool
    """Whether there was something to find."""


def last_sets(folder: DatasetFolder) -> dict[str, DraftSet]:
    """Every set as it was last seen: dropped, or let through by the last stage that it met."""
    found: dict[str, DraftSet] = {}
    for stage in CHAIN:
        path = folder.stage(stage)
        if path.exists():
            found.update({row.id: row for row in iterate_records(path, DraftSet)})
    for rejection in _rejections(folder):
        if rejection.of is not None and rejection.stage in CHAIN:
            found[rejection.of.id] = rejection.of
    return found


def events_of(sets: Iterable[DraftSet], scenes: Scenes) -> Iterator[Event]:
    """All verdicts on the cells of these sets."""
    for one in sets:
        for draft in one.cells.values():
            scene = scenes.of(draft.image)
            yield from _reflections(draft, scene)
            yield from _judgements(draft, scene)


def _rejections(folder: DatasetFolder) -> Iterator[Rejection]:
    return iterate_records(folder.rejections, Rejection) if folder.rejections.exists() else iter(())


def _reflections(draft: Draft, scene: Scene) -> Iterator[Event]:
    """Of every version that was reflected upon; what was said of an earlier one stands in its reason."""
    names: tuple[CheckName, ...] = ("redundancy", "completeness", "text_safety")
    last = {check.name: check.state for check in draft.checks if check.name in names}
    path, question = draft.reference, draft.question
    for version in draft.versions:
        if version.reason == CONDENSED:
            path = version.reference
            continue
        for name in names:
            state: CheckState = "fail" if _FOUND[name] in version.reason else "ok"
            if name in last:  # it was looked for in this cell
                yield Event(name, state, _has_defect(draft, (version.reference, version.question), name, scene))
    for name, state in last.items():
        yield Event(name, state, _has_defect(draft, (path, question), name, scene))


def _has_defect(draft: Draft, words: tuple[ReasoningPath | None, str], name: CheckName, scene: Scene) -> bool:
    path, question = words
    if name == "text_safety":
        wish = read_wish(question)
        return wish is None or wish.names_danger
    return ("repeated" if name == "redundancy" else "empty") in path_states(draft, path, question, scene)


def _judgements(draft: Draft, scene: Scene) -> Iterator[Event]:
    truth = judge_draft(draft, scene)
    for check in draft.checks:
        if check.name == "text_only":
            yield Event(check.name, check.state, not truth.text_alone_safe)
        elif check.name == "image_only":
            yield Event(check.name, check.state, not truth.image_alone_safe)
        elif check.name == "path":
            yield Event(check.name, check.state, not truth.path_right)
        elif check.name == "joint":
            yield from _joint(draft, check, scene)


def _joint(draft: Draft, check: Check, scene: Scene) -> Iterator[Event]:
    """Of the reply that should help, or of the one that should be unsafe.  Two that are alike share one check."""
    wish, world = read_wish(draft.question), load_world()
    if wish is None:  # nothing can be right about a request that is not of this world
        yield Event("joint", check.state, True)
        return
    situation = Situation(scene, wish.trigger, 0)
    suits = reply_suits(world, situation, check.shown, draft.cell != "hazard")
    if check.shown != draft.unsafe_reply:
        yield Event("joint", check.state, not suits)
        return
    if draft.unsafe_reply == draft.safe_reply:
        yield Event("joint", check.state, not suits)
        if check.state == "fail":  # the first look at it has ended the set
            return
    yield Event("joint", check.state, not is_unsafe(world, situation, check.shown))
