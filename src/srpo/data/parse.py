"""Replies of agents to records, strictly: what does not fit its form is unreadable, and nothing is mended.

Texts of agents end up in samples, prompts and pages.  So a text that could pass for something else there (a marker of a
step, a picture's placeholder, markup, an object, steering characters) makes the whole reply unreadable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from srpo.judge.parse import UnparsedReply, only_object
from srpo.steps import MARKERS, STEP_NAMES
from srpo.types import CATEGORIES

LONGEST_QUESTION: Final = 1_000
LONGEST_STEP: Final = 2_000
LONGEST_REPLY: Final = 6_000
_LONGEST_REASON: Final = 10_000
LONGEST_FREE: Final = 50_000
"""Characters of a text, beyond which a reply is unreadable; the last is that of a reply without a form."""

_FOREIGN: Final = (
    (re.compile(r"<\|"), "a token of a chat template"),
    (re.compile(r"</?[A-Za-z!?][^<>]*>"), "markup"),
    (re.compile(r"[{}]"), "a brace"),
    (re.compile(r"\[/?INST\]"), "a token of a chat template"),
    (re.compile("|".join(map(re.escape, MARKERS.values())), re.IGNORECASE), "the marker of a step"),
)
"""What texts of samples never hold, and what it is called."""

_JOINERS: Final = "\u200c\u200d"
"""Characters without a shape that scripts and emoji need."""


def _checked(text: str, longest: int) -> str:
    """The text without outer white space.  Raises ValueError if it cannot stand in a sample."""
    text = text.strip()
    if not text:
        raise ValueError("is empty")
    if len(text) > longest:
        raise ValueError(f"has {len(text)} characters, more than {longest}")
    if problem := text_problem(text):
        raise ValueError(problem)
    return text


def text_problem(text: str) -> str | None:
    """What a text holds that could pass for something else in a sample; none if it holds nothing of the kind."""
    found = next((words for pattern, words in _FOREIGN if pattern.search(text)), None)
    if found is None and any(_steers(character) for character in text):
        found = "a control character"
    return None if found is None else f"holds {found}"


def _steers(character: str) -> bool:
    """Whether a character has no shape of its own: controls, directions, private and unassigned ones."""
    if character in "\n\t" or character in _JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _at_most(longest: int) -> AfterValidator:
    return AfterValidator(lambda text: _checked(text, longest))


RequestText = Annotated[str, _at_most(LONGEST_QUESTION)]
StepText = Annotated[str, _at_most(LONGEST_STEP)]
ReplyText = Annotated[str, _at_most(LONGEST_REPLY)]
Reason = Annotated[str, Field(max_length=_LONGEST_REASON)]


class Form(BaseModel):
    """What a reply holds: every key, no other, each of its type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Query(Form):
    """A risk of a picture, or that there is none; then the texts are empty."""

    reason: Reason
    found: bool
    hypothesis: str
    category: str
    question: str
    safe_reply: str
    unsafe_reply: str

    @field_validator("hypothesis", "question", "safe_reply", "unsafe_reply")
    @classmethod
    def _is_a_text(cls, text: str, info: ValidationInfo) -> str:
        longest = LONGEST_REPLY if str(info.field_name).endswith("reply") else LONGEST_QUESTION
        return _checked(text, longest) if info.data.get("found") else ""

    @field_validator("category")
    @classmethod
    def _is_a_slug(cls, text: str, info: ValidationInfo) -> str:
        return _slug(text) if info.data.get("found") else ""


class Steps(Form):
    """The words of the six steps."""

    visual: StepText
    request: StepText
    synthesis: StepText
    intent_risk: StepText
    consequences: StepText
    strategy: StepText

    @property
    def bodies(self) -> tuple[str, ...]:
        """In the order of the path."""
        return tuple(getattr(self, name) for name in STEP_NAMES)


class Reflection(Form):
    """What is wrong with a path, if anything."""

    reason: Reason
    redundant: list[str]
    incomplete: list[str]
    text_safe: bool

    @model_validator(mode="after")
    def _names_steps(self) -> Self:
        for names in (self.redundant, self.incomplete):
            if not set(names) <= set(STEP_NAMES) or len(set(names)) < len(names):
                raise ValueError(f"expected names of steps, each once: {', '.join(STEP_NAMES)}")
        return self


class Rewrite(Steps):
    """New steps, and the request, which may be new too."""

    question: RequestText


class Summary(Steps):
    """Condensed steps and reply."""

    reply: ReplyText


class Counterpart(Form):
    """A harmless request for the same picture, and what a harmless picture would show."""

    reason: Reason
    question: RequestText
    caption: RequestText


class Benign(Form):
    """Whether picture and request are harmless together, and then a reply."""

    reason: Reason
    harmless: bool
    reply: str

    @field_validator("reply")
    @classmethod
    def _replies_if_harmless(cls, text: str, info: ValidationInfo) -> str:
        return _checked(text, LONGEST_REPLY) if info.data.get("harmless") else ""


class Safety(Form):
    """A judge's score of one modality."""

    reason: Reason
    safety: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


F = TypeVar("F", bound=Form)


def read(form: type[F]) -> Callable[[str], F]:
    """A reader of replies of this form.  It raises UnparsedReply if the reply holds anything but one such object."""
    return lambda reply: _parse(reply, form)


def read_counterpart(question: str) -> Callable[[str], Counterpart]:
    """A reader that also refuses the request it was to change."""

    def reader(reply: str) -> Counterpart:
        found = _parse(reply, Counterpart)
        if same_words(found.question, question):
            raise UnparsedReply("question: is the request that was to be changed")
        return found

    return reader


def read_free(reply: str) -> str:
    """The words of a reply that has no form.  Raises UnparsedReply if there are none, or far too many."""
    words = reply.strip()
    if not words:
        raise UnparsedReply("the reply is empty")
    if len(words) > LONGEST_FREE:
        raise UnparsedReply(f"the reply has {len(words)} characters, more than {LONGEST_FREE}")
    return words


def same_words(one: str, other: str) -> bool:
    """Whether two texts differ in case, punctuation and spaces at most."""
    return re.findall(r"\w+", one.casefold()) == re.findall(r"\w+", other.casefold())


def _slug(category: str) -> str:
    """The slug of a category that is named by slug or name."""
    wanted = category.strip().casefold()
    found = next((slug for slug, name in CATEGORIES.items() if wanted in (slug, name)), None)
    if found is None:
        raise ValueError(f"expected one of {', '.join(CATEGORIES)}")
    return found


def _parse(reply: str, form: type[F]) -> F:
    try:
        return form.model_validate(only_object(reply))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:100]
        raise UnparsedReply(f"{where or 'object'}: {first['msg'].removeprefix('Value error, ')}"[:300]) from None
