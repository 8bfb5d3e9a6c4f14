"""Any server that speaks the chat-completions protocol of OpenAI: vLLM, SGLang, llama.cpp, hosted models.

Calls run concurrently inside; outside it is a list in, a list out.  A step prefix is sent as an open assistant
turn, which needs a server that knows `continue_final_message` (vLLM and SGLang do; OpenAI's own does not).
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

import openai
from PIL import Image as PILImage
from PIL import UnidentifiedImageError
from pydantic import BaseModel, Field, ValidationError

from srpo.errors import ConfigError, DataError
from srpo.models.base import Message, Progress, Request
from srpo.types import Completion, Finish

_T = TypeVar("_T")

_LONGEST_WAIT_SECONDS: Final = 120.0
"""The client obeys a server's `Retry-After` up to this long."""

_GIVE_UP_AFTER: Final = 32
"""Connection failures in a row, none answered between them, after which the server is taken for dead."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    finish_reason: str | None = None
    message: _Message
    token_ids: tuple[int, ...] | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Reply(BaseModel):
    """What is read of a server's answer; everything else in it is ignored."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


@dataclass
class OpenAIModel:
    """A model behind an OpenAI-compatible server.

    A request that fails is a completion with `finish="error"` whose `error` begins with its kind:
    `timeout:` (no answer in time), `refused:` (content filter or a refusal declared by the server) or `error:`.
    After 32 connection failures in a row the rest of a batch is failed without being sent.

    Without `api_key`, OPENAI_API_KEY is used; without that, "none", which servers of one's own accept.
    Without `base_url`, OPENAI_BASE_URL is used, or OpenAI itself.

    Raises ConfigError if a setting is out of range, or no key is known and no `base_url` is given.
    """

    name: str
    """Name of the model at the server; it is also the name of this object."""
    base_url: str | None = None
    """For instance http://localhost:8000/v1"""
    api_key: str | None = field(default=None, repr=False)
    max_concurrency: int = 8
    """Requests under way at a time."""
    timeout_seconds: float = 120.0
    """For one attempt, connecting included."""
    max_retries: int = 3
    """Attempts after the first, for timeouts, refused connections and status 408, 409, 429 and 5xx."""
    extra_body: dict[str, object] = field(default_factory=dict)
    """Further fields of every request, for what only some servers know."""

    def __post_init__(self) -> None:
        if self.max_concurrency < 1 or self.max_retries < 0 or not self.timeout_seconds > 0:
            raise ConfigError(
                f"openai model {self.name!r}: max_concurrency must be at least 1, max_retries at least 0 and "
                f"timeout_seconds above 0, got {self.max_concurrency}, {self.max_retries} and {self.timeout_seconds}"
            )
        self.base_url = self.base_url or os.environ.get("OPENAI_BASE_URL") or None
        self.api_key = self.api_key or os.environ.get("OPENAI_API_KEY") or None
        if self.base_url is None and self.api_key is None:
            raise ConfigError(
                f"openai model {self.name!r}: no API key; set OPENAI_API_KEY, or give the base_url of your own server"
            )
        if self.base_url is not None and not _is_http(self.base_url):
            raise ConfigError(
                f"openai model {self.name!r}: base_url must look like http://host:port/v1, got {self.base_url!r}"
            )

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        """Completions in the order of the requests; `progress` is called as each one ends, in any order."""
        return _run(self._generate(requests, progress))

    async def _generate(self, requests: Sequence[Request], progress: Progress | None) -> list[Completion]:
        # A client belongs to the event loop it was made in, so every batch has its own.
        client = openai.AsyncOpenAI(
            api_key=self.api_key or "none",
            base_url=self.base_url,
            timeout=self.timeout_seconds,
            max_retries=self.max_retries,
        )
        async with client:
            batch = _Batch(self, client)
            return list(await asyncio.gather(*(batch.complete(request, progress) for request in requests)))

    @property
    def deadline_seconds(self) -> float:
        """Longest time for one request with all its attempts and waits."""
        # The client's own timeout is per read: a server that sends a byte now and then would hold it for ever.
        return (self.max_retries + 1) * self.timeout_seconds + self.max_retries * _LONGEST_WAIT_SECONDS


