"""Pictures that the server knows: by the hash of their pixels, whatever file they come in."""

from __future__ import annotations

import base64
import hashlib
import threading
from pathlib import Path
from typing import Final

from srpo.records import append_records, repair
from srpo.serve.pictures import check_picture, decode_data_url
from srpo.serve.refusal import Refusal
from srpo.world.draw import draw_scene
from srpo.world.pool import PoolFolder, PoolPicture, hash_picture, pixels_sha256, png, read_pool, scene_of_caption
from srpo.world.scenes import Scene

_REMEMBERED: Final = 50_000
"""Data URLs whose pixels need not be decoded again."""


class KnownPictures:
    """The pictures of a pool, and those that are drawn on demand, which are written to the pool too."""

    def __init__(self, pool: Path) -> None:
        self._folder = PoolFolder(pool)
        repair(self._folder.rendered)
        self.pictures = read_pool(pool)
        self._keys: dict[bytes, str] = {}
        self._lock = threading.Lock()

    def key_of(self, url: str) -> str:
        """Hash of the pixels of a picture that was sent.  Raises Refusal for what is no picture."""
        short = hashlib.sha256(url.encode("utf-8", "replace")).digest()
        key = self._keys.get(short)
        if key is None:
            data = decode_data_url(url)
            check_picture(data)
            key = hash_picture(data)
            if len(self._keys) < _REMEMBERED:
                self._keys[short] = key
        return key

    def scene(self, key: str) -> Scene:
        """What is on it.  Raises Refusal if the pool does not have it."""
        picture = self.pictures.get(key)
        if picture is None:
            raise Refusal(400, "messages: the picture is none of this server's pool", "messages", "unknown_picture")
        return picture.scene

    def draw(self, caption: str) -> str:
        """A picture for a caption, as PNG in base64.  Raises Refusal if the caption is no sentence of this world."""
        scene = scene_of_caption(caption)
        if scene is None:
            raise Refusal(400, "prompt: no caption of this world", "prompt", "unknown_caption")
        pixels = draw_scene(scene)
        key = pixels_sha256(pixels)
        with self._lock:
            if key not in self.pictures:
                picture = PoolPicture(pixels=key, file="", kind="rendered", objects=scene.objects, style=scene.style)
                append_records(self._folder.rendered, [picture])
                self.pictures[key] = picture
        return base64.b64encode(png(pixels)).decode()
