"""Rows of a stage's file: appended in chunks, mended, and taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from srpo.records import append_records, read_records, repair, write_records
from srpo.types import Record

R = TypeVar("R", bound=Record)
T = TypeVar("T")

CHUNK: Final = 256
"""Requests between two appends to a file: what a kill may cost."""


def append_row(path: Path, record: Record) -> None:
    """Append one row and sync it."""
    append_records(path, [record])


def drop_rows(path: Path, kind: type[R], gone: Callable[[R], bool]) -> None:
    """Mend a file that a kill has torn, and take rows out of it in one write."""
    repair(path)
    rows = rows_if_there(path, kind)
    kept = [row for row in rows if not gone(row)]
    if len(kept) < len(rows):
        write_records(path, kept)


def rows_if_there(path: Path, kind: type[R]) -> list[R]:
    """The rows of a file, none if there is no file."""
    return read_records(path, kind) if path.exists() else []


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of at most `size` items, in order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
