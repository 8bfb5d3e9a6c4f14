"""Pictures of requests: from data URLs to files in a private folder, for as long as a request needs them."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image as PILImage

from srpo.serve.refusal import Refusal

MAX_BYTES: Final = 20 * 2**20
"""Of one encoded picture."""

MAX_PIXELS: Final = 2**25
"""Of one decoded picture, about 33 million; checked before any pixel is decoded."""

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def decode_data_url(url: str) -> bytes:
    """Bytes of a picture that was sent in full.  Raises Refusal for anything else: no URL is ever fetched."""
    head, comma, data = url.partition(",")
    if not (comma and head.lower().startswith("data:image/") and head.lower().endswith(";base64")):
        problem = "expected data:image/...;base64,...; this server fetches no URLs and opens no files"
        raise Refusal(400, f"image_url.url: {problem}", "messages", "invalid_image_url")
    if len(data) > MAX_BYTES * 4 // 3 + 4:
        raise Refusal(
            413, f"image_url.url: a picture may have {MAX_BYTES} bytes at most", "messages", "image_too_large"
        )
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        raise Refusal(400, "image_url.url: not valid base64", "messages", "invalid_base64_image") from None


def check_picture(data: bytes) -> None:
    """Decode once.  Raises Refusal for what is no picture, is damaged, or is too large."""
    try:
        with PILImage.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                reason = f"a picture may have {MAX_PIXELS} pixels at most, got {width} x {height}"
                raise Refusal(413, f"image_url.url: {reason}", "messages", "image_too_large")
            image.load()
    except Refusal:
        raise
    except PILImage.DecompressionBombError:
        reason = f"a picture may have {MAX_PIXELS} pixels at most"
        raise Refusal(413, f"image_url.url: {reason}", "messages", "image_too_large") from None
    except Exception:  # decoders meet hostile bytes here, and raise almost anything
        known = ", ".join(_FORMATS)
        raise Refusal(400, f"image_url.url: not a readable picture ({known})", "messages", "invalid_image") from None


class Pictures:
    """A private folder of pictures by content hash; each file goes with the last request that uses it."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="srpo-serve-")
        self._uses: Counter[Path] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[Callable[[bytes], Path]]:
        """A function that checks and stores bytes; what it stored may go at the end of the block.

        It raises Refusal for bytes that are no picture.
        """
        mine: list[Path] = []

        def keep(data: bytes) -> Path:
            path = Path(self._folder.name) / hashlib.sha256(data).hexdigest()
            with self._lock:
                known = path in self._uses
            if not known:  # the branches of a sample all bring the same picture
                check_picture(data)
            with self._lock:
                if not self._uses[path]:
                    path.write_bytes(data)
                self._uses[path] += 1
                mine.append(path)
            return path

        try:
            yield keep
        finally:
            self._release(mine)

    def _release(self, paths: list[Path]) -> None:
        with self._lock:
            for path in paths:
                self._uses[path] -= 1
                if not self._uses[path]:
                    del self._uses[path]
                    path.unlink(missing_ok=True)

    def close(self) -> None:
        """Delete the folder."""
        self._folder.cleanup()
