"""A judge asked about labelled responses: once each, again, and with changed items; every reply is kept as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from srpo.calibrate.figures import paired_change
from srpo.calibrate.human import LabelFile, drawn
from srpo.calibrate.items import judge_items, with_subject
from srpo.calibrate.probes import PROBES
from srpo.calibrate.repeats import flip_rate
from srpo.errors import JudgeError
from srpo.judge.base import Judge, JudgeItem
from srpo.progress import Advance, Bars
from srpo.records import append_records, iterate_records, repair, seed_of
from srpo.stages.outages import PASSING, is_outage
from srpo.types import Metric, Verdict

CHUNK: Final = 32
"""Items between two appends: what a kill may cost."""

REPEATED: Final = 100
PROBED: Final = 200
"""So many items at most are repeated and probed, drawn by the seed; 0.1 of them is known to about 0.06 and 0.04."""


class Plan(NamedTuple):
    """What is asked."""

    folder: Path
    """Holds `replies.jsonl` with all verdicts, and the pictures that are made."""
    images: Path | None = None
    repeats: int = 1
    probes: bool = False
    variant: str = ""
    """Words for how the judge draws, if two ways share a name: verdicts of one are not those of another."""


class Measured(NamedTuple):
    """A judge's flags in the order of the file's rows, and how steady they are."""

    flags: list[bool | None]
    flip_rate: Metric | None
    probes: dict[str, Metric]


def measure(file: LabelFile, judge: Judge, plan: Plan, bars: Bars, *, seed: int) -> Measured:
    """Ask the judge about every row; verdicts that are in the folder already are not asked for again.

    Raises JudgeError if many questions in a row fail, DataError if pictures or responses are missing.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    items = judge_items(file, plan.images, plan.folder)
    asking = _Asking(file, judge, plan, bars)
    flags = asking.flags(items, "plain")
    flips = _flips(asking, items, flags, seed) if plan.repeats > 1 else None
    changes = _changes(asking, items, flags, seed) if plan.probes else {}
    return Measured(flags, flips, changes)


def flag_of(verdict: Verdict, flag: str) -> bool | None:
    """What a verdict says of a flag."""
    if flag == "declined":
        return verdict.declined
    value = verdict.safe if flag == "unsafe" else verdict.effective
    return None if value is None else not value


def ask(judge: Judge, items: Sequence[JudgeItem], path: Path, advance: Advance) -> list[Verdict]:
    """Verdicts in the order of the items; new ones are appended to the file, chunk by chunk.

    Failures that may pass are asked for again.  Raises JudgeError if all of a chunk that is new fail, most of them so.
    """
    repair(path)
    rows = iterate_records(path, Verdict) if path.exists() else ()
    known = {row.subject: row for row in rows if row.judge == judge.name}
    new = [item for item in items if item.subject not in known]
    again = [item for item in items if item.subject in known and known[item.subject].failure in PASSING]
    advance(len(items) - len(new) - len(again))
    for wanted in (new, again):
        for start in range(0, len(wanted), CHUNK):
            verdicts = judge.judge(wanted[start : start + CHUNK], advance)
            if wanted is new:  # texts that always fail are together in the other, and would stop every start
                _check(judge, verdicts)
            append_records(path, verdicts)
            known |= {verdict.subject: verdict for verdict in verdicts}
    return [known[item.subject] for item in items]


def _check(judge: Judge, verdicts: Sequence[Verdict]) -> None:
    if is_outage([verdict.failure for verdict in verdicts]):
        first = next(verdict.reason for verdict in verdicts if verdict.failure in PASSING)
        problem = f"all of {len(verdicts)} questions failed, first: {first}"
        raise JudgeError(f"{judge.name}: {problem}; nothing of them is kept, start again when it works")


@dataclass(frozen=True)
class _Asking:
    """What stays the same over all that a judge is asked."""

    file: LabelFile
    judge: Judge
    plan: Plan
    bars: Bars

    def flags(self, items: Sequence[JudgeItem], variant: str) -> list[bool | None]:
        named = [with_subject(item, f"{variant} {self.plan.variant}") for item in items]
        with self.bars(f"judge, {variant}", len(named), 0) as advance:
            verdicts = ask(self.judge, named, self.plan.folder / "replies.jsonl", advance)
        return [flag_of(verdict, self.file.flag) for verdict in verdicts]


def _flips(asking: _Asking, items: Sequence[JudgeItem], flags: Sequence[bool | None], seed: int) -> Metric:
    chosen = _drawn(items, REPEATED, seed_of(seed, "repeats"))
    again = [items[i] for i in chosen]
    repeats = [asking.flags(again, f"repeat {number}") for number in range(2, asking.plan.repeats + 1)]
    clusters = [asking.file.clusters[i] for i in chosen]
    return flip_rate([[flags[i] for i in chosen], *repeats], clusters, seed_of(seed, "flips"))


def _changes(asking: _Asking, items: Sequence[JudgeItem], flags: Sequence[bool | None], seed: int) -> dict[str, Metric]:
    """Change of the rate under each probe that changes any item."""
    chosen = _drawn(items, PROBED, seed_of(seed, "probes"))
    found = {}
    for name, change in PROBES.items():
        rows = [(i, item) for i in chosen if (item := change(items[i], asking.plan.folder)) is not None]
        if rows:
            after = asking.flags([item for _, item in rows], f"probe {name}")
            clusters = [asking.file.clusters[i] for i, _ in rows]
            found[name] = paired_change([flags[i] for i, _ in rows], after, clusters, seed_of(seed, "probe", name))
    return found


def _drawn(items: Sequence[JudgeItem], most: int, seed: int) -> list[int]:
    """Indices of at most so many items, in order."""
    chosen = set(drawn([item.sample.id for item in items], most, seed))
    return [i for i, item in enumerate(items) if item.sample.id in chosen]
