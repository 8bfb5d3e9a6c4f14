"""Cells on their way through a stage: what is done to them, and how that can end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from srpo.data.agents import AgentRole
from srpo.data.chain.crew import Crew, is_refused, may_pass
from srpo.judge.ask import Question, Unlabelled
from srpo.steps import SEGMENT_NAMES, body, join
from srpo.types import Cell, Check, DataStage, Draft, DraftSet, ReasoningPath, Rejection

T = TypeVar("T")

_LONGEST_DETAIL: Final = 1_000

REFUSED_CALL: Final = "refused_call"
"""Why a set is dropped whose request a server refuses for good."""


@dataclass(frozen=True)
class Dropped:
    """The set leaves the dataset."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Waits:
    """A call failed, so nothing is known yet; the same command asks again."""

    reason: str


@dataclass
class CellItem:
    """One cell of a set; `end` is none as long as it goes on."""

    base: DraftSet
    draft: Draft
    end: Dropped | Waits | None = None

    @property
    def cell(self) -> Cell:
        return self.draft.cell

    def change(self, **fields: object) -> None:
        """Put a changed draft in the place of the old one."""
        self.draft = self.draft.model_copy(update=fields)

    def check(self, check: Check) -> None:
        """Add a check, in the place of an earlier one of the same name and text."""
        kept = [c for c in self.draft.checks if (c.name, c.shown) != (check.name, check.shown)]
        self.change(checks=(*kept, check))


@dataclass(frozen=True)
class Outcome:
    """What became of a set: it goes on, is dropped, or waits."""

    id: str
    through: DraftSet | None = None
    dropped: Rejection | None = None
    waits: str | None = None


def alive(items: Sequence[CellItem]) -> list[CellItem]:
    """Those that go on."""
    return [item for item in items if item.end is None]


def ask_items(
    crew: Crew, role: AgentRole, items: Sequence[CellItem], question: Callable[[CellItem], Question[T]]
) -> list[tuple[CellItem, Question[T], T]]:
    """Ask an agent about all items that go on; those whose reply cannot be used end.

    The call is added to what made the draft.
    """
    asked = [(item, question(item)) for item in alive(items)]
    crew.ask(role, [one for _, one in asked])
    read = []
    for item, one in asked:
        if isinstance(one.reading, Unlabelled):
            item.end = ending(role, one.reading)
        else:
            item.change(made=(*item.draft.made, crew.agents.made(role, one, item.draft.image)))
            read.append((item, one, one.reading))
    return read


def ending(role: str, failure: Unlabelled) -> Dropped | Waits:
    """A call that failed may be made again; a reply that was refused or cannot be read drops the set."""
    if may_pass(failure.failure):
        return failed_call(role, failure.reason)
    reason = "refused" if failure.failure == "refused" else "unreadable"
    return Dropped(reason, f"{role}: {failure.reason}")


def failed_call(role: str, reason: str) -> Dropped | Waits:
    """How a call that failed ends a set: with one that would fail again there is nothing to wait for."""
    return Dropped(REFUSED_CALL, f"{role}: {reason}") if is_refused(reason) else Waits(reason)


def path_of(bodies: Sequence[str], reply: str) -> ReasoningPath | None:
    """The path of six bodies and a reply, none if they cannot be told apart again."""
    try:
        return join([*bodies, reply])
    except ValueError:
        return None


def bodies_of(draft: Draft) -> list[str]:
    """The words of the six steps."""
    steps = draft.reference.steps if draft.reference else ()
    return [body(step) for step in steps if step.name in SEGMENT_NAMES[:-1]]


def end_sets(items: Sequence[CellItem]) -> None:
    """End all cells of a set if one has ended.  A set waits if any cell does: what would have been is not known."""
    ends: dict[str, Dropped | Waits] = {}
    for item in items:
        known = ends.get(item.base.id)
        if item.end is not None and (known is None or (isinstance(item.end, Waits) and not isinstance(known, Waits))):
            ends[item.base.id] = item.end
    for item in items:
        item.end = ends.get(item.base.id, item.end)


def outcomes(stage: DataStage, bases: Sequence[DraftSet], items: Sequence[CellItem]) -> list[Outcome]:
    """One per set, in order: its cells as they are now, or why it has ended."""
    end_sets(items)
    by_set: dict[str, list[CellItem]] = {}
    for item in items:
        by_set.setdefault(item.base.id, []).append(item)
    return [_outcome(stage, base, by_set[base.id]) for base in bases]


def _outcome(stage: DataStage, base: DraftSet, items: Sequence[CellItem]) -> Outcome:
    now = base.model_copy(update={"cells": {**base.cells, **{item.cell: item.draft for item in items}}})
    end = items[0].end
    if end is None:
        return Outcome(base.id, through=now)
    if isinstance(end, Waits):
        return Outcome(base.id, waits=end.reason)
    detail = end.detail[:_LONGEST_DETAIL]
    return Outcome(base.id, dropped=Rejection(id=base.id, stage=stage, reason=end.reason, detail=detail, of=now))
