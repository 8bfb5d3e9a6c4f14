"""Picture files as people have them, drawn by seed."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from PIL import Image as PILImage
from PIL import ImageDraw

from srpo.data.config import ImageSettings
from srpo.data.pictures import open_picture, perceptual_hash, store_picture
from srpo.types import Image


class Taken(NamedTuple):
    """A picture that was decoded, hashed and stored."""

    image: Image
    phash: str
    changes: tuple[str, ...]


def take_picture(data: bytes, name: str, settings: ImageSettings, out: Path) -> Taken:
    picture = open_picture(data, name, settings)
    return Taken(store_picture(picture, out), perceptual_hash(picture.pixels), picture.changes)


def draw(seed: int, size: tuple[int, int] = (96, 64), mode: str = "RGB") -> PILImage.Image:
    """Some bright shapes on a ground; another seed looks quite different."""
    rng = random.Random(seed)
    image = PILImage.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        box = (x, y, x + rng.randrange(8, 40), y + rng.randrange(8, 40))
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, tuple(rng.randrange(256) for _ in range(3)))
    return image.convert(mode)


def encode(image: PILImage.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    """A PNG file of any depth and kind of colour; `rows` are the raw bytes, each row after a filter byte."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
