"""Questions to a judge that is a model: one call each, and one more if the reply could not be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from srpo.judge.parse import UnparsedReply, verdict_text
from srpo.models.base import Message, Model, Progress, Request
from srpo.records import content_id, seed_of
from srpo.types import Completion, Failure

T = TypeVar("T")

REMARK: Final = (
    "Your reply could not be read. Reply again with one JSON object of exactly the form asked for: reason first, "
    "labels true or false without quotation marks, nothing after the object."
)

CUT_REPLY: Final = "cut_reply"
"""Note on a reading of a reply that was cut off at its token limit."""

COPIED_VERDICT: Final = "copied_verdict"
"""Note on a reading of a verdict that stands word for word in what the judge was shown."""


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
    strict: bool = True
    """Whether a reply that was cut off or copies its verdict is not read, and one that is not read is asked for once
    more.  Otherwise replies are read as they are, and `notes` name what was overlooked."""
    remark: str = REMARK
    """What is said when a reply is asked for once more."""
    material: Sequence[str] = ()
    """Texts of others in the request, without the words of the template."""
    reading: T | Unlabelled = Unlabelled("error", "not asked")
    raw: str | None = None
    repaired: bool = False
    notes: tuple[str, ...] = ()


def ask(model: Model, questions: Sequence[Question[T]], progress: Progress | None = None) -> None:
    """Fill in the readings; `progress` counts first replies, second ones are not counted again."""
    _send(model, questions, progress)
    unread = [
        question
        for question in questions
        if question.strict and isinstance(question.reading, Unlabelled) and question.reading.failure == "unparsed"
    ]
    for question in unread:
        question.request = _again(question)
        question.repaired = True
    _send(model, unread, None)


def _send(model: Model, questions: Sequence[Question[T]], progress: Progress | None) -> None:
    if not questions:
        return
    replies = model.generate([question.request for question in questions], progress)
    for question, reply in zip(questions, replies, strict=True):
        question.raw = reply.text or None
        question.reading = _read(reply, question)


def _read(reply: Completion, question: Question[T]) -> T | Unlabelled:
    if reply.finish == "error":
        reason = reply.error or "the call failed without a reason"
        kinds: dict[str, Failure] = {"timeout": "timeout", "refused": "refused"}
        return Unlabelled(kinds.get(reason.partition(":")[0], "error"), reason)
    cut, copied = reply.finish == "length", _is_copy(reply.text, question)
    if cut and question.strict:  # what stands at its end may be a quotation, not the judgement
        return Unlabelled("unparsed", "the judge's reply was cut off at the token limit")
    if copied and question.strict:
        return Unlabelled("unparsed", "the verdict stands in what was shown: it is a copy, not a judgement")
    try:
        reading = question.read(reply.text)
    except UnparsedReply as error:
        return Unlabelled("unparsed", str(error))
    question.notes = (*((CUT_REPLY,) if cut else ()), *((COPIED_VERDICT,) if copied else ()))
    return reading


def _is_copy(reply: str, question: Question[T]) -> bool:
    """Whether the verdict of a reply, spaces aside, stands in what the judge was shown.

    The verdict is the reply's JSON object.  A reply without one is a copy if it repeats the request as a whole, or is
    more than one word and stands in the material: single words, such as *safe*, stand anywhere, and short forms in
    the template.
    """
    shown, verdict = _without_spaces(question.request.messages[0].text), verdict_text(reply)
    if verdict:
        return _without_spaces(verdict) in shown
    words = _without_spaces(reply)
    quoted = len(reply.split()) > 1 and any(words in _without_spaces(text) for text in question.material)
    return quoted or shown in words


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def _again(question: Question[T]) -> Request:
    """The second and last request: the first one, its reply, and a remark."""
    first = question.request
    turns = (
        Message(role="assistant", text=question.raw or "(no text)"),
        Message(role="user", text=question.remark),
    )
    return first.model_copy(
        update={
            "id": content_id(first.id, "repair"),
            "messages": (*first.messages, *turns),
            "seed": seed_of(first.seed, "repair"),
        }
    )