class _Batch:
    """The requests of one `generate` call."""

    def __init__(self, model: OpenAIModel, client: openai.AsyncOpenAI) -> None:
        self._model = model
        self._client = client
        self._slots = asyncio.Semaphore(model.max_concurrency)
        self._failures_in_a_row = 0

    async def complete(self, request: Request, progress: Progress | None) -> Completion:
        async with self._slots:
            completion = await self._attempt(request)
        if progress is not None:
            progress(1)
        return completion

    async def _attempt(self, request: Request) -> Completion:
        if self._failures_in_a_row >= _GIVE_UP_AFTER:
            return _failed(request, f"error: not sent, the server failed {_GIVE_UP_AFTER} requests in a row")
        try:
            payload = _payload(self._model, request)
            async with asyncio.timeout(self._model.deadline_seconds):
                response = await self._client.chat.completions.with_raw_response.create(**payload)
        except (openai.APIConnectionError, TimeoutError) as error:
            self._failures_in_a_row += 1
            return _failed(request, _connection_reason(error, self._model))
        except openai.APIStatusError as error:
            self._failures_in_a_row = 0
            return _failed(request, f"error: the server answered {error.status_code}: {_short(error.message)}")
        except (openai.OpenAIError, DataError, ValueError) as error:
            return _failed(request, f"error: {_short(str(error))}")
        self._failures_in_a_row = 0
        return _completion(request, response.content)


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end, also when the caller (a notebook, say) is itself inside an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number
        return False


def _payload(model: OpenAIModel, request: Request) -> dict[str, Any]:
    messages = [_turn(message) for message in request.messages]
    extra = dict(model.extra_body)
    if request.prefix:
        messages.append({"role": "assistant", "content": "".join(request.prefix)})
        extra |= {"continue_final_message": True, "add_generation_prompt": False, "return_token_ids": True}
    return {
        "model": model.name,
        "messages": messages,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "max_tokens": request.sampling.max_new_tokens,
        "seed": request.seed,
        "extra_body": extra or None,
    }


def _turn(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.text}
    pictures = [{"type": "image_url", "image_url": {"url": _data_url(path)}} for path in message.images]
    return {"role": message.role, "content": [*pictures, {"type": "text", "text": message.text}]}


def _data_url(path: Path) -> str:
    """The file's bytes, unchanged; the media type comes from them, since file names lie."""
    try:
        data = path.read_bytes()
        with PILImage.open(io.BytesIO(data)) as image:
            media_type = PILImage.MIME.get(image.format or "")
    except UnidentifiedImageError:
        media_type = None
    except (OSError, SyntaxError, PILImage.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot read the image ({error}); check the path or drop the row") from error
    if media_type is None:
        raise DataError(f"{path}: not an image of a known format; replace the file or drop the row")
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _completion(request: Request, body: bytes) -> Completion:
    try:
        reply = _Reply.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        return _failed(request, f"error: the server's answer is not a chat completion ({where}: {first['msg']})")
    choice = reply.choices[0]
    usage = reply.usage or _Usage()
    finish, problem = _finish(choice)
    return Completion(
        id=request.id,
        text=choice.message.content or "",
        token_ids=choice.token_ids,
        finish=finish,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        error=problem,
    )


def _finish(choice: _Choice) -> tuple[Finish, str | None]:
    """How it ended, and why if it failed.  An ending that is not known is a failure, not a stop."""
    if choice.finish_reason == "content_filter":
        return "error", "refused: the server's content filter stopped the text"
    if choice.message.refusal:
        return "error", f"refused: {_short(choice.message.refusal)}"
    if choice.finish_reason == "length":
        return "length", None
    if choice.finish_reason != "stop":
        return "error", f"error: the server ended with finish_reason {choice.finish_reason!r}"
    if choice.message.content is None:
        return "error", "error: the server sent no text"
    return "stop", None


def _connection_reason(error: Exception, model: OpenAIModel) -> str:
    where = model.base_url or "the server"
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        attempts = model.max_retries + 1
        return f"timeout: no answer from {where} in {attempts} attempt(s) of {model.timeout_seconds:g} seconds"
    cause = _short(str(error.__cause__ or error))
    return f"error: cannot reach {where} ({cause}); check that the server runs and the address is right"


def _failed(request: Request, reason: str) -> Completion:
    return Completion(id=request.id, text="", finish="error", error=reason)


def _short(text: str, limit: int = 300) -> str:
    """One line, with what pydantic cannot store (lone surrogates) replaced."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
