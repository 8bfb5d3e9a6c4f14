"""The routes.  Everything that a client sends is hostile until parsed, and no trace ever leaves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from srpo.serve.batches import Answer, Batches
from srpo.serve.chat import parse_chat, render_reply, render_requests
from srpo.serve.guard import add_refusals, check_key, read_json
from srpo.serve.pictures import Pictures
from srpo.serve.refusal import Refusal

logger = logging.getLogger(__name__)


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
    add_refusals(app, "/v1/chat/completions, /v1/models and /health")

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"}) if service.batches.is_open else JSONResponse({"status": "down"}, 503)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        check_key(service.api_key, request)
        entry = {"id": service.name, "object": "model", "created": int(time.time()), "owned_by": "srpo"}
        own = {"max_model_len": service.context, "revision": service.revision}
        return JSONResponse({"object": "list", "data": [entry | own]})

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        check_key(service.api_key, request)
        return await _chat(service, request)

    return app


async def _chat(service: Service, request: Request) -> Response:
    chat = parse_chat(await read_json(request), service.context)
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
