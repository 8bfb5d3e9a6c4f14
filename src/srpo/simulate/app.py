"""The routes of the world's server.  What a client sends is hostile until parsed."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Annotated, Any, Final, Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from srpo.serve.chat import ChatRequest, parse_chat
from srpo.serve.guard import add_refusals, check_key, read_json
from srpo.serve.refusal import Refusal
from srpo.simulate.errors import Reply
from srpo.simulate.pictures import KnownPictures
from srpo.simulate.players import answer
from srpo.simulate.settings import MODELS, WorldServer
from srpo.world.pool import pool_id

RENDERER: Final = "world-renderer"
CONTEXT: Final = 32_768
"""Tokens that a client may ask for; nothing is cut."""

_LATE_SECONDS: Final = 1.0
"""How long a call hangs before it fails as one that took too long."""

_PICTURE_TOKENS: Final = 64


class _ImageRequest(BaseModel):
    """A picture that is asked for; size and quality are the server's."""

    model_config = ConfigDict(strict=True, extra="ignore")

    model: str | None = None
    prompt: Annotated[str, Field(max_length=2000)]
    n: Literal[1] | None = None
    response_format: Literal["b64_json"] | None = None


def build_app(settings: WorldServer, pictures: KnownPictures, api_key: str | None) -> FastAPI:
    """The application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_refusals(app, "/v1/chat/completions, /v1/images/generations, /v1/models and /health")
    revision = settings.revision(pool_id(pictures.pictures))

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        check_key(api_key, request)
        own = {"object": "model", "created": 0, "owned_by": "srpo", "max_model_len": CONTEXT, "revision": revision}
        return JSONResponse({"object": "list", "data": [{"id": name, **own} for name in (*MODELS, RENDERER)]})

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        check_key(api_key, request)
        body = await read_json(request)
        await _fail(settings)
        asked = parse_chat(body, CONTEXT)
        if asked.continue_final_message:
            raise Refusal(400, "continue_final_message: not supported by this server", "continue_final_message")
        replies = [answer(asked, pictures, settings, number) for number in range(asked.n or 1)]
        return JSONResponse(_completion(asked, replies, revision))

    @app.post("/v1/images/generations")
    async def images(request: Request) -> Response:
        check_key(api_key, request)
        body = await read_json(request)
        await _fail(settings)
        data = await asyncio.to_thread(pictures.draw, _image_request(body).prompt)
        return JSONResponse({"created": int(time.time()), "data": [{"b64_json": data}]})

    return app


async def _fail(settings: WorldServer) -> None:
    """Fail at the stated rate, by chance and not by the request: what failed in all attempts must not always fail."""
    if random.random() >= settings.failures:
        return
    status = random.choice((500, 429, 408))
    if status == 408:
        await asyncio.sleep(_LATE_SECONDS)
    words = {500: "simulated failure", 429: "simulated limit; try again", 408: "simulated: it took too long"}
    raise Refusal(status, words[status], headers={"Retry-After": "0.1"} if status == 429 else None)


def _image_request(body: bytes) -> _ImageRequest:
    try:
        return _ImageRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refusal(400, f"{where}: {first['msg']}", where.partition(".")[0]) from None


def _completion(asked: ChatRequest, replies: list[Reply], revision: str) -> dict[str, object]:
    read = sum(_tokens(turn.content) for turn in asked.messages)
    written = sum(len(reply.text.split()) for reply in replies)
    return {
        "id": f"chatcmpl-{revision}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": asked.model,
        "system_fingerprint": revision,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": reply.text, "refusal": reply.refusal},
                "finish_reason": "stop",
                "logprobs": None,
            }
            for index, reply in enumerate(replies)
        ],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


def _tokens(content: Any) -> int:
    """Words, and a constant for a picture: what usage is counted in here."""
    if isinstance(content, str):
        return len(content.split())
    return sum(len(part.text.split()) if part.type == "text" else _PICTURE_TOKENS for part in content)
