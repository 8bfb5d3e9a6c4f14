"""The published folder: which files in it are ours, and how it takes its place when it is whole."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from srpo.errors import DataError
from srpo.publish.rows import Tier
from srpo.runs import RunFolder
from srpo.types import Record

MANIFEST: Final = "publication.json"
"""Says that a folder is ours, and which files in it are."""


class Publication(Record):
    """What a published folder holds; hashes are SHA-256 in hex."""

    record: Literal["publication"] = "publication"
    name: str
    columns: str = Field(description="version of the columns")
    tier: Tier
    licence: str
    samples: int
    sets: int
    splits: dict[str, int] = Field(description="split -> samples")
    inputs: dict[str, str] = Field(description="file of the dataset folder -> hash")
    files: dict[str, str] = Field(description="file of this folder -> hash")


def check_place(out: Path, run: Path, *, force: bool) -> None:
    """Raises DataError if writing to `out` would touch the dataset's folder `run`, or files that are not ours.

    With `force` files of others may lie there; they stay, unless one has the name of one of ours.
    """
    home, place = run.resolve(), out.resolve()
    if RunFolder(out).config.exists() or home.is_relative_to(place) or place.is_relative_to(home):
        raise DataError(f"{out}: is a run's own folder, or holds the dataset's or lies in it; choose another --out")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: is a file; choose another --out")
    if not force and (stranger := _stranger(out)):
        raise DataError(f"{out}: holds {stranger!r}, which no publication wrote; --force writes there all the same")


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """An empty folder beside `out`, gone at the end if it has not been moved."""
    folder = _near(out, "tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear(out)
        folder.mkdir()
        yield folder
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error}); check rights and free space, or choose another --out"
        raise DataError(f"{error.filename or out}: {problem}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move(folder: Path, out: Path) -> None:
    """Put a finished folder in the place of `out`: at once if all there is ours, else file by file."""
    if not out.exists():
        folder.replace(out)
        return
    if _stranger(out) is None:
        old = _near(out, "old")
        out.replace(old)
        try:
            folder.replace(out)
        except OSError:
            old.replace(out)
            raise
        shutil.rmtree(old)
        return
    before = _files_of(out)
    # Without its manifest the folder is nobody's, until all files are there.
    (out / MANIFEST).unlink(missing_ok=True)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in sorted(set(before) - set(names)):
        (out / name).unlink(missing_ok=True)
    for name in sorted(names, key=lambda name: name == MANIFEST):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).replace(out / name)


def _clear(out: Path) -> None:
    """Undo what killed processes have left: unfinished folders go, a release that was set aside comes back."""
    pattern = re.compile(rf"\.{re.escape(out.absolute().name)}\.(\d+)\.(tmp|old)")
    for path in sorted(out.absolute().parent.iterdir()):
        found = pattern.fullmatch(path.name)
        if found is None or (int(found[1]) != os.getpid() and _runs(int(found[1]))):
            continue
        if found[2] == "old" and not out.exists():
            path.replace(out)
        else:
            shutil.rmtree(path)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _near(out: Path, ending: str) -> Path:
    """A folder on the same disk, so that it can be moved."""
    whole = out.absolute()
    return whole.with_name(f".{whole.name}.{os.getpid()}.{ending}")


def _stranger(out: Path) -> str | None:
    """A file of a folder that the manifest there does not name, or none."""
    if not out.is_dir():
        return None
    ours = {MANIFEST, *_files_of(out)}
    there = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir())
    return next((name for name in there if name not in ours or MANIFEST not in there), None)


def _files_of(out: Path) -> list[str]:
    """Files that the manifest names.  A name that leads out of the folder is not one that a publication writes."""
    try:
        found = list(Publication.model_validate_json((out / MANIFEST).read_bytes()).files)
    except FileNotFoundError:
        return []
    except (OSError, ValidationError) as error:
        problem = str(error).partition("\n")[0]
        raise DataError(f"{out / MANIFEST}: cannot be read ({problem}); choose another --out") from None
    return [name for name in found if (out / name).resolve().is_relative_to(out.resolve())]
