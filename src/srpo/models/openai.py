"""Any server that speaks the chat-completions protocol of OpenAI: `srpo serve`, vLLM, SGLang, hosted models.

Calls run concurrently inside; outside it is a list in, a list out.  A step prefix is sent as an open assistant turn,
which needs a server that knows `continue_final_message` (`srpo.models.probe` finds out).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import openai

from srpo.errors import ConfigError, DataError
from srpo.models.base import Progress, Request
from srpo.models.routing import picture_key, ranked, sending_order, steps_nest
from srpo.models.wire import completion_of, data_url, failed, one_line, parse_reply, render_payload
from srpo.types import Completion

logger = logging.getLogger(__name__)
_T = TypeVar("_T")

_LONGEST_WAIT_SECONDS: Final = 120.0
"""The client obeys a server's `Retry-After` up to this long; beyond, the request fails at once."""

_GIVE_UP_AFTER: Final = 32
"""Connection failures in a row, none answered between them, after which the last server is taken for dead."""

_LEAVE_AFTER: Final = 2
"""Failures in a row after which a server is passed over for one that works."""

_OWN_FAULT: Final = frozenset({400, 413, 415, 422})
"""Statuses that another server would answer too."""


@dataclass
class OpenAIModel:
    """A model behind one OpenAI-compatible server, or several alike.

    A request that fails is a completion with `finish="error"` whose `error` begins with its kind:
    `timeout:` (no answer in time), `refused:` (content filter or a refusal declared by the server) or `error:`.

    With several servers, a picture's requests go to one of them; if it fails, they go to the next.  After 32
    connection failures in a row at the last server, the rest of a batch is failed without being sent.

    Without `api_key`, OPENAI_API_KEY is used; without that, "none", which servers of one's own accept.
    Without `base_url`, OPENAI_BASE_URL is used, or OpenAI itself.

    Raises ConfigError if a setting is out of range, or no key is known and no `base_url` is given.
    """

    name: str
    """Name of the model at the server; it is also the name of this object."""
    base_url: str | Sequence[str] | None = None
    """For instance http://localhost:8000/v1, or several of them."""
    api_key: str | None = field(default=None, repr=False)
    max_concurrency: int = 8
    """Requests under way at a time at each server."""
    timeout_seconds: float = 120.0
    """For one attempt, connecting included."""
    max_retries: int = 3
    """Attempts after the first, for timeouts, refused connections and status 408, 409, 429 and 5xx."""
    extra_body: dict[str, object] = field(default_factory=dict)
    """Further fields of every request, for what only some servers know."""
    token_ids: bool = False
    """Ask for token ids with every request; a batch with a step prefix always does."""

    def __post_init__(self) -> None:
        if self.max_concurrency < 1 or self.max_retries < 0 or not self.timeout_seconds > 0:
            raise ConfigError(
                f"openai model {self.name!r}: max_concurrency must be at least 1, max_retries at least 0 and "
                f"timeout_seconds above 0, got {self.max_concurrency}, {self.max_retries} and {self.timeout_seconds}"
            )
        if self.base_url is None or self.base_url == "":
            self.base_url = os.environ.get("OPENAI_BASE_URL") or None
        self.api_key = self.api_key or os.environ.get("OPENAI_API_KEY") or None
        if self.base_url is None and self.api_key is None:
            raise ConfigError(
                f"openai model {self.name!r}: no API key; set OPENAI_API_KEY, or give the base_url of your own server"
            )
        for url in self.base_urls or ("no server at all",):
            if url is not None and not _is_http(url):
                raise ConfigError(
                    f"openai model {self.name!r}: base_url must look like http://host:port/v1, got {url!r}"
                )

    @property
    def base_urls(self) -> tuple[str | None, ...]:
        """Every server once; none stands for OpenAI itself."""
        given = [self.base_url] if self.base_url is None or isinstance(self.base_url, str) else self.base_url
        return tuple(dict.fromkeys(given))

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        """Completions in the order of the requests; `progress` is called as each one ends, in any order."""
        return _run(self._generate(requests, progress))

    async def _generate(self, requests: Sequence[Request], progress: Progress | None) -> list[Completion]:
        hashes: dict[Path, str] = {}
        keys = [picture_key(request, hashes) for request in requests]
        order = sending_order(requests, keys)
        batch = _Batch(self, requests)
        try:
            found = await asyncio.gather(*(batch.complete(requests[i], keys[i], progress) for i in order))
        finally:
            await batch.close()
        if not steps_nest(batch.prompts):
            logger.warning(
                "%s: the ids of a step prefix do not begin those of a longer one, so this server merges tokens across "
                "step boundaries; branches are conditioned on other tokens than in training",
                self.name,
            )
        done = dict(zip(order, found, strict=True))
        return [done[i] for i in range(len(requests))]

    def identity(self) -> str:
        """What replies depend on beside the request, as JSON: names, addresses, further fields, stated revisions.

        A server that states the revision of its weights (`srpo serve` does) is the same at any address.  One that is
        silent or says nothing of this kind is known by its address.
        """
        key = self.api_key or "none"
        stated = set()
        for url in self.base_urls:
            with openai.OpenAI(api_key=key, base_url=url, timeout=self.timeout_seconds, max_retries=0) as client:
                stated.add(_revision(client, self.name) or json.dumps([url]))
        return json.dumps([self.name, sorted(stated), self.extra_body], sort_keys=True)

    @property
    def deadline_seconds(self) -> float:
        """Longest time for one request with all its attempts and waits at one server."""
        # The client's own timeout is per read: a server that sends a byte now and then would hold it for ever.
        return (self.max_retries + 1) * self.timeout_seconds + self.max_retries * _LONGEST_WAIT_SECONDS


