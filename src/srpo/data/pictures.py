"""One picture of the user's: decoded strictly, made upright, RGB and 8 bits, and put into the dataset's folder.

A file's bytes say what it is, its name does not.  What is ordinary already keeps its bytes, but for metadata;
everything else is stored as PNG.  What cannot be used is refused with one word for counting and a sentence.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image as PILImage
from PIL import ImageOps, UnidentifiedImageError

from srpo.data.bare import bare_file
from srpo.data.config import ImageSettings
from srpo.errors import ConfigError
from srpo.records import file_sha256, replacing
from srpo.types import Image

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What is decoded.  A JPEG file with further pictures behind the first, as phones write it, opens as `MPO`."""

_ENDINGS: Final = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
"""Formats whose bytes may stay."""

_SIGNATURES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")

_ORIENTATION: Final = 0x0112
_BITS_PER_SAMPLE: Final = 258
_PHOTOMETRIC: Final = 262


class PictureRefused(Exception):
    """A picture cannot be used.  `reason` is one word, `detail` says what was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Picture:
    """A decoded picture that is not stored yet: upright, RGB, 8 bits."""

    pixels: PILImage.Image
    data: bytes
    """The file to be stored."""
    ending: str
    changes: tuple[str, ...]


def open_picture(data: bytes, name: str, settings: ImageSettings) -> Picture:
    """Decode a picture without storing it.  Raises PictureRefused."""
    with _opened(data, name, settings) as (image, changes):
        image.load()
        return _prepared(image, data, name, changes)


def check_head(data: bytes, name: str, settings: ImageSettings) -> None:
    """Look at what a file says of itself, without decoding pixels.  Raises PictureRefused."""
    with _opened(data, name, settings):
        pass


@contextmanager
def _opened(data: bytes, name: str, settings: ImageSettings) -> Iterator[tuple[PILImage.Image, list[str]]]:
    """A file whose head is in order, and the changes that it needs.  Raises PictureRefused."""
    if not data:
        raise PictureRefused("empty", f"{name!r} holds no bytes")
    with decoding(name, data), PILImage.open(io.BytesIO(data), formats=FORMATS) as image:
        check_size(image, name, settings)
        yield image, [_first_frame(image, name)] if getattr(image, "is_animated", False) else []


@contextmanager
def decoding(name: str, data: bytes = b"") -> Iterator[None]:
    """Turn whatever a decoder raises into PictureRefused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of a size that has its own limit here
            yield
    except PictureRefused:
        raise
    except PILImage.DecompressionBombError:
        raise PictureRefused("too_large", f"{name!r} has far too many pixels; make it smaller") from None
    except UnidentifiedImageError:
        if data.startswith(_SIGNATURES):
            raise PictureRefused("broken", f"{name!r} begins like a picture, but its head cannot be read") from None
        known = ", ".join(FORMATS)
        raise PictureRefused("format", f"{name!r} is no {known} file; it begins with {data[:8]!r}") from None
    except Exception as error:  # decoders meet unknown bytes here, and raise almost anything
        problem = " ".join(str(error).split())[:200] or type(error).__name__
        raise PictureRefused("broken", f"{name!r} cannot be decoded ({problem})") from None


def check_size(image: PILImage.Image, name: str, settings: ImageSettings) -> None:
    """Look at the head of a file, before any pixel is decoded.  Raises PictureRefused."""
    width, height = image.size
    if width * height > settings.max_pixels:
        raise PictureRefused("too_large", f"{name!r} has {width} x {height} pixels, at most {settings.max_pixels}")
    if min(width, height) < settings.min_edge:
        raise PictureRefused("too_small", f"{name!r} has {width} x {height} pixels, at least {settings.min_edge} each")


def _first_frame(image: PILImage.Image, name: str) -> str:
    """What is said of a file of several pictures, if the first one is the picture.  Raises PictureRefused if not."""
    if image.format == "MPO":  # previews, depth and brightness of the same shot
        return "first of several pictures"
    if image.format == "TIFF":
        raise PictureRefused("pages", f"{name!r} holds several pages; save the one that is meant")
    raise PictureRefused("animated", f"{name!r} is animated; save the frame that is meant")


def _prepared(image: PILImage.Image, data: bytes, name: str, changes: list[str]) -> Picture:
    upright = _upright(image, changes)
    pixels = _rgb(upright, image, data, name, changes)
    if not changes and image.format in _ENDINGS:
        bare = bare_file(data, image.format)
        if bare != data:
            changes.append("metadata dropped")
        if bare is not None:
            return Picture(pixels, bare, _ENDINGS[image.format], tuple(changes))
    if not changes:
        changes.append(f"{image.format} to PNG")
    if "icc_profile" in image.info:
        changes.append("colour profile dropped")
    return Picture(pixels, _png(pixels), "png", tuple(changes))


