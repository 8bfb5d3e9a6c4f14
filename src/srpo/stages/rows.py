"""Rows of a stage's file: in chunks, taken out, and found again; a whole file is never in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from srpo.records import iterate_records, repair, write_records
from srpo.types import Record

R = TypeVar("R", bound=Record)
T = TypeVar("T")

CHUNK: Final = 256
"""Requests between two appends to a file: what a kill may cost."""


def drop_rows(path: Path, kind: type[R], gone: Callable[[R], bool]) -> None:
    """Mend a file that a kill has torn, and take rows out of it in one write."""
    repair(path)
    if any(gone(row) for row in rows_if_there(path, kind)):
        write_records(path, (row for row in rows_if_there(path, kind) if not gone(row)))


def replace_rows(path: Path, kind: type[R], key: Callable[[R], object], rows: Iterable[R]) -> None:
    """Put rows in the place of those with the same key, in one write."""
    new = {key(row): row for row in rows}
    if new:
        write_records(path, (new.get(key(row), row) for row in rows_if_there(path, kind)))


def rows_if_there(path: Path, kind: type[R]) -> Iterator[R]:
    """The rows of a file one by one, none if there is no file."""
    return iterate_records(path, kind) if path.exists() else iter(())


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
