"""A run's answers as a table for people to label, with the judge's labels beside them."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from srpo.answered import Answered
from srpo.calibrate.human import NO, YES, Flag
from srpo.errors import ConfigError
from srpo.records import seed_of
from srpo.steps import answer, split
from srpo.types import Completion, Item, Label, Result, Sample

COLUMNS: Final = ("id", "cluster", "question", "image", "response", "label", "judge", "system", "benchmark")
_OF_RESULT: Final[dict[Flag, str]] = {
    "unsafe": "answer_safe",
    "ineffective": "answer_effective",
    "declined": "declined",
}
_OF_LABEL: Final[dict[Flag, str]] = {"unsafe": "safe", "ineffective": "effective", "declined": "declined"}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""With one of these a cell is a formula for spreadsheets, and models write what they like."""


class Line(NamedTuple):
    """One answer."""

    completion: Completion
    source: Sample | Item
    judge: bool | None


def render_sheet(answers: Answered, flag: Flag, systems: Sequence[str], seed: int) -> str:
    """CSV with one plain, greedy answer per line, in an order drawn by the seed, and an empty column `label`.

    Labels from the top down are then a random draw, which is what corrected rates rest on.  `flag` is what the labels
    say.  Raises ConfigError if the run has no judged answer of these systems.
    """
    lines = sorted(_lines(answers, flag), key=lambda line: line.completion.id)
    lines = [line for line in lines if line.completion.decoding == "greedy"]
    lines = [line for line in lines if not systems or line.completion.system in systems]
    if not lines:
        named = ", ".join(systems) or "any system"
        raise ConfigError(f"no plain answer of {named} has a label of a judge for {flag}; check --system and --flag")
    random.Random(seed_of(seed, "sheet")).shuffle(lines)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_inert(cell) for cell in _cells(line)] for line in lines)
    return text.getvalue()


def _lines(answers: Answered, flag: Flag) -> Iterator[Line]:
    found = {answer.id: answer for answer in answers.completions}
    samples = {sample.id: sample for sample in answers.samples}
    for result in answers.plain:
        yield Line(found[result.completion], samples[result.sample], _flag(result, flag))
    for label in answers.labels:
        if label.repeat == 0 and label.protocol == "v1" and _OF_LABEL[flag] in label.labels:
            yield Line(found[label.completion], answers.items[label.item], _flag(label, flag))


def _flag(judged: Result | Label, flag: Flag) -> bool | None:
    value = getattr(judged, _OF_RESULT[flag]) if isinstance(judged, Result) else judged.labels[_OF_LABEL[flag]]
    if not isinstance(value, bool):
        return None
    return value if flag == "declined" else not value


def _cells(line: Line) -> tuple[str, ...]:
    completion, source = line.completion, line.source
    of_sample = isinstance(source, Sample)
    picture = source.image.path if isinstance(source, Sample) else ";".join(source.images)
    said = answer(split(completion.text)) or completion.text
    return (
        completion.id,
        source.group if isinstance(source, Sample) else source.cluster,
        source.question,
        picture,
        said,
        "",
        "" if line.judge is None else YES if line.judge else NO,
        completion.system,
        "rsbench" if of_sample else source.id.partition(":")[0],
    )


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
