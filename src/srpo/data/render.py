"""Pictures from captions, by a server that speaks the images protocol of OpenAI.

The server's answer is hostile like everything from outside: only base64 of a bounded size is read, and an address in
its place is never fetched.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from typing import Any, Final

import openai

from srpo.data.config import RenderSettings
from srpo.data.pictures import PictureRefused
from srpo.errors import ConfigError, ModelError

_TIMEOUT_SECONDS: Final = 300.0
_MAX_RETRIES: Final = 3
_MAX_BYTES: Final = 64 * 2**20
"""Of one picture's file."""

_REFUSING: Final = frozenset({400, 413, 415, 422})
"""Statuses that say no to this caption, and would again."""

_MISCONFIGURED: Final = frozenset({401, 403, 404})
"""Statuses that say no to every caption."""


class RenderFailed(Exception):
    """The server could not be reached, or is busy or broken; a later run asks again."""


@dataclass
class Renderer:
    """Draws captions, one picture each.  Without `api_key`, OPENAI_API_KEY is used.

    Raises ConfigError if no key is known and no `base_url` is given.
    """

    settings: RenderSettings
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = _TIMEOUT_SECONDS
    max_retries: int = _MAX_RETRIES

    def __post_init__(self) -> None:
        self.api_key = self.api_key or os.environ.get("OPENAI_API_KEY") or None
        if self.settings.base_url is None and self.api_key is None:
            raise ConfigError("renderer: no API key; set OPENAI_API_KEY, or give renderer.base_url of your own server")

    @property
    def where(self) -> str:
        """The server, for messages."""
        return self.settings.base_url or "OpenAI"

    def draw(self, caption: str) -> bytes:
        """The file of a picture, not decoded yet.

        Raises PictureRefused if the server will not draw it or sends no picture, RenderFailed if a later run may get
        one, and ModelError if the server refuses every request.
        """
        try:
            with self._client() as client:
                # The raw answer: a broken body must not become an error of the client's own.
                response = client.images.with_raw_response.generate(**self._arguments(caption))
                answer = response.parse()
        except openai.APIConnectionError as error:
            raise RenderFailed(f"cannot reach {self.where} ({_line(error.__cause__ or error)})") from None
        except openai.APIStatusError as error:
            raise self._problem(error) from None
        except (openai.OpenAIError, ValueError, TypeError) as error:
            raise PictureRefused("render", f"the server's answer cannot be read ({_line(error)})") from None
        return _decode(answer)

    def _client(self) -> openai.OpenAI:
        return openai.OpenAI(
            api_key=self.api_key or "none",
            base_url=self.settings.base_url,
            timeout=self.timeout_seconds,
            max_retries=self.max_retries,
        )

    def _arguments(self, caption: str) -> dict[str, Any]:
        given: dict[str, Any] = {
            "model": self.settings.model,
            "prompt": caption,
            "size": self.settings.size,
            "n": 1,
        }
        if not self.settings.model.startswith("gpt-image"):  # these know base64 only, and refuse to be asked for it
            given["response_format"] = "b64_json"
        return given

    def _problem(self, error: openai.APIStatusError) -> Exception:
        said = f"the server answered {error.status_code}: {_line(error.message)}"
        if error.status_code in _MISCONFIGURED:
            return ModelError(f"renderer {self.settings.model} at {self.where}: {said}; check key, model and base_url")
        return PictureRefused("render", said) if error.status_code in _REFUSING else RenderFailed(said)


def _decode(answer: object) -> bytes:
    """The bytes of the one picture of an answer, read without trust in its shape.  Raises PictureRefused."""
    data = getattr(answer, "data", None)
    first = data[0] if isinstance(data, list) and data else None
    text = getattr(first, "b64_json", None)
    if not isinstance(text, str) or not text:
        named = getattr(first, "url", None) is not None
        found = "an address, which is never fetched" if named else "no picture"
        raise PictureRefused("render", f"the server sent {found}; it must answer with b64_json")
    if len(text) > _MAX_BYTES * 4 // 3 + 4:
        raise PictureRefused(
            "render", f"the server sent {len(text)} characters; a picture has at most {_MAX_BYTES} bytes"
        )
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureRefused("render", f"the server sent broken base64 ({error})") from None


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300]
