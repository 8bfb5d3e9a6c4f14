"""Pictures of a page of items: each stands in the page once, up to a budget; the others are linked where they lie."""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

import PIL.Image

BUDGET: Final = 15_000_000
"""Characters of pictures that a page carries."""

_SMALL: Final = 16_384
"""Bytes; a picture file up to this size goes into the page as it is."""

_LARGEST_SIDE: Final = 512
"""Pixels; larger pictures are shrunk."""


class Picture(NamedTuple):
    """Where a picture comes from: `source` is a data URI or a relative address, none if it cannot be read."""

    path: str
    source: str | None


def embed_pictures(paths: Iterable[str], folder: Path, budget: int = BUDGET) -> list[Picture]:
    """One picture per path, in order; relative paths start at `folder`, where the page will stand.

    Pictures go into the page until `budget` characters are used up.  Later ones are linked, without being opened.
    """
    found = []
    for path in paths:
        source = data_uri_of(folder / path) if budget > 0 else _link(folder / path, folder)
        if source and source.startswith("data:"):
            budget -= len(source)
        found.append(Picture(path, source))
    return found


def data_uri_of(path: Path) -> str | None:
    """A picture as a data URI, shrunk to WebP unless the file is small; none if it cannot be read."""
    try:
        with warnings.catch_warnings(), PIL.Image.open(path, formats=("PNG", "JPEG", "WEBP", "GIF", "BMP")) as picture:
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            if path.stat().st_size <= _SMALL and max(picture.size) <= _LARGEST_SIDE and picture.format != "BMP":
                picture.load()
                return _data_uri(f"image/{str(picture.format).lower()}", path.read_bytes())
            small = picture.convert("RGB")
            small.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError):
        return None
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80)
    return _data_uri("image/webp", buffer.getvalue())


def _link(path: Path, folder: Path) -> str | None:
    """Address relative to the page; `:` is quoted, so no path can name another scheme or host."""
    try:
        return quote(os.path.relpath(path, folder)) if path.is_file() else None
    except (OSError, ValueError):
        return None


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
