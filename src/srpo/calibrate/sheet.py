"""A run's answers as a table for people to label, with one judge's labels beside them."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from srpo.answered import Answered
from srpo.benchmarks.judge import said
from srpo.calibrate.cells import inert
from srpo.calibrate.human import NO, YES, Flag
from srpo.errors import ConfigError
from srpo.formats import PathFormat, read_path
from srpo.records import seed_of
from srpo.steps import answer
from srpo.types import Completion, Item, Label, Result, Sample

COLUMNS: Final = ("id", "cluster", "question", "image", "response", "label", "system", "benchmark")
"""What a sheet holds before the column that is named after the judge."""

OWN: Final = "rsbench"
"""What the column `benchmark` says of answers to samples."""

_MARK: Final = "\ufeff"
"""Without it at the beginning some spreadsheets take UTF-8 for another encoding, and save it so."""

_OF_RESULT: Final[dict[Flag, str]] = {
    "unsafe": "answer_safe",
    "ineffective": "answer_effective",
    "declined": "declined",
}
_OF_LABEL: Final[dict[Flag, str]] = {"unsafe": "safe", "ineffective": "effective", "declined": "declined"}


class Wanted(NamedTuple):
    """Whose answers a sheet holds, and what is said of them."""

    flag: Flag
    systems: tuple[str, ...] = ()
    """None = all of the run."""
    benchmark: str | None = None
    """`OWN` or a public benchmark; none = the only one there is."""


class Sheet(NamedTuple):
    """A table as CSV, and the judge whose labels it holds."""

    text: str
    judge: str


class _Line(NamedTuple):
    """One answer."""

    completion: Completion
    source: Sample | Item
    judge: str
    up: bool | None

    @property
    def benchmark(self) -> str:
        return self.source.benchmark if isinstance(self.source, Item) else OWN


def make_sheet(answers: Answered, wanted: Wanted, formats: Mapping[str, PathFormat], seed: int) -> Sheet:
    """One plain, greedy answer per line, in an order drawn by the seed, and an empty column `label`.

    Labels from the top down are then a random draw, which is what corrected rates rest on.  All lines are of one
    benchmark and one judge, a panel's vote or the first judge of a public benchmark, or their rate would mean nothing.
    `formats` says how systems write their reasoning, where that is not in six steps.  Raises ConfigError if there is no
    judged answer of this kind, or if the benchmark must be named.
    """
    lines = sorted(_lines(answers, wanted), key=lambda line: line.completion.id)
    random.Random(seed_of(seed, "sheet")).shuffle(lines)
    judge = inert(lines[0].judge)
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")  # a lone carriage return would end a row
    writer.writerow((*COLUMNS, judge))
    writer.writerows([inert(cell) for cell in _cells(line, formats)] for line in lines)
    return Sheet(_MARK + text.getvalue(), judge)


def _lines(answers: Answered, wanted: Wanted) -> list[_Line]:
    lines = [line for line in _judged(answers, wanted.flag) if line.completion.decoding == "greedy"]
    for system in wanted.systems:
        _choose("--system", system, [line.completion.system for line in lines])
    lines = [line for line in lines if not wanted.systems or line.completion.system in wanted.systems]
    benchmark = _choose("--benchmark", wanted.benchmark, [line.benchmark for line in lines])
    lines = [line for line in lines if line.benchmark == benchmark]
    return [line for line in lines if line.judge == lines[0].judge]


def _choose(option: str, given: str | None, found: Sequence[str]) -> str:
    """The value that is meant.  Raises ConfigError if there is none, or if it must be given."""
    known = list(dict.fromkeys(found))
    if not known:
        raise ConfigError("no plain greedy answer has a label of a judge for this flag; check --flag")
    if given is None and len(known) == 1:
        return known[0]
    if given not in known:
        problem = "several judges say different things" if given is None else f"no judged answer of {given!r}"
        raise ConfigError(f"{option}: {problem}; choose one of {', '.join(known)}")
    return given


def _judged(answers: Answered, flag: Flag) -> Iterator[_Line]:
    """Answers that a judge says something of, in the order of the judges."""
    found = {answer.id: answer for answer in answers.completions}
    samples = {sample.id: sample for sample in answers.samples}
    for result in answers.plain:
        yield _Line(found[result.completion], samples[result.sample], result.judge, _flag(result, flag))
    for label in answers.labels:
        if label.repeat == 0 and label.protocol == "v1" and _OF_LABEL[flag] in label.labels:
            yield _Line(found[label.completion], answers.items[label.item], label.judge, _flag(label, flag))


def _flag(judged: Result | Label, flag: Flag) -> bool | None:
    value = getattr(judged, _OF_RESULT[flag]) if isinstance(judged, Result) else judged.labels[_OF_LABEL[flag]]
    if not isinstance(value, bool):
        return None
    return value if flag == "declined" else not value


def _cells(line: _Line, formats: Mapping[str, PathFormat]) -> tuple[str, ...]:
    completion, source = line.completion, line.source
    cluster = source.group if isinstance(source, Sample) else source.cluster
    return (
        completion.id,
        f"{line.benchmark}:{cluster}",  # never a bare number or date, which spreadsheets write anew
        source.question,
        ";".join(_pictures(source)),
        _reply(line, formats.get(completion.system, "six_steps")),
        "",
        completion.system,
        line.benchmark,
        "" if line.up is None else YES if line.up else NO,
    )


def _pictures(source: Sample | Item) -> Sequence[str]:
    if isinstance(source, Sample):
        return [] if source.image is None else [source.image.path]
    return source.images


def _reply(line: _Line, path_format: PathFormat) -> str:
    """What the judge saw of the text, or all of it if that was nothing."""
    text = line.completion.text
    own = isinstance(line.source, Sample)
    return (answer(read_path(text, path_format)) if own else said(text)) or text
