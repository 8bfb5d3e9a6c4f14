"""JSON lines: append, read, resume.  Knows no stage.

A row is one record plus `"schema"`.  Appends are flushed and synced per call, so a killed process loses at
most the row it was writing; such a torn last line is cut off by `repair`, and only there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from srpo.errors import DataError
from srpo.types import SCHEMA, Record

R = TypeVar("R", bound=Record)


def content_id(*parts: object) -> str:
    """A short stable id of JSON-able parts: 16 hex digits of their SHA-256."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seed_of(*parts: object) -> int:
    """A 63-bit seed from JSON-able parts, the same on every machine."""
    return int(content_id(*parts), 16) >> 1


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    rows = [dump_row(record) for record in records]
    write_text(path, "".join(row + "\n" for row in rows))
    return len(rows)


def write_text(path: Path, text: str) -> None:
    """Replace a file atomically, so that a reader sees the old text or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(
            f"{path}: cannot write ({error.strerror}); free space or fix permissions, then resume"
        ) from error


def read_records(path: Path, kind: type[R]) -> list[R]:
    """All rows of a file.  Raises DataError with file, line and reason."""
    return list(iterate_records(path, kind))


def iterate_records(path: Path, kind: type[R]) -> Iterator[R]:
    """Rows one by one.  Raises DataError with file, line and reason."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                yield _parse_line(path, number, line, kind)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; run the stage that writes it first") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror})") from error


def repair(path: Path) -> int:
    """Cut a torn last line (one without its line break) off; returns the number of bytes removed."""
    if not path.exists():
        return 0
    with path.open("rb+") as file:
        data = file.read()
        keep = data.rfind(b"\n") + 1
        if keep == len(data):
            return 0
        file.truncate(keep)
    return len(data) - keep


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
