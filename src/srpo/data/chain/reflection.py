"""Third stage: steps that only repeat, steps that are missing, a request that gives itself away; and rewriting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from srpo.data.chain.crew import Crew
from srpo.data.chain.items import CellItem, Dropped, Outcome, ask_items, outcomes, path_of
from srpo.data.parse import Reflection, Rewrite
from srpo.types import Cell, Check, CheckName, DraftSet, Version, Vote

NEW_QUESTION: Final[tuple[Cell, ...]] = ("hazard", "benign_text")
"""Cells whose request no other cell has had before; only there is it looked at."""


def reflect_sets(crew: Crew, sets: Sequence[DraftSet]) -> list[Outcome]:
    """The hazard cell of each set is checked, and rewritten where it fails."""
    items = [CellItem(one, one.cells["hazard"]) for one in sets]
    reflect(crew, items)
    return outcomes("reflection", sets, items)


def reflect(crew: Crew, items: Sequence[CellItem]) -> None:
    """Check the steps of each item that goes on; rewrite those that fail a bounded number of times, then drop them.

    Requests change in hazard cells only: those of the others belong to the set.
    """
    left = list(items)
    for attempt in range(crew.config.checks.rewrites + 1):
        asked = ask_items(crew, "reflection", left, lambda item: crew.agents.reflection(item.base.id, item.draft))
        remarks: dict[int, str] = {}
        for item, question, found in asked:
            for check in _checks(item, found, question.raw):
                item.check(check)
            failed = _failed(item)
            why = _remarks(found, failed)
            if failed and (attempt == crew.config.checks.rewrites or not _can_be_mended(item, failed)):
                item.end = Dropped(failed[0], f"{item.cell}, rewritten {len(item.draft.versions)} times: {why}")
            elif failed:
                remarks[id(item)] = why
        left = [item for item in left if id(item) in remarks]
        _rewrite(crew, left, remarks)


def _checks(item: CellItem, found: Reflection, raw: str | None) -> list[Check]:
    """What the reflection says, as checks with one vote each."""
    said: list[tuple[CheckName, bool]] = [("redundancy", not found.redundant), ("completeness", not found.incomplete)]
    if item.cell in NEW_QUESTION:
        said.append(("text_safety", found.text_safe))
    judge = item.draft.made[-1].model
    return [
        Check(
            name=name,
            state="ok" if ok else "fail",
            votes=(Vote(judge=judge, ok=ok, reason=found.reason, raw=raw),),
        )
        for name, ok in said
    ]


def _failed(item: CellItem) -> list[CheckName]:
    """A request that gives itself away weighs more than a step."""
    order: tuple[CheckName, ...] = ("text_safety", "completeness", "redundancy")
    failing = {check.name for check in item.draft.checks if check.state != "ok"}
    return [name for name in order if name in failing]


def _can_be_mended(item: CellItem, failed: Sequence[CheckName]) -> bool:
    return item.cell == "hazard" or "text_safety" not in failed


def _remarks(found: Reflection, failed: Sequence[CheckName]) -> str:
    words = []
    if "text_safety" in failed:
        words.append("The request is not harmless by itself.")
    if "completeness" in failed:
        words.append(f"Steps that leave out what they are for: {', '.join(found.incomplete)}.")
    if "redundancy" in failed:
        words.append(f"Steps that only repeat an earlier one: {', '.join(found.redundant)}.")
    return "\n".join([*words, f"In the words of who checked it: {found.reason}"])


def _rewrite(crew: Crew, items: Sequence[CellItem], remarks: dict[int, str]) -> None:
    """Put a new version in the place of each draft, and keep the old one."""
    asked = ask_items(
        crew, "rewrite", items, lambda item: crew.agents.rewrite(item.base.id, item.draft, remarks[id(item)])
    )
    for item, _, new in asked:
        _put(item, new, remarks[id(item)])


def _put(item: CellItem, new: Rewrite, why: str) -> None:
    old, path = item.draft, path_of(new.bodies, item.draft.safe_reply)
    if path is None or old.reference is None:
        item.end = Dropped("unreadable", "rewrite: the steps cannot be told apart")
        return
    version = Version(question=old.question, reference=old.reference, reason=why)
    question = new.question if item.cell == "hazard" else old.question
    item.change(reference=path, question=question, versions=(*old.versions, version))
