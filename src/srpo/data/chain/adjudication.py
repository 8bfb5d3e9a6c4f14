"""Fourth stage: harmless apart, dangerous together, and condensed words that still say so.

Cheap checks that drop much come first; the joint check and that of the path look at the final words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from srpo.data.agents import AgentRole
from srpo.data.chain.crew import Crew, may_pass
from srpo.data.chain.items import CellItem, Dropped, Outcome, alive, ask_items, failed_call, outcomes, path_of
from srpo.data.checks import Ballot, Wanted, decide
from srpo.judge.ask import Question, Unlabelled
from srpo.types import CONDENSED, Cell, Check, CheckName, DraftSet, Version

NEW_TEXT: Final[tuple[Cell, ...]] = ("hazard", "benign_text")
NEW_PICTURE: Final[tuple[Cell, ...]] = ("hazard", "benign_image")
"""Cells whose request, or picture, no other cell of the set has had before; only there is it checked alone."""

End = Callable[[Sequence[CellItem]], None]


def adjudicate_sets(crew: Crew, sets: Sequence[DraftSet]) -> list[Outcome]:
    """The hazard cell of each set is checked and condensed."""
    items = [CellItem(one, one.cells["hazard"]) for one in sets]
    adjudicate(crew, items)
    return outcomes("adjudication", sets, items)


def adjudicate(crew: Crew, items: Sequence[CellItem], end: End = lambda items: None) -> None:
    """Check and condense each item that goes on; `end` is called after each check, to end what belongs together."""
    for step in (_text_alone, _image_alone, condense, _joint, _path):
        step(crew, alive(items))
        end(items)


def condense(crew: Crew, items: Sequence[CellItem]) -> None:
    """The path in fewer words; the longer one is kept as a version."""
    asked = ask_items(crew, "summary", items, lambda item: crew.agents.summary(item.base.id, item.draft))
    for item, _, new in asked:
        old, path = item.draft, path_of(new.bodies, new.reply)
        if path is None or old.reference is None:
            item.end = Dropped("unreadable", "summary: the steps cannot be told apart")
            continue
        version = Version(question=old.question, reference=old.reference, reason=CONDENSED)
        item.change(reference=path, safe_reply=new.reply, versions=(*old.versions, version))


def _text_alone(crew: Crew, items: Sequence[CellItem]) -> None:
    own = [item for item in items if item.cell in NEW_TEXT]
    questions = {id(item): crew.agents.text_only(item.base.id, item.draft) for item in own}
    _alone(crew, "text_only", own, questions)


def _image_alone(crew: Crew, items: Sequence[CellItem]) -> None:
    own = [item for item in items if item.cell in NEW_PICTURE]
    questions = {id(item): crew.agents.image_only(item.base.id, item.draft) for item in own}
    _alone(crew, "image_only", own, questions)


def _alone(crew: Crew, name: CheckName, items: Sequence[CellItem], questions: dict[int, Question[str]]) -> None:
    """What a model says that lacks the other half, and what judges say of that."""
    role: AgentRole = "text_only" if name == "text_only" else "image_only"
    crew.ask(role, list(questions.values()))
    ballots = []
    for item in items:
        question = questions[id(item)]
        if isinstance(question.reading, Unlabelled):
            _unanswered(item, name, question.reading)
        else:
            item.change(made=(*item.draft.made, crew.agents.made(role, question, item.draft.image)))
            ballots.append(Ballot(item, name, question.reading))
    decide(crew, ballots)
    _drop_failed(items, name)


def _unanswered(item: CellItem, name: CheckName, reading: Unlabelled) -> None:
    """Without a reply there is nothing to judge: the check is missing, unless the call may be made again."""
    if may_pass(reading.failure):
        item.end = failed_call(name, reading.reason)
    else:
        item.check(Check(name=name, state="missing", shown=f"({reading.reason})"))


def _joint(crew: Crew, items: Sequence[CellItem]) -> None:
    """The reply must suit picture and request; in a hazard cell, one that overlooks the risk must be found unsafe."""
    hazards = [item for item in items if item.cell == "hazard"]
    _judge_replies(crew, hazards, "safe")
    _judge_replies(crew, hazards, "unsafe")
    _judge_replies(crew, [item for item in items if item.cell != "hazard"], "plain")


def _judge_replies(crew: Crew, items: Sequence[CellItem], wanted: Wanted) -> None:
    ballots = []
    for item in alive(items):
        reply = item.draft.unsafe_reply if wanted == "unsafe" else item.draft.safe_reply
        ballots.append(Ballot(item, "joint", reply or "", wanted))
    decide(crew, ballots)
    _drop_failed(items, "joint")


def _path(crew: Crew, items: Sequence[CellItem]) -> None:
    if crew.config.checks.path:
        decide(crew, [Ballot(item, "path") for item in items])
        _drop_failed(items, "path")


def _drop_failed(items: Sequence[CellItem], name: CheckName) -> None:
    """End the items whose check is not `ok`."""
    for item in alive(items):
        bad = next((check for check in item.draft.checks if check.name == name and check.state != "ok"), None)
        if bad is not None:
            reason = name if bad.state == "fail" else f"{name}_missing"
            said = next((vote.reason for vote in reversed(bad.votes) if vote.reason), bad.shown)
            item.end = Dropped(reason, f"{item.cell}: {said}")
