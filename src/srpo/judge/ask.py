"""Questions to a judge that is a model: one call each, and one more if the reply could not be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from srpo.judge.parse import UnparsedReply
from srpo.models.base import Message, Model, Progress, Request
from srpo.records import content_id, seed_of
from srpo.types import Completion, Failure

T = TypeVar("T")

REMARK: Final = (
    "Your reply could not be read. Reply again with one JSON object of exactly the form asked for: reason first, "
    "labels true or false without quotation marks, nothing after the object."
)


@dataclass(frozen=True)
class Unlabelled:
    """Why there are no labels."""

    failure: Failure
    reason: str


@dataclass
class Question(Generic[T]):
    """A request, and what was read from the last reply to it."""

    request: Request
    read: Callable[[str], T]
    """Raises UnparsedReply if the reply holds no judgement."""
    reading: T | Unlabelled = Unlabelled("error", "not asked")
    raw: str | None = None
    repaired: bool = False


def ask(model: Model, questions: Sequence[Question[T]], progress: Progress | None = None) -> None:
    """Fill in the readings; `progress` counts first replies, second ones are not counted again."""
    _send(model, questions, progress)
    unread = [
        question
        for question in questions
        if isinstance(question.reading, Unlabelled) and question.reading.failure == "unparsed"
    ]
    for question in unread:
        question.request = _again(question.request, question.raw)
        question.repaired = True
    _send(model, unread, None)


def _send(model: Model, questions: Sequence[Question[T]], progress: Progress | None) -> None:
    if not questions:
        return
    replies = model.generate([question.request for question in questions], progress)
    for question, reply in zip(questions, replies, strict=True):
        question.raw = reply.text or None
        question.reading = _read(reply, question.read)


def _read(reply: Completion, read: Callable[[str], T]) -> T | Unlabelled:
    if reply.finish == "error":
        reason = reply.error or "the call failed without a reason"
        kinds: dict[str, Failure] = {"timeout": "timeout", "refused": "refused"}
        return Unlabelled(kinds.get(reason.partition(":")[0], "error"), reason)
    if reply.finish == "length":  # what stands at its end may be a quotation, not the judgement
        return Unlabelled("unparsed", "the judge's reply was cut off at the token limit")
    try:
        return read(reply.text)
    except UnparsedReply as error:
        return Unlabelled("unparsed", str(error))


def _again(request: Request, raw: str | None) -> Request:
    """The second and last request: the first one, its reply, and a remark."""
    turns = (Message(role="assistant", text=raw or "(no text)"), Message(role="user", text=REMARK))
    return request.model_copy(
        update={
            "id": content_id(request.id, "repair"),
            "messages": (*request.messages, *turns),
            "seed": seed_of(request.seed, "repair"),
        }
    )
