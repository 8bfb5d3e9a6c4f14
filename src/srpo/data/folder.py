"""The folder of a dataset: names of its files.  Stages append; only `rejected.jsonl` is rewritten, by the last one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from srpo.runs import RunFolder
from srpo.types.data import DataStage


@dataclass(frozen=True)
class DatasetFolder(RunFolder):
    """One dataset on its way.  `samples` holds what the machines let through; people review that."""

    @property
    def sources(self) -> Path:
        """Pictures taken over."""
        return self.path / "sources.jsonl"

    @property
    def rendered(self) -> Path:
        """Pictures drawn as harmless counterparts (`cells.render`)."""
        return self.path / "rendered.jsonl"

    @property
    def rejections(self) -> Path:
        """What was dropped, by any stage; the last one puts it in order."""
        return self.path / "rejected.jsonl"

    @property
    def usage(self) -> Path:
        """Calls, tokens and cost."""
        return self.path / "usage.jsonl"

    @property
    def sets(self) -> Path:
        """Draft sets behind `samples.jsonl`, with every check."""
        return self.path / "sets.jsonl"

    @property
    def reviews(self) -> Path:
        """What people decided, written from the review database."""
        return self.path / "reviews.jsonl"

    @property
    def review_database(self) -> Path:
        return self.path / "review.sqlite"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    def clear_leftovers(self) -> None:
        """Delete files that killed processes left half written.  Call it inside `lock`, before anything is written."""
        for path in (*self.path.glob(".*.tmp"), *self.images.glob(".*.tmp")):
            writer = path.name.split(".")[-2]
            # Our own number: one that is started anew in a container often has that of the one before.
            if writer.isdecimal() and (int(writer) == os.getpid() or not _is_alive(int(writer))):
                path.unlink(missing_ok=True)

    def stage(self, name: DataStage) -> Path:
        """File of the draft sets that a stage let through."""
        return self.path / f"{name}.jsonl"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
