"""What every server of ours checks of a request, and how it says no.  No trace ever leaves."""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from srpo.bodies import Unreadable, check_json, read_body
from srpo.serve.refusal import Refusal

MAX_BODY: Final = 32 * 2**20
"""Bytes of one request."""

_BODY_SECONDS: Final = 60.0
"""For a request to arrive."""


def add_refusals(app: FastAPI, pages: str) -> None:
    """Answer every error in OpenAI's shape; `pages` names what the server has."""

    async def not_routed(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        words = {404: f"no such page; this server has {pages}", 405: "wrong method"}
        return JSONResponse(Refusal(status, words.get(status, "refused")).body, status)

    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, not_routed)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _broken)


async def read_json(request: Request) -> bytes:
    """The body of a request that says it is JSON.  Raises Refusal."""
    try:
        check_json(request.headers)
        return await read_body(request.stream(), MAX_BODY, _BODY_SECONDS)
    except Unreadable as error:
        raise Refusal(error.status, str(error)) from None


def check_key(api_key: str | None, request: Request) -> None:
    """Raises Refusal if the server has a key and the client sends another."""
    if api_key is None:
        return
    given = request.headers.get("authorization", "")
    # Headers arrive as bytes and are shown as latin-1.  Compared as bytes again, in a time that does not tell how much
    # of it was right.
    if not hmac.compare_digest(given.encode("latin-1"), f"Bearer {api_key}".encode()):
        raise Refusal(401, "wrong API key; send the server's SRPO_API_KEY", code="invalid_api_key")


async def _refused(_: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, Refusal) else Refusal(500, "internal error")
    return JSONResponse(refusal.body, refusal.status, refusal.headers)


async def _gone(_: Request, error: Exception) -> Response:
    """Nobody reads this."""
    return Response(status_code=499)


async def _broken(_: Request, error: Exception) -> Response:
    return JSONResponse(Refusal(500, "internal error").body, 500)
