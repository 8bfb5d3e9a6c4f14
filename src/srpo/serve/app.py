"""The routes.  Everything that a client sends is hostile until parsed, and no trace ever leaves."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from srpo.serve.batches import Answer, Batches
from srpo.serve.chat import parse_chat, render_reply, render_requests
from srpo.serve.pictures import Pictures
from srpo.serve.refusal import Refusal

logger = logging.getLogger(__name__)

MAX_BODY: Final = 32 * 2**20
"""Bytes of one request."""

_BODY_SECONDS: Final = 60.0
"""For a request to arrive."""


@dataclass(frozen=True)
class Service:
    """What the routes share."""

    name: str
    revision: str
    context: int
    batches: Batches
    pictures: Pictures
    api_key: str | None = None


def build_app(service: Service) -> FastAPI:
    """The application; it closes queue and pictures when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.batches.close)
        service.pictures.close()

    # The generated pages would load scripts from elsewhere, and the bodies are read by hand.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _broken)

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"}) if service.batches.is_open else JSONResponse({"status": "down"}, 503)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        _check_key(service, request)
        entry = {"id": service.name, "object": "model", "created": int(time.time()), "owned_by": "srpo"}
        own = {"max_model_len": service.context, "revision": service.revision}
        return JSONResponse({"object": "list", "data": [entry | own]})

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        _check_key(service, request)
        return await _chat(service, request)

    return app


async def _chat(service: Service, request: Request) -> Response:
    # A page in a browser may send anything but this type to a local server without being asked first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "Content-Type: expected application/json")
    chat = parse_chat(await _body(request), service.context)
    if chat.model != service.name:
        reason = f"the model {chat.model[:100]!r} does not exist; this server has {service.name!r}"
        raise Refusal(404, reason, "model", "model_not_found")
    with service.pictures.held() as keep:
        requests = await asyncio.to_thread(render_requests, chat, keep)
        answer = await _wait(request, asyncio.wrap_future(service.batches.submit(requests)))
    if any(completion.finish == "error" for completion in answer.completions):
        logger.error("the model failed: %s", answer.completions[0].error)
        raise Refusal(500, "the model could not answer")
    return JSONResponse(render_reply(chat, answer.completions, answer.prompt_ids, service.name, service.revision))


async def _body(request: Request) -> bytes:
    """The body; one that is too large is read to its end and thrown away, since few clients listen before."""
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MAX_BODY:
                    body += chunk
                else:
                    body.clear()
    except TimeoutError:
        raise Refusal(408, f"the request did not arrive in {_BODY_SECONDS:g} seconds") from None
    if size > MAX_BODY:
        raise Refusal(413, f"a request may have {MAX_BODY} bytes at most, got {size}")
    return bytes(body)


async def _wait(request: Request, answer: asyncio.Future[Answer]) -> Answer:
    """The answer; if the client hangs up first, its place in the queue is given up."""
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        gone.cancel()
        answer.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_key(service: Service, request: Request) -> None:
    if service.api_key is None:
        return
    given = request.headers.get("authorization", "")
    # Headers arrive as bytes and are shown as latin-1.  Compared as bytes again, in a time that does not tell how much
    # of it was right.
    if not hmac.compare_digest(given.encode("latin-1"), f"Bearer {service.api_key}".encode()):
        raise Refusal(401, "wrong API key; send the server's SRPO_API_KEY", code="invalid_api_key")


async def _refused(_: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, Refusal) else Refusal(500, "internal error")
    return JSONResponse(refusal.body, refusal.status, refusal.headers)


async def _not_routed(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "no such page; this server has /v1/chat/completions, /v1/models and /health", 405: "wrong method"}
    return JSONResponse(Refusal(status, words.get(status, "refused")).body, status)


async def _gone(_: Request, error: Exception) -> Response:
    """Nobody reads this."""
    return Response(status_code=499)


async def _broken(_: Request, error: Exception) -> Response:
    return JSONResponse(Refusal(500, "internal error").body, 500)
