"""Pictures of items, by the number of the item: only files that are what their record says, and are pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from srpo.review.shown import Refused
from srpo.types import Image

MAX_BYTES: Final = 64 * 2**20

_KINDS: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def read_picture(folder: Path, image: Image) -> tuple[bytes, str]:
    """Bytes and media type.

    A path may lead anywhere, so nothing leaves that is not a raster picture with the hash of the record.  Raises
    Refused if it is not there or is something else.
    """
    path = folder / image.path
    try:
        if "\x00" in image.path or not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise Refused("the picture is not there, or too large to be shown")
        data = path.read_bytes()
    except OSError as error:
        raise Refused(f"the picture cannot be read ({error.strerror})") from None
    kind = _kind_of(data)
    if kind is None:
        raise Refused("the picture is not PNG, JPEG, GIF or WebP")
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise Refused("the picture is not the one that was reviewed: its file has changed")
    return data, kind


def _kind_of(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _KINDS if data.startswith(mark)), None)
