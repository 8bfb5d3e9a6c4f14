"""What the user gives: the files of a folder, a table that says whose they are, a file of captions.

Names and cells are read strictly; the same folder gives the same list in the same order.
"""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from srpo.errors import ConfigError, DataError

_COLUMNS: Final = ("file", "licence", "attribution", "url", "caption", "do_not_train")
_FLAGS: Final = {"": False, "false": False, "no": False, "0": False, "true": True, "yes": True, "1": True}
_LONGEST_CAPTION: Final = 4000
"""Characters."""

_PROBLEMS_TOLD: Final = 5
"""Of one table."""


@dataclass(frozen=True)
class Entry:
    """One file below the folder."""

    name: str
    """Relative to the folder, with `/`; bytes that are no UTF-8 are escaped."""
    path: Path
    problem: tuple[str, str] | None = None
    """Reason and detail, if it cannot be read as a file of the folder."""


class Listing(NamedTuple):
    """What lies below the folder."""

    entries: list[Entry]
    """Sorted by name."""
    hidden: int
    """Hidden files and folders, which are passed over."""


@dataclass(frozen=True)
class TableRow:
    """What the table says of a file; empty where it says nothing."""

    licence: str = ""
    attribution: str = ""
    url: str = ""
    caption: str = ""
    do_not_train: bool = False


def list_files(folder: Path, apart: Path) -> Listing:
    """All files of a folder and its subfolders; hidden ones and the folder `apart` are left out.

    Links are followed to files inside the folder only.  Raises ConfigError if there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"images.folder: {folder} is no folder; name the one that holds the pictures")
    found: list[Entry] = []
    hidden = 0
    home, left_out = folder.resolve(), apart.resolve()
    for here, folders, files in os.walk(folder, onerror=_unlisted):
        parent = Path(here)
        hidden += sum(name.startswith(".") for name in (*folders, *files))
        shown = [name for name in folders if not name.startswith(".") and (parent / name).resolve() != left_out]
        links = [name for name in shown if (parent / name).is_symlink()]
        folders[:] = sorted(name for name in shown if name not in links)
        names = [*links, *(name for name in files if not name.startswith("."))]
        found += [_entry(folder, home, parent / name) for name in names]
    return Listing(sorted(found, key=lambda entry: entry.name), hidden)


def _unlisted(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be listed ({error.strerror}); fix its rights, or move it away")


def _entry(folder: Path, home: Path, path: Path) -> Entry:
    given = path.relative_to(folder).as_posix()
    name = given.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if name != given:
        return Entry(name, path, ("name", f"{name!r} has a name that is not UTF-8; rename it"))
    if path.is_symlink() and not (path.is_file() and path.resolve().is_relative_to(home)):
        return Entry(name, path, ("link", f"{name!r} is a link to a folder, to nothing or out of the folder"))
    if not path.is_file():
        return Entry(name, path, ("format", f"{name!r} is no ordinary file"))
    return Entry(name, path)


def read_table(path: Path, files: Collection[str]) -> dict[str, TableRow]:
    """Name of a file -> what the table says of it; `files` are the names that there are.

    Raises DataError that names file, row and column of the first problems; row 1 is the first below the header.
    """
    header, *rows = _cells(path)
    for name in header:
        if name not in _COLUMNS:
            raise DataError(f"{path}: unknown column {name!r}; the columns are {', '.join(_COLUMNS)}")
    if "file" not in header or len(set(header)) != len(header):
        raise DataError(f"{path}: expected a column `file`, and every column once; got {', '.join(header)}")
    found: dict[str, TableRow] = {}
    first: dict[str, int] = {}
    problems: list[str] = []
    for number, cells in enumerate(rows, 1):
        values = {column: text.strip() for column, text in zip(header, cells, strict=False)}
        if wrong := _row_problem(header, cells):
            problems.append(f"row {number}{wrong}")
            continue
        name = PurePosixPath(values.pop("file")).as_posix()
        if name in first:
            problems.append(f"row {number}, column file: {name!r} is that of row {first[name]}; keep one")
        elif name not in files:
            mend = "give its path relative to the folder, or delete the row"
            problems.append(f"row {number}, column file: {name!r} is not in images.folder; {mend}")
        first.setdefault(name, number)
        flag = _FLAGS[values.pop("do_not_train", "").casefold()]
        found[name] = TableRow(**values, do_not_train=flag)
    if problems:
        raise DataError(f"{path}, {_listed(problems)}")
    return found


def _listed(problems: Sequence[str]) -> str:
    """The first of them in one line, so that a table is mended in few starts."""
    more = len(problems) - _PROBLEMS_TOLD
    return "; ".join(problems[:_PROBLEMS_TOLD]) + (f"; and {more} rows more" if more > 0 else "")


def _row_problem(header: Sequence[str], cells: Sequence[str]) -> str | None:
    """What is wrong with a row by itself, in words that follow its number."""
    if len(cells) != len(header):
        return f": has {len(cells)} cells, the header has {len(header)}"
    checks = ((column, _cell_problem(column, text)) for column, text in zip(header, cells, strict=True))
    return next((f", column {column}: {problem}" for column, problem in checks if problem), None)


def _cell_problem(column: str, text: str) -> str | None:
    bare = text.strip()
    if column == "file" and not bare:
        return "is blank; name the file, or delete the row"
    if problem := _unfit(text):
        return problem
    if column == "do_not_train" and bare.casefold() not in _FLAGS:
        return f"expected true or false, got {bare[:60]!r}"
    if column == "url" and bare and not bare.startswith(("http://", "https://")):
        return f"expected http:// or https://, got {bare[:60]!r}"
    return None


def _cells(path: Path) -> list[list[str]]:
    text = _text(path, "images.table")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise DataError(f"{path}: not a whole CSV file ({error}); write it again") from None
    if not rows:
        raise DataError(f"{path}: is empty; the first line names the columns {', '.join(_COLUMNS)}")
    return [[name.strip() for name in rows[0]], *rows[1:]]


def read_captions(path: Path) -> dict[str, int]:
    """Caption -> its line; blank lines are left out.  Raises DataError that names the line."""
    found: dict[str, int] = {}
    for number, line in enumerate(_text(path, "images.captions").splitlines(), 1):
        caption = line.strip()
        if caption in found:
            raise DataError(f"{path}, line {number}: is the caption of line {found[caption]}; captions must differ")
        if problem := _unfit(caption):
            raise DataError(f"{path}, line {number}: {problem}")
        if len(caption) > _LONGEST_CAPTION:
            raise DataError(f"{path}, line {number}: has {len(caption)} characters, at most {_LONGEST_CAPTION}")
        if caption:
            found[caption] = number
    if not found:
        raise DataError(f"{path}: holds no caption; write one per line")
    return found


def _unfit(text: str) -> str | None:
    bad = next((character for character in text if unicodedata.category(character) in ("Cc", "Cs")), None)
    return None if bad is None else f"holds the control character {bad!r}; delete it"


def _text(path: Path, setting: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{setting}: {path} is not there; check the path") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror}); check path and rights") from None
