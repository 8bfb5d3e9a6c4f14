"""One stage over many sets: in chunks, each of which is on disk before the next begins; what is done is skipped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from srpo.data.chain import Outcome
from srpo.data.folder import DatasetFolder
from srpo.data.meter import Ledger
from srpo.progress import Bars
from srpo.records import append_records, iterate_records, repair
from srpo.types import DataStage, DraftSet, Rejection, Source

U = TypeVar("U", DraftSet, Source)

CHUNK: Final = 16
"""Pictures or sets whose calls are made together: what a kill may cost, beside what the cache keeps."""

CHAIN: Final[tuple[DataStage, ...]] = ("query", "reasoning", "reflection", "adjudication", "cells")
"""The stages that ask models, in order."""

PASSED: Final = ""
"""Stands for the reason of a set that was not dropped."""


@dataclass
class StageCount:
    """What became of all that entered a stage."""

    stage: DataStage
    entered: int
    through: int
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> how many."""
    waiting: int = 0
    why: str = ""
    """Why the first of them waits."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Files:
    """The files of a dataset, and where each set stands in its order."""

    folder: DatasetFolder
    order: Mapping[str, tuple[int, int]]
    """Id of a set -> number of its picture and of its query; only those that are to be built."""

    def through(self, stage: DataStage) -> dict[str, DraftSet]:
        """The sets that a stage has let through, in their order, whatever the order of the rows."""
        found = {row.id: row for row in _rows(self.folder.stage(stage), DraftSet) if row.id in self.order}
        return {name: found[name] for name in sorted(found, key=self.order.__getitem__)}

    def reasons(self, stage: DataStage) -> dict[str, str]:
        """Every set that a stage is done with -> why it was dropped, or `PASSED`."""
        passed = {row.id: PASSED for row in _rows(self.folder.stage(stage), DraftSet) if row.id in self.order}
        rejected = _rows(self.folder.rejections, Rejection)
        return passed | {row.id: row.reason for row in rejected if row.stage == stage and row.id in self.order}

    def append(self, stage: DataStage, outcomes: Iterable[Outcome]) -> None:
        """Write what is known now.  A kill between the two files is mended by the next start, which makes the rest."""
        found = list(outcomes)
        _append(self.folder.stage(stage), [one.through for one in found if one.through])
        _append(self.folder.rejections, [one.dropped for one in found if one.dropped])


def run_stage(
    files: Files,
    count: StageCount,
    units: Sequence[U],
    work: Callable[[list[U]], list[Outcome]],
    ledger: Ledger,
    bars: Bars,
) -> dict[str, str]:
    """Do the units that are left, `work` by chunk, until all are done or a cap is reached.

    Returns the sets that are done now, as `Files.reasons`.  The time, and why the first set waits, go into `count`.
    """
    stage, start, done = count.stage, time.monotonic(), dict[str, str]()
    ledger.stage = stage
    with bars(stage, len(units), 0) as advance:
        for first in range(0, len(units), CHUNK):
            if ledger.reached is not None:
                break
            chunk = list(units[first : first + CHUNK])
            outcomes = work(chunk)
            files.append(stage, outcomes)
            done |= {one.id: one.dropped.reason if one.dropped else PASSED for one in outcomes if one.waits is None}
            count.why = count.why or next((one.waits for one in outcomes if one.waits is not None), "")
            advance(len(chunk))
    count.seconds = time.monotonic() - start
    if units:
        files.folder.record_seconds(stage, count.seconds)
    return done


R = TypeVar("R", DraftSet, Rejection)


def _rows(path: Path, kind: type[R]) -> Iterable[R]:
    repair(path)
    return iterate_records(path, kind) if path.exists() else ()


def _append(path: Path, rows: Sequence[DraftSet] | Sequence[Rejection]) -> None:
    if rows:
        append_records(path, rows)
