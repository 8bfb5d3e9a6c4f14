"""Examples as the template shows them: every choice of words, colour class and icon is made here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from srpo.report.examples import Change, Example, Output, change_of, reply_right
from srpo.report.wording import clip
from srpo.steps import ANSWER, TITLES, body, split
from srpo.types import CATEGORIES, CELLS, Cell, StepVerdict

Kind = Literal["good", "unsafe", "ineffective", "unjudged"]
KIND_ICONS: Final[dict[Kind, str]] = {"good": "✓", "unsafe": "✕", "ineffective": "○", "unjudged": "?"}
KIND_WORDS: Final[dict[Kind, str]] = {
    "good": "safe, effective",
    "unsafe": "unsafe",
    "ineffective": "safe, not effective",
    "unjudged": "not judged",
}
CELL_WORDS: Final[dict[Cell, str]] = {
    "hazard": "Unsafe together",
    "benign_image": "Picture swapped",
    "benign_text": "Request swapped",
    "benign_both": "Both swapped",
}
CHANGE_KEYS: Final[dict[Change, str]] = {
    "fixed": "fixed",
    "broken": "broken",
    "still wrong": "wrong",
    "still right": "right",
    "not scored": "unscored",
}
_LONGEST: Final = 3000
"""Characters shown of one text: a page must open fast whatever a model wrote."""


class StepView(NamedTuple):
    """One step or reply with its verdict."""

    title: str
    text: str
    kind: Kind
    icon: str
    word: str


class OutputView(NamedTuple):
    """What one system wrote."""

    system: str
    reply: StepView
    steps: tuple[StepView, ...]
    notes: tuple[str, ...]


class CellView(NamedTuple):
    """One sample of a set."""

    cell: Cell
    words: str
    change: Change
    change_key: str
    question: str
    image: str | None
    hypothesis: str | None
    outputs: tuple[OutputView, ...]


class SetView(NamedTuple):
    """A minimal set: its samples side by side."""

    group: str
    split: str
    category: str | None
    cells: tuple[CellView, ...]


def sets_of(examples: Sequence[Example]) -> list[SetView]:
    """Examples by minimal set, in the order of their first appearance."""
    groups: dict[tuple[str, str], list[Example]] = {}
    for example in examples:
        groups.setdefault((example.sample.split, example.sample.group), []).append(example)
    views = []
    for (split_name, group), members in groups.items():
        members.sort(key=lambda e: CELLS.index(e.sample.cell))
        category = next((e.sample.category for e in members if e.sample.category), None)
        cells = tuple(cell_of(member) for member in members)
        views.append(SetView(group, split_name, CATEGORIES.get(category, category) if category else None, cells))
    return views


def cell_of(example: Example) -> CellView:
    """One example, ready for the template."""
    change, sample = change_of(example), example.sample
    return CellView(
        cell=sample.cell,
        words=CELL_WORDS[sample.cell],
        change=change,
        change_key=CHANGE_KEYS[change],
        question=clip(sample.question, _LONGEST),
        image=data_uri(example.image_png),
        hypothesis=clip(sample.hypothesis, _LONGEST) if sample.hypothesis else None,
        outputs=tuple(output_of(output) for output in example.outputs),
    )


def data_uri(png: bytes | None) -> str | None:
    """A picture inside the page."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii") if png else None


def output_of(output: Output) -> OutputView:
    """A text step by step, each with the judge's verdict; a judged step that was not written is shown as such."""
    verdicts: dict[str, StepVerdict] = {}
    for verdict in output.result.steps:
        verdicts.setdefault(verdict.name, verdict)
    steps: list[StepView] = []
    replies: list[str] = []
    for step in split(output.completion.text).steps:
        if step.name == ANSWER:
            replies.append(body(step))
        elif step.text.strip():
            steps.append(_step(step.name, body(step), verdicts.pop(step.name or "", None)))
    steps += [_step(name, "(not written)", verdict) for name, verdict in verdicts.items() if name != ANSWER]
    reply = _reply(output, "\n".join(replies) or "(no reply)")
    return OutputView(output.system, reply, tuple(steps), _notes(output))


def kind_of(safe: bool | None, effective: bool | None) -> Kind:
    """Unsafe outweighs all; otherwise one unknown half leaves the whole unjudged."""
    if safe is False:
        return "unsafe"
    if safe is None or effective is None:
        return "unjudged"
    return "good" if effective else "ineffective"


def _step(name: str | None, text: str, verdict: StepVerdict | None) -> StepView:
    kind = kind_of(verdict.safe, verdict.effective) if verdict else "unjudged"
    title = TITLES.get(name, name) if name else "Text without a marker"
    return StepView(title, clip(text, _LONGEST), kind, KIND_ICONS[kind], KIND_WORDS[kind])


def _reply(output: Output, text: str) -> StepView:
    result = output.result
    kind = kind_of(result.answer_safe, result.answer_effective)
    word = KIND_WORDS[kind] + (", declines or warns" if result.declined else "")
    if kind == "good" and reply_right(result) is False:
        kind = "ineffective"  # a harmless request was declined
        word = "declines a harmless request"
    return StepView("Reply", clip(text, _LONGEST), kind, KIND_ICONS[kind], word)


def _notes(output: Output) -> tuple[str, ...]:
    notes = []
    if output.completion.finish == "length":
        notes.append("The text was cut off at the token limit.")
    if output.completion.finish == "error":
        notes.append(f"The model failed: {clip(output.completion.error or 'no reason given', 200)}.")
    if output.result.failure:
        notes.append(f"The judge could not judge all of it: {output.result.failure}.")
    return tuple(notes)
