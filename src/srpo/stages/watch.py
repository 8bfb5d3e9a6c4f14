"""What surrounds the work of every stage: its time, and errors of the disk in words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from srpo.errors import DataError
from srpo.runs import RunFolder


@contextmanager
def watched(run: RunFolder, stage: str) -> Iterator[None]:
    """Add the wall-clock time of a stage to the manifest, also when it is interrupted.

    Raises DataError when the disk refuses; what the stage has finished before an error is kept.
    """
    try:
        with _timed(run, stage):
            yield
    except BrokenPipeError:
        raise
    except OSError as error:
        problem = f"{stage} stopped ({error.strerror or error}: {error.filename or 'no file named'})"
        raise DataError(f"{run.path}: {problem}; free space or fix permissions, then resume") from error


@contextmanager
def _timed(run: RunFolder, stage: str) -> Iterator[None]:
    start = time.monotonic()
    try:
        yield
    finally:
        run.record_seconds(stage, time.monotonic() - start)
