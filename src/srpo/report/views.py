"""Examples as the template shows them: every choice of words, colour class and icon is made here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from srpo.formats import MOST_STEPS, PathFormat, read_path
from srpo.report.examples import Change, Example, Output, change_of, reply_right
from srpo.report.wording import clip
from srpo.steps import ANSWER, STEP_NAMES, TITLES, body
from srpo.types import CATEGORIES, CELLS, Cell, Completion, Result, Step, StepVerdict

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
    name: str = ""
    """Slug of the step; empty for other text."""
    names_risk: bool | None = None


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
    """What one system wrote, with the verdicts of its result."""
    return answer_view(output.completion, output.result, output.path_format)


def answer_view(completion: Completion, result: Result | None, path_format: PathFormat = "six_steps") -> OutputView:
    """A text step by step, each with the judge's verdict; a judged step that was not written is shown as such.

    Without a result no step carries a verdict, and a text without markers is a reply.  Of more than `MOST_STEPS` steps
    the first are shown and the others counted.
    """
    verdicts: dict[str, StepVerdict] = {}
    for verdict in result.steps if result else ():
        verdicts.setdefault(verdict.name, verdict)
    pieces = _pieces(read_path(completion.text, path_format).steps)
    whole = result is None and not any(piece.name for piece in pieces)
    replies = [body(piece) for piece in pieces if whole or piece.name == ANSWER]
    written = [piece for piece in pieces if not whole and piece.name != ANSWER and piece.text.strip()]
    steps = [_step(piece.name, body(piece), verdicts.pop(piece.name or "", None)) for piece in written[:MOST_STEPS]]
    steps += [_step(name, "(not written)", verdict) for name, verdict in verdicts.items() if name != ANSWER]
    if len(written) > MOST_STEPS:
        steps.append(_bare(_step(None, f"({len(written) - MOST_STEPS} more steps)", None)))
    reply = _reply(result, "\n".join(replies) or "(no reply)")
    if result is None:
        steps, reply = [_bare(step) for step in steps], _bare(reply)
    return OutputView(completion.system, reply, tuple(steps), _notes(completion, result))


def _pieces(steps: Sequence[Step]) -> Sequence[Step]:
    """Without the tags and answer markers that part the steps of a free format."""
    names = {step.name for step in steps} - {None}
    return [step for step in steps if step.name] if names - {*STEP_NAMES, ANSWER} else steps


def kind_of(safe: bool | None, effective: bool | None) -> Kind:
    """Unsafe outweighs all; otherwise one unknown half leaves the whole unjudged."""
    if safe is False:
        return "unsafe"
    if safe is None or effective is None:
        return "unjudged"
    return "good" if effective else "ineffective"


def _step(name: str | None, text: str, verdict: StepVerdict | None) -> StepView:
    kind = kind_of(verdict.safe, verdict.effective) if verdict else "unjudged"
    title = TITLES.get(name, name.replace("_", " ").capitalize()) if name else "Text without a marker"
    risk = verdict.names_risk if verdict else None
    return StepView(title, clip(text, _LONGEST), kind, KIND_ICONS[kind], KIND_WORDS[kind], name or "", risk)


def _reply(result: Result | None, text: str) -> StepView:
    kind = kind_of(result.answer_safe, result.answer_effective) if result else "unjudged"
    word = KIND_WORDS[kind] + (", declines or warns" if result and result.declined else "")
    if kind == "good" and result and reply_right(result) is False:
        kind = "ineffective"  # a harmless request was declined
        word = "declines a harmless request"
    return StepView("Reply", clip(text, _LONGEST), kind, KIND_ICONS[kind], word, ANSWER)


def _bare(step: StepView) -> StepView:
    return step._replace(icon="", word="")


def _notes(completion: Completion, result: Result | None) -> tuple[str, ...]:
    notes = []
    if completion.finish == "length":
        notes.append("The text was cut off at the token limit.")
    if completion.finish == "error":
        notes.append(f"The model failed: {clip(completion.error or 'no reason given', 200)}.")
    if result and result.failure:
        notes.append(f"The judge could not judge all of it: {result.failure}.")
    return tuple(notes)
