"""Pictures with something taken away, and where they are kept."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Final

from PIL import Image as PILImage

from srpo.errors import DataError
from srpo.records import replacing

GREY: Final = (128, 128, 128)

GRID: Final = 4
"""Tiles per side of a shuffled picture.  Two would leave objects of the embedded world whole."""


def blank(size: tuple[int, int]) -> PILImage.Image:
    """A grey picture of that width and height in pixels."""
    return PILImage.new("RGB", size, GREY)


def shuffled(picture: PILImage.Image, rng: random.Random) -> PILImage.Image | None:
    """The picture with its `GRID` x `GRID` tiles in another order, none in its place; none if it is too small.

    Pixels at the right and lower edge that fill no whole tile stay.
    """
    width, height = picture.width // GRID, picture.height // GRID
    if not width or not height:
        return None
    corners = [(x * width, y * height) for y in range(GRID) for x in range(GRID)]
    result = picture.copy()
    for (x, y), corner in zip(_one_cycle(corners, rng), corners, strict=True):
        result.paste(picture.crop((x, y, x + width, y + height)), corner)
    return result


def _one_cycle(places: list[tuple[int, int]], rng: random.Random) -> list[tuple[int, int]]:
    """A permutation that is one cycle (Sattolo's algorithm), so that nothing stays in its place."""
    found = list(places)
    for last in range(len(found) - 1, 0, -1):
        other = rng.randrange(last)
        found[last], found[other] = found[other], found[last]
    return found


def open_picture(path: Path) -> PILImage.Image:
    """An RGB picture.  Raises DataError that names the file if it cannot be read."""
    try:
        with PILImage.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, PILImage.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({error}); replace the file or drop its sample") from error


def store(picture: PILImage.Image, folder: Path) -> Path:
    """Write an RGB picture as PNG, once, under a name that is its size and a hash of its pixels."""
    digest = hashlib.sha256(picture.tobytes()).hexdigest()[:16]
    path = folder / f"{picture.width}x{picture.height}-{digest}.png"
    if not path.exists():
        with replacing(path) as file:
            picture.save(file, format="PNG")
    return path
