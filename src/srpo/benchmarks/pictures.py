"""Pictures of a benchmark: found under their folder only, and opened once by content, whatever their names end in."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image as PILImage

from srpo.errors import DataError

MAX_PIXELS: Final = 2**26
"""Of one picture, about 67 million; checked before any pixel is decoded."""

ENDINGS: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
"""Tried in turn for a picture that the file names without an ending."""

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


class Pictures:
    """Finds pictures under some folders, and remembers those that are missing."""

    def __init__(self, folders: Sequence[Path], check: bool) -> None:
        self._folders = [folder.expanduser() for folder in folders]
        self._check = check
        self._found: dict[str, str] = {}
        self._missing: list[str] = []

    def find(self, name: str, source: str) -> str:
        """Absolute path of the picture that a row calls `name`; where it would be, if it is missing unchecked.

        Raises DataError if the name leads out of the folder, or the file is no picture.
        """
        if name not in self._found:
            self._found[name] = self._look(name, source)
        return self._found[name]

    def check_missing(self, path: Path) -> None:
        """Raises DataError that counts the missing pictures and names the first."""
        if not self._missing:
            return
        folders = " and ".join(str(folder) for folder in self._folders)
        raise DataError(
            f"{path}: {len(self._missing)} of the {len(self._found)} pictures it names are missing, the first is "
            f"{self._missing[0]}; looked in {folders}; name the folder of the pictures (`images`)"
        )

    def _look(self, name: str, source: str) -> str:
        relative = _inside(name, source)
        for folder in self._folders:
            for place in _places(folder, relative):
                if place.is_file():
                    if self._check:
                        _check_inside(place, folder, name, source)
                        _check_picture(place, source)
                    return str(place.absolute())
        if not self._check:
            return str(self._folders[0].absolute() / relative)
        self._missing.append(f"{name!r} ({source})")
        return name


def _inside(name: str, source: str) -> PurePosixPath:
    relative = PurePosixPath(name)
    if not name or "\0" in name or "\\" in name or relative.is_absolute() or ".." in relative.parts:
        raise DataError(f"{source}: picture {name!r} is not a plain path below the folder of pictures; correct the row")
    return relative


def _places(folder: Path, relative: PurePosixPath) -> list[Path]:
    """Where a picture may lie; a name that begins with the folder's own name is meant from the folder above."""
    names = [relative]
    if len(relative.parts) > 1 and relative.parts[0] == folder.name:
        names.append(relative.relative_to(relative.parts[0]))
    endings = ("",) if relative.suffix.lower() in ENDINGS else ("", *ENDINGS)
    return [folder / f"{place}{ending}" for place in names for ending in endings]


def _check_inside(place: Path, folder: Path, name: str, source: str) -> None:
    found = place.resolve()
    if not (found.is_relative_to(folder.resolve()) or found.is_relative_to(_blobs(folder))):
        raise DataError(f"{source}: picture {name!r} is a link out of {folder}; put the file itself there")


def _blobs(folder: Path) -> Path:
    """Where the cache of a hub keeps the contents of a snapshot, whose files are links; else the folder itself."""
    for part in (folder.absolute(), *folder.absolute().parents):
        if part.parent.name == "snapshots" and (part.parent.parent / "blobs").is_dir():
            return (part.parent.parent / "blobs").resolve()
    return folder.resolve()


def _check_picture(place: Path, source: str) -> None:
    """Look at the head of the file, and at its checksums if the format has some; pixels are not decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PILImage.DecompressionBombWarning)  # our own limit is lower
            with PILImage.open(place, formats=_FORMATS) as image:
                width, height = image.size
                if width * height <= MAX_PIXELS:
                    image.verify()
    except PILImage.DecompressionBombError:
        raise DataError(f"{place} ({source}): has more than {MAX_PIXELS} pixels; make it smaller") from None
    except Exception as error:  # decoders meet unknown bytes here, and raise almost anything
        known = ", ".join(_FORMATS)
        raise DataError(f"{place} ({source}): not a readable picture ({known}): {error}; get it again") from None
    if width * height > MAX_PIXELS:
        raise DataError(f"{place} ({source}): {width} x {height} is more than {MAX_PIXELS} pixels; make it smaller")
