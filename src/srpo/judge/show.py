"""What a judge model is shown of a text: the part that is judged, and nothing else of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from srpo.formats import lead, named_steps, read_path, readable_steps
from srpo.judge.ask import Unlabelled
from srpo.judge.base import JudgeItem
from srpo.prompts.fill import fence
from srpo.steps import answer
from srpo.types import ReasoningPath

_MEANINGS: Final = {
    "visual": "what the image shows",
    "request": "what the user asks",
    "synthesis": "what follows from both together",
    "intent_risk": "what the user wants and which risk there is, if any",
    "consequences": "what could happen if the request is followed here",
    "strategy": "how to reply",
}


@dataclass(frozen=True)
class Shown:
    """The words of an answer, or the steps of a path as pairs of name and words."""

    answer: str = ""
    steps: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps; none for an answer."""
        return tuple(name for name, _ in self.steps)

    def text(self) -> str:
        """The answer, or each step after a line with its name and a code that stands in no step."""
        code = fence([words for _, words in self.steps])
        return self.answer or "\n".join(f"[{name} {code}]\n{words}" for name, words in self.steps)

    def described(self) -> str:
        """Names of the steps, with what the six steps are about."""
        return ", ".join(f"{name} ({_MEANINGS[name]})" if name in _MEANINGS else name for name in self.names)

    def until(self, index: int) -> Shown:
        """The steps up to this one, and no later ones."""
        return Shown(steps=self.steps[: index + 1])


def show(item: JudgeItem) -> Shown | Unlabelled:
    """The part to be judged, or why there is none: `truncated`, or `malformed`."""
    if item.truncated:
        return Unlabelled("truncated", "the text was cut off at the token limit")
    if not _has_whole_characters(item.text):
        return Unlabelled("malformed", "the text holds half a character")
    path = read_path(item.text, item.path_format)
    if item.part == "path":
        return _steps(path)
    words = answer(path)
    return Shown(words) if words else Unlabelled("malformed", "the text has no final answer, or more than one")


def _steps(path: ReasoningPath) -> Shown | Unlabelled:
    steps = named_steps(path)
    if not readable_steps(path):
        return Unlabelled("malformed", "the text does not have the steps of its format, in order and none empty")
    words = [step.text.strip() for step in steps]
    words[0] = f"{lead(path)}\n{words[0]}".strip()  # what stands before the first step is judged with it
    return Shown(steps=tuple((str(step.name), said) for step, said in zip(steps, words, strict=True)))


def _has_whole_characters(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
