"""Files of pictures without what decoding does not need: notes of cameras and editors, places, whatever lies behind.

Where somebody lives is not to be published, and it stands in more blocks than can be listed.  So the blocks that stay
are listed here, and all others go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

_SCAN: Final = 0xDA
_END: Final = 0xD9
"""Second bytes of JPEG segments: of the pixels, and of the end of the picture."""

_PLAIN_HEADS: Final = {0xE0: (b"JFIF\0",), 0xE2: (b"ICC_PROFILE\0",), 0xEE: (b"Adobe",)}
"""Application segments that decide how pixels are shown -> how they begin."""

_AFTER_SCAN: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""A marker that is neither a byte of the pixels nor a restart within them."""

_PNG_BLOCKS: Final = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs")
)
_WEBP_BLOCKS: Final = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"))


def bare_file(data: bytes, kind: str) -> bytes | None:
    """A PNG, JPEG or WEBP file with what is needed to decode it, its pixels untouched; it may be the file as it was.

    None if it must be stored anew: there is something else in it, and it is no JPEG file of the usual form.
    """
    if kind == "JPEG":
        return _bare_jpeg(data)
    blocks, allowed = (_png_blocks, _PNG_BLOCKS) if kind == "PNG" else (_webp_blocks, _WEBP_BLOCKS)
    return data if _holds_only(data, blocks, allowed) else None


def _bare_jpeg(data: bytes) -> bytes | None:
    kept, place = [data[:2]], 2
    while place + 1 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == _END:
            return b"".join([*kept, data[place : place + 2]])
        if marker == 0xFF:  # bytes between segments may fill up
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
        if not 0xC0 <= marker < 0xFF or 0xD0 <= marker <= 0xD8 or end < place + 4:
            return None
        if marker == _SCAN:
            found = _AFTER_SCAN.search(data, end)
            end = found.start() if found else len(data)
        if _decodes(marker, data[place + 4 : end]):
            kept.append(data[place:end])
        place = end
    return None


def _decodes(marker: int, body: bytes) -> bool:
    """Tables, sizes and pixels; of notes those that say which colours the numbers mean."""
    return marker < 0xE0 or body.startswith(_PLAIN_HEADS.get(marker, ()))


def _holds_only(data: bytes, blocks: Callable[[bytes], Iterator[tuple[bytes, int]]], allowed: frozenset[bytes]) -> bool:
    """Whether a file is made of such blocks, and ends with the last of them."""
    found = list(blocks(data))
    return bool(found) and found[-1][1] == len(data) and {name for name, _ in found} <= allowed


def _png_blocks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Name and end of each block, up to that of the picture."""
    place, name = 8, b""
    while name != b"IEND" and place + 12 <= len(data):
        name = data[place + 4 : place + 8]
        place += 12 + int.from_bytes(data[place : place + 4])
        yield name, place


def _webp_blocks(data: bytes) -> Iterator[tuple[bytes, int]]:
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        name = data[place : place + 4]
        place += 8 + size + size % 2
        yield name, place
