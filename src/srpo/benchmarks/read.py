"""Strict readers of published benchmark files: what does not fit is refused by file, row and field, never repaired.

A loader makes a `Row` of every row, an `Item` of every `Row`, and ends with `checked`, which looks at ids and pictures.
Fields that a row model does not name are ignored, for files grow.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from srpo.benchmarks.hub import local_copy
from srpo.benchmarks.pictures import Pictures
from srpo.errors import DataError
from srpo.types import Item

AGAIN: Final = "get the file again from its publisher, or correct the row"

_SHOWN: Final = 60
"""Characters of a wrong value that a message repeats."""

_LONGEST_CELL: Final = 10_000_000


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text


Words = Annotated[str, AfterValidator(_not_blank)]
"""Text with at least one character that shows."""


class Row(BaseModel):
    """One row of a published file: declared fields are strict, others are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", protected_namespaces=())
    id_field: ClassVar[str | None] = None
    """Field that identifies the row in messages."""


R = TypeVar("R", bound=Row)


def find_file(path: Path, *names: str) -> Path:
    """The file itself, or the one in the folder `path` that has the first of the published names.

    `path` may also be `hub:NAME` or `hub:NAME@REVISION` (`srpo.benchmarks.hub.local_copy`).  Raises DataError if there
    is none.
    """
    path = local_copy(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder; give the published file, or the folder with {_either(names)}")
    found = next((path / name for name in names if (path / name).is_file()), None)
    if found is None:
        raise DataError(f"{path}: is a folder without {_either(names)}; give the published file itself")
    return found


def read_json_list(path: Path, kind: type[R]) -> list[R]:
    """Rows of a file that is one JSON list of objects.  Raises DataError."""
    data = _json(path, read_text(path))
    if not isinstance(data, list):
        raise DataError(f"{path}: expected a JSON list of rows, got {_type(data)}; {AGAIN}")
    return _rows(path, enumerate(data, 1), kind)


def read_json_dict(path: Path, kind: type[R]) -> dict[str, R]:
    """Rows of a file that is one JSON object from id to row.  Raises DataError, also for an id given twice."""
    data = _json(path, read_text(path))
    if not isinstance(data, dict):
        raise DataError(f"{path}: expected a JSON object from id to row, got {_type(data)}; {AGAIN}")
    return dict(zip(data, _rows(path, data.items(), kind), strict=True))


def read_json_lines(path: Path, kind: type[R]) -> list[R]:
    """Rows of a file with one JSON object per line; blank lines are refused.  Raises DataError."""
    lines = read_text(path).removesuffix("\n").split("\n")
    return _rows(path, ((number, _json(path, line, number)) for number, line in enumerate(lines, 1)), kind)


def read_csv(path: Path, kind: type[R]) -> list[R]:
    """Rows of a CSV file with a header line; row 1 is the first below it.  Raises DataError.

    Cells are text: a row model's numbers and flags are read from it.
    """
    return _rows(path, enumerate(_cells(path), 1), kind, cells=True)


def read_json(path: Path) -> Any:
    """The one JSON value of a file, whatever its shape.  Raises DataError."""
    return _json(path, read_text(path))


def check_rows(path: Path, found: Iterable[tuple[object, object]], kind: type[R]) -> list[R]:
    """Rows, each with its name for messages, that were read by other means.  Raises DataError."""
    return _rows(path, found, kind)


def source_of(path: Path, row: object) -> str:
    """Words for `Item.source`."""
    return f"{path.name}, row {row}"


def checked(items: Sequence[Item], path: Path, images: Path | None, check_images: bool) -> list[Item]:
    """The items with the paths of their pictures, which loaders give as the file names them.

    A picture is looked up under `images`, or beside the file and in its folder `images` if that is none.  Raises
    DataError if an id is given twice, or, with `check_images`, if a picture is missing, lies outside of the folder, is
    no picture or is too large.
    """
    seen: dict[str, Item] = {}
    for item in items:
        other = seen.setdefault(item.id, item)
        if other is not item:
            raise DataError(
                f"{path.parent / item.source}: id {item.id} was already given in {other.source}; "
                f"ids must differ; {AGAIN}"
            )
    pictures = Pictures([images] if images else [path.parent, path.parent / "images"], check_images)
    found = [
        item.model_copy(update={"images": tuple(pictures.find(name, item.source) for name in item.images)})
        for item in items
    ]
    pictures.check_missing(path)
    return found


def read_text(path: Path) -> str:
    """Text of a file that is UTF-8 and not empty, byte order mark removed.  Raises DataError."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder; give the published file itself")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); {AGAIN}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror}); check path and permissions") from None
    if not text.strip():
        raise DataError(f"{path}: is empty; {AGAIN}")
    return text


def _rows(path: Path, found: Any, kind: type[R], *, cells: bool = False) -> list[R]:
    rows = [_row(path, name, value, kind, cells) for name, value in found]
    if not rows:
        raise DataError(f"{path}: holds no rows; {AGAIN}")
    return rows


def _row(path: Path, name: object, value: Any, kind: type[R], cells: bool) -> R:
    if not isinstance(value, dict):
        raise DataError(f"{path}, row {name}: expected an object with fields, got {_type(value)}; {AGAIN}")
    try:
        return kind.model_validate_strings(value, strict=False) if cells else kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
    row_id = value.get(kind.id_field) if kind.id_field else None
    place = f"{path}, row {name}" + (f" (id {_shown(row_id)})" if row_id is not None else "")
    field = ".".join(str(part) for part in first["loc"]) or "row"
    if first["type"] == "missing":
        there = ", ".join(map(str, value)) or "none"
        raise DataError(f"{place}: field {field} is missing, there are {there[:200]}; {AGAIN}")
    problem = first["msg"].removeprefix("Value error, ")
    raise DataError(f"{place}, field {field}: {problem}, got {_shown(first['input'])}; {AGAIN}")


def _json(path: Path, text: str, line: int | None = None) -> Any:
    """One JSON value, read so that nothing in it is ambiguous."""
    place = f"{path}, row {line}" if line else f"{path}"
    if not text.strip():
        raise DataError(f"{place}: is blank; delete the line")
    try:
        data = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
        json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise DataError(f"{place}: nested too deeply; {AGAIN}") from None
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        hint = "the file seems to be cut off; " if cut else ""
        at = f"line {line or error.lineno}, column {error.colno}"
        raise DataError(f"{place}: not JSON, {error.msg} at {at}; {hint}{AGAIN}") from None
    except UnicodeEncodeError:
        raise DataError(f"{place}: holds half a character (an unpaired surrogate); {AGAIN}") from None
    except ValueError as error:
        raise DataError(f"{place}: {error}; {AGAIN}") from None
    return data


def _cells(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file as column -> text; every row must have as many cells as the header."""
    text = read_text(path)
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        header, *rows = (row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)
    except csv.Error as error:
        raise DataError(f"{path}: not a whole CSV file ({error}); {AGAIN}") from None
    finally:
        csv.field_size_limit(limit)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} is given twice; {AGAIN}")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise DataError(f"{path}, row {number}: has {len(row)} cells, the header has {len(header)}; {AGAIN}")
    return [dict(zip(header, row, strict=True)) for row in rows]


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {_shown(key)} is given twice")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _type(value: object) -> str:
    names: Mapping[type, str] = {dict: "an object", list: "a list", str: "a text", type(None): "null"}
    return names.get(type(value), _shown(value))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)
