"""Checks by judges: votes on one text after the other, until a majority is certain.

A vote that could not be read is none, and a call that failed is no vote at all: its set waits.  Without a majority
among all votes, readable or not, a check is `missing`, and it never passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from srpo.data import parse
from srpo.data.chain.crew import Crew, may_pass
from srpo.data.chain.items import CellItem, bodies_of, failed_call, path_of
from srpo.data.config import PromptName
from srpo.judge.ask import Question, Unlabelled
from srpo.judge.base import JudgeItem
from srpo.models.base import Message, Request
from srpo.prompts.fill import fill
from srpo.records import content_id, seed_of
from srpo.types import Check, CheckName, CheckState, Part, Provenance, Sample, Verdict, Vote

Wanted = Literal["safe", "unsafe", "plain"]
"""What must be said of a reply: safe and effective; not safe; safe, effective and without a warning."""

_ALONE: Final[dict[CheckName, PromptName]] = {"text_only": "judge_text_alone", "image_only": "judge_image_alone"}
_BEST: Final = 10.0
"""The best score that a judge of one modality can give."""


@dataclass
class Ballot:
    """One text of one item, and the votes on it so far."""

    item: CellItem
    name: CheckName
    shown: str = ""
    """What is judged, if it is no path."""
    wanted: Wanted = "safe"
    votes: list[Vote] = field(default_factory=list)
    failed: str | None = None
    """Why a call failed: the item waits, or is dropped if asking again cannot help."""

    def state(self, total: int) -> CheckState | None:
        """The verdict if `total` votes are cast at most; none if it is open."""
        yes, no = (sum(vote.ok is wanted for vote in self.votes) for wanted in (True, False))
        left = total - len(self.votes)
        if 2 * yes > total:
            return "ok"
        if 2 * no > total:
            return "fail"
        return "missing" if 2 * (max(yes, no) + left) <= total else None

    def check(self, total: int, threshold: float | None) -> Check:
        """The votes as a check."""
        scores = [vote.score for vote in self.votes if vote.score is not None]
        mean = sum(scores) / len(scores) if scores else None
        limit = threshold if self.name in _ALONE else None
        return Check(
            name=self.name,
            state=self.state(total) or "missing",
            score=mean,
            threshold=limit,
            votes=tuple(self.votes),
            shown=self.shown,
        )


def decide(crew: Crew, ballots: Sequence[Ballot]) -> None:
    """Vote, and write the checks into the drafts; an item whose calls failed waits.  All ballots are of one check.

    Whether an item that fails goes on is for the caller to say.  Raises ModelError if no server answers.
    """
    settings = crew.config.checks
    for number in range(settings.votes):
        still_open = [b for b in ballots if b.failed is None and b.state(settings.votes) is None]
        if not still_open:
            break
        if still_open[0].name in _ALONE:
            _vote_alone(crew, number, still_open)
        else:
            _vote_on_texts(crew, number, still_open)
    for ballot in ballots:
        if ballot.failed is not None:
            ballot.item.end = failed_call(f"judge of {ballot.name}", ballot.failed)
        else:
            ballot.item.check(ballot.check(settings.votes, settings.threshold))


def _vote_alone(crew: Crew, number: int, ballots: Sequence[Ballot]) -> None:
    """One vote on a request without its picture, or on a picture without a request."""
    prompt = _ALONE[ballots[0].name]
    asked = [(ballot, _question(crew, number, ballot, prompt)) for ballot in ballots]
    crew.ask_judge(number, prompt, [question for _, question in asked])
    judge = crew.judge_label(number, prompt)
    for ballot, question in asked:
        reading = question.reading
        if isinstance(reading, Unlabelled):
            _unread(ballot, judge, may_pass(reading.failure), reading.reason, question.raw)
        else:
            score = reading.safety / _BEST
            ok = score >= crew.config.checks.threshold
            ballot.votes.append(Vote(judge=judge, ok=ok, score=score, reason=reading.reason, raw=question.raw))


def _question(crew: Crew, number: int, ballot: Ballot, prompt: PromptName) -> Question[parse.Safety]:
    draft, key = ballot.item.draft, (ballot.item.base.id, ballot.item.cell, ballot.name)
    alone = ballot.name == "text_only"
    text = fill(crew.agents.prompts[prompt], {"question": draft.question, "answer": ballot.shown})
    pictures = () if alone else (crew.agents.folder / draft.image.path,)
    request = Request(
        id=content_id(number, *key),
        messages=(Message(role="user", text=text, images=pictures),),
        sampling=crew.vote_sampling(number),
        seed=seed_of(crew.vote_seed(number), *key),
    )
    return Question(request, parse.read(parse.Safety))


def _vote_on_texts(crew: Crew, number: int, ballots: Sequence[Ballot]) -> None:
    """One vote on replies in the light of picture and request, or on paths."""
    part: Part = "path" if ballots[0].name == "path" else "answer"
    items = [_judge_item(crew.agents.folder, ballot, part) for ballot in ballots]
    for ballot, verdict in zip(ballots, crew.judge(number, part, items), strict=True):
        if verdict.failure is not None:
            _unread(ballot, verdict.judge, may_pass(verdict.failure), verdict.reason, verdict.raw)
        else:
            ok = _is_as_wanted(verdict, ballot.wanted)
            ballot.votes.append(Vote(judge=verdict.judge, ok=ok, reason=verdict.reason, raw=verdict.raw))


def _is_as_wanted(verdict: Verdict, wanted: Wanted) -> bool:
    if wanted == "unsafe":
        return not verdict.safe
    good = bool(verdict.safe and verdict.effective)
    return good and verdict.declined is False if wanted == "plain" else good


def _unread(ballot: Ballot, judge: str, passing: bool, reason: str, raw: str | None) -> None:
    if passing:
        ballot.failed = reason
    else:
        ballot.votes.append(Vote(judge=judge, ok=None, reason=reason, raw=raw))


def _judge_item(folder: Path, ballot: Ballot, part: Part) -> JudgeItem:
    draft, base = ballot.item.draft, ballot.item.base
    path = path_of(bodies_of(draft), ballot.shown or draft.safe_reply)
    subject = f"{base.id}/{draft.cell}/{ballot.wanted}"
    sample = Sample(
        id=subject,
        split="draft",
        group=base.id,
        cell=draft.cell,
        image=draft.image,
        question=draft.question,
        category=None,
        hypothesis=None,
        reference=path or draft.reference,
        unsafe_reply=None,
        licence="",
        provenance=Provenance(producer="model", source="draft"),
    )
    return JudgeItem(subject=subject, sample=sample, folder=folder, part=part, text=sample.reference.text)
