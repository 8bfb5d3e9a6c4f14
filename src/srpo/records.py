"""JSON lines: append, read, resume.  Knows no stage.

A row is one record plus `"schema"`.  Appends are flushed and synced per call, so a killed process loses at
most the rows it was writing; a torn last line is cut off by `repair`, and only there.  Whole files go through
memory row by row.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from pydantic import ValidationError

from srpo.errors import DataError
from srpo.types import SCHEMA, Record

R = TypeVar("R", bound=Record)

_BLOCK: Final = 1 << 16
"""Bytes that are read at once to find the end of the last whole line."""


def content_id(*parts: object) -> str:
    """A short stable id of JSON-able parts: 16 hex digits of their SHA-256."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seed_of(*parts: object) -> int:
    """A 63-bit seed from JSON-able parts, the same on every machine."""
    return int(content_id(*parts), 16) >> 1


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dump_row(record: Record) -> str:
    """One line of JSON, without the line break."""
    return json.dumps({"schema": SCHEMA, **record.model_dump(mode="json")}, ensure_ascii=False)


def append_records(path: Path, records: Iterable[Record]) -> int:
    """Append rows and sync them to disk; returns how many.  Raises DataError if the disk refuses."""
    lines = [dump_row(record) + "\n" for record in records]
    try:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(
            f"{path}: cannot write ({error.strerror}); free space or fix permissions, then resume"
        ) from error
    return len(lines)


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write a whole file atomically; returns the number of rows."""
    count = 0
    with replacing(path) as file:
        for record in records:
            file.write(dump_row(record).encode() + b"\n")
            count += 1
    return count


def write_text(path: Path, text: str) -> None:
    """Replace a file atomically, so that a reader sees the old text or the new one."""
    with replacing(path) as file:
        file.write(text.encode())


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` when all of it is synced.

    Raises DataError if the disk refuses; after that or any other error the old file is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot write ({error.strerror}); free space or fix permissions, then resume"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def read_records(path: Path, kind: type[R]) -> list[R]:
    """All rows of a file.  Raises DataError with file, line and reason."""
    return list(iterate_records(path, kind))


def iterate_records(path: Path, kind: type[R]) -> Iterator[R]:
    """Rows one by one.  Raises DataError with file, line and reason."""
    return (record for _, record in iterate_places(path, kind))


def iterate_places(path: Path, kind: type[R]) -> Iterator[tuple[int, R]]:
    """Rows one by one, each with the byte where it begins.  Raises DataError with file, line and reason."""
    place = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield place, _parse_line(path, number, line.decode(), kind)
                place += len(line)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run the stage that writes it first") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {place + error.start})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror})") from error


def read_record(path: Path, place: int, kind: type[R]) -> R:
    """The row that begins at a byte which `iterate_places` has given."""
    with path.open("rb") as file:
        file.seek(place)
        return _parse_line(path, 0, file.readline().decode(), kind)


def repair(path: Path) -> int:
    """Cut a torn last line (one without its line break) off; returns the number of bytes removed."""
    if not path.exists():
        return 0
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        keep = _end_of_last_line(file, size)
        if keep < size:
            file.truncate(keep)
    return size - keep


def _end_of_last_line(file: IO[bytes], size: int) -> int:
    """Bytes up to and with the last line break."""
    for start in range((size - 1) // _BLOCK * _BLOCK, -1, -_BLOCK):
        file.seek(start)
        found = file.read(_BLOCK).rfind(b"\n")
        if found >= 0:
            return start + found + 1
    return 0


def _parse_line(path: Path, number: int, line: str, kind: type[R]) -> R:
    if not line.strip():
        raise DataError(f"{path}, line {number}: is blank; delete it")
    try:
        row: Any = json.loads(line)
    except RecursionError:
        raise DataError(f"{path}, line {number}: nested too deeply; make it flatter") from None
    except json.JSONDecodeError as error:
        hint = (
            " (the line is cut off: a writer was killed; delete it or run the stage again)"
            if not line.endswith("\n")
            else ""
        )
        raise DataError(f"{path}, line {number}: not JSON, {error.msg} at column {error.colno}{hint}") from None
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number}: expected an object, got {type(row).__name__}")
    version = row.pop("schema", None)
    if version != SCHEMA:
        raise DataError(f"{path}, line {number}: schema {version!r}, but this version reads {SCHEMA!r}")
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "row"
        raise DataError(f"{path}, line {number}, field {where}: {first['msg']}") from None