def _upright(image: PILImage.Image, changes: list[str]) -> PILImage.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a later reader of the kept file would meet what is odd here
            if isinstance(found := image.info.get("exif"), bytes):
                PILImage.Exif().load(found)
        orientation = image.getexif().get(_ORIENTATION, 1)
        if orientation in range(2, 9):
            turned = ImageOps.exif_transpose(image)
            changes.append("rotated by EXIF")
            return turned
    except Exception:  # EXIF of any camera or editor; a picture without it is still a picture
        changes.append("unreadable EXIF dropped")
    return image


def _rgb(image: PILImage.Image, original: PILImage.Image, data: bytes, name: str, changes: list[str]) -> PILImage.Image:
    """The picture in RGB, 8 bits, transparency over white."""
    if original.format == "PNG" and data[24:25] == b"\x10":
        changes.append("16 bits to 8")
        image.info.pop("transparency", None)  # a colour in 16 bits, which no pixel has any more
    if image.mode.startswith("I;16"):
        image = _eight_bits(image, original)
        changes.extend(["16 bits to 8"] * ("16 bits to 8" not in changes))
    if image.mode in ("I", "F"):
        raise PictureRefused("mode", f"{name!r} has 32-bit pixels of no agreed brightness; save it with 8 bits")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"), name, changes)
    if image.mode != "RGB":
        changes.append(f"{image.mode} to RGB")
        try:
            image = image.convert("RGB")
        except ValueError:
            raise PictureRefused("mode", f"{name!r} has colours of the kind {image.mode}; save it as RGB") from None
    return image


def _eight_bits(image: PILImage.Image, original: PILImage.Image) -> PILImage.Image:
    """Grey of 16 bits, from 0 = black to the largest value = white."""
    values = np.asarray(image).astype(np.uint32)
    tags = getattr(original, "tag_v2", {})
    bits = int((tags.get(_BITS_PER_SAMPLE) or (16,))[0])
    white = (1 << bits) - 1
    grey = ((values * 255 + white // 2) // white).clip(0, 255).astype(np.uint8)
    # The decoder turns such pictures for 8 bits only.
    return PILImage.fromarray(255 - grey if tags.get(_PHOTOMETRIC) == 0 else grey)


def _on_white(image: PILImage.Image, name: str, changes: list[str]) -> PILImage.Image:
    alpha = np.asarray(image.getchannel("A"))
    if not alpha.any():
        raise PictureRefused("transparent", f"{name!r} is transparent everywhere; it shows nothing")
    changes.append("transparency over white" if alpha.min() < 255 else "opaque alpha dropped")
    white = PILImage.new("RGBA", image.size, "white")
    return PILImage.alpha_composite(white, image).convert("RGB")


def _png(pixels: PILImage.Image) -> bytes:
    # A fresh picture carries no metadata.
    clean = PILImage.frombytes("RGB", pixels.size, pixels.tobytes())
    buffer = io.BytesIO()
    clean.save(buffer, "PNG")
    return buffer.getvalue()


def store_picture(picture: Picture, out: Path) -> Image:
    """Write the file under its hash into `images` of the folder `out`, atomically.  Raises DataError."""
    sha256 = hashlib.sha256(picture.data).hexdigest()
    relative = f"images/{sha256[:16]}.{picture.ending}"
    path = out / relative
    if not path.is_file() or file_sha256(path) != sha256:
        with replacing(path) as file:
            file.write(picture.data)
    width, height = picture.pixels.size
    return Image(path=relative, sha256=sha256, width=width, height=height)


def perceptual_hash(pixels: PILImage.Image) -> str:
    """64 bits in hex; pictures that look alike differ in few of them.  Raises ConfigError without `imagehash`."""
    try:
        import imagehash
    except ImportError as error:
        raise ConfigError(f'building a dataset needs {error.name}: pip install "srpo[data]"') from None
    return str(imagehash.phash(pixels))


def pixel_hash(pixels: PILImage.Image) -> str:
    """SHA-256 in hex over size and pixels: equal for one picture in two files, whatever their formats."""
    width, height = pixels.size
    return hashlib.sha256(f"{width} {height}\n".encode() + pixels.tobytes()).hexdigest()