class _Server:
    """One server during one `generate` call."""

    def __init__(self, model: OpenAIModel, url: str | None) -> None:
        self.url = url or "OpenAI"
        # A client belongs to the event loop it was made in, so every batch has its own.  Reading certificates is most
        # of the time that making one takes, and needless each time where they are not used.
        plain = url is not None and url.lower().startswith("http://")
        self.client = openai.AsyncOpenAI(
            api_key=model.api_key or "none",
            base_url=url,
            timeout=model.timeout_seconds,
            max_retries=model.max_retries,
            http_client=openai.DefaultAsyncHttpxClient(verify=_certificates()) if plain else None,
        )
        self.slots = asyncio.Semaphore(model.max_concurrency)
        self.silent = 0
        """Connection failures in a row."""
        self.troubled = 0
        """The same, with answers that say that the server is broken or busy."""


class _Batch:
    """The requests of one `generate` call."""

    def __init__(self, model: OpenAIModel, requests: Sequence[Request]) -> None:
        self._model = model
        self._extra = dict(model.extra_body)
        if model.token_ids or any(request.prefix for request in requests):
            # For all, so that a tree has ids throughout.  Otherwise for none: strict servers refuse what they do not
            # know, but those cannot continue a prefix either.
            self._extra["return_token_ids"] = True
        self._servers = [_Server(model, url) for url in model.base_urls]
        self._names = [server.url for server in self._servers]
        # Neighbours in the order of sending share a picture.
        self._url_of = lru_cache(maxsize=32)(data_url)
        self.prompts: list[tuple[Request, tuple[int, ...]]] = []
        """Requests with a prefix whose prompts' ids came back."""

    async def close(self) -> None:
        for server in self._servers:
            await server.client.close()

    async def complete(self, request: Request, key: str, progress: Progress | None) -> Completion:
        """Ask one server after the other until one has answered."""
        completion = None
        for server in ranked(self._servers, self._names, key):
            async with server.slots:
                if not self._is_used(server):
                    continue
                completion, over = await self._ask(server, request)
            if over:
                break
        if progress is not None:
            progress(1)
        return completion or failed(request, f"error: not sent, the server failed {_GIVE_UP_AFTER} requests in a row")

    def _is_used(self, server: _Server) -> bool:
        if any(other.troubled < _LEAVE_AFTER for other in self._servers if other is not server):
            return server.troubled < _LEAVE_AFTER
        return server.silent < _GIVE_UP_AFTER

    async def _ask(self, server: _Server, request: Request) -> tuple[Completion, bool]:
        """What a server answered, and whether that is the end: another server may do what this one could not."""
        try:
            payload = render_payload(self._model.name, request, self._extra, self._url_of)
            async with asyncio.timeout(self._model.deadline_seconds):
                response = await server.client.chat.completions.with_raw_response.create(**payload)
            reply = parse_reply(response.content)
        except (openai.APIConnectionError, TimeoutError) as error:
            server.silent, server.troubled = server.silent + 1, server.troubled + 1
            return failed(request, _connection_reason(error, self._model, server.url)), False
        except openai.APIStatusError as error:
            own = error.status_code in _OWN_FAULT
            server.silent, server.troubled = 0, 0 if own else server.troubled + 1
            return failed(request, f"error: the server answered {error.status_code}: {one_line(error.message)}"), own
        except (DataError, ValueError, openai.OpenAIError) as error:
            # Our own file, or an answer that is no chat completion.
            server.silent = 0
            return failed(request, f"error: {one_line(str(error))}"), isinstance(error, DataError)
        server.silent = server.troubled = 0
        if request.prefix and reply.prompt_token_ids is not None:
            self.prompts.append((request, reply.prompt_token_ids))
        return completion_of(request, reply), True


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end, also when the caller (a notebook, say) is itself inside an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


@cache
def _certificates() -> ssl.SSLContext:
    """Those that the system trusts, for a server without encryption that sends us on to one with it."""
    return ssl.create_default_context()


def _revision(client: openai.OpenAI, name: str) -> str | None:
    """The revision that the server's list of models states, or none."""
    try:
        entry = next((model.to_dict() for model in client.models.list().data if model.id == name), {})
    except (openai.OpenAIError, ValueError, TypeError, AttributeError):
        return None
    revision = entry.get("revision")
    return revision if isinstance(revision, str) else None


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number
        return False


def _connection_reason(error: Exception, model: OpenAIModel, where: str) -> str:
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        attempts = model.max_retries + 1
        return f"timeout: no answer from {where} in {attempts} attempt(s) of {model.timeout_seconds:g} seconds"
    cause = one_line(str(error.__cause__ or error))
    return f"error: cannot reach {where} ({cause}); check that the server runs and the address is right"
