"""The routes.  Everything that a client sends is hostile until parsed, and no trace ever leaves."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final

from fastapi import FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from srpo.bodies import Unreadable, read_body
from srpo.errors import DataError
from srpo.review.answers import AgreementDesk, Person
from srpo.review.guard import HEADERS, Guard, person
from srpo.review.pictures import read_picture
from srpo.review.rows import sample_of
from srpo.review.shown import Conflict, Refused
from srpo.review.store import Store
from srpo.review.views import session_view

logger = logging.getLogger(__name__)

MAX_BODY: Final = 2**20
"""Bytes of one request."""

_BODY_SECONDS: Final = 30.0

Number = Annotated[int, Path(ge=1, lt=2**53)]
"""Of an item, as it stands in an address."""

_TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}

_LOCKED: Final = "This page needs the address that `srpo review` printed; it ends in ?token=..."


def build_app(store: Store, guard: Guard) -> FastAPI:
    """The application over an open store."""
    # The generated pages would load scripts from elsewhere, and the bodies are read by hand.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(_watch(guard))
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(RequestValidationError, _misaddressed)
    app.add_exception_handler(Exception, _broken)
    _add_page(app, store, guard)
    _add_reading(app, store)
    _add_writing(app, store)
    return app


def _add_page(app: FastAPI, store: Store, guard: Guard) -> None:
    @app.get("/")
    async def page(request: Request) -> Response:
        token = request.query_params.get("token")
        if token is not None and guard.admits(token):
            reply = RedirectResponse("/", 303)
            reply.set_cookie(guard.cookie, guard.session, httponly=True, samesite="strict", path="/")
            return reply
        if not guard.knows(request.cookies):
            return PlainTextResponse(_LOCKED, 403)
        return _file("index.html")

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        return _file(name)

    @app.get("/image/{number}")
    async def image(number: Number) -> Response:
        return await _answered(lambda: _picture(store, number))


def _add_reading(app: FastAPI, store: Store) -> None:
    desk = AgreementDesk(store)

    @app.get("/api/session")
    async def session() -> Response:
        return await _answered(lambda: session_view(store))

    @app.get("/api/who")
    async def who(request: Request) -> Response:
        return await _answered(lambda: Person.problem(store, *person(request.headers)))

    @app.get("/api/list")
    async def listing(request: Request) -> Response:
        return await _answered(lambda: _person(store, request).listing(dict(request.query_params)))

    @app.get("/api/rows")
    async def rows(request: Request, numbers: str) -> Response:
        return await _answered(lambda: _person(store, request).rows(numbers))

    @app.get("/api/next")
    async def next_item(request: Request) -> Response:
        return await _answered(lambda: _person(store, request).next())

    @app.get("/api/last")
    async def last_item(request: Request) -> Response:
        return await _answered(lambda: _person(store, request).last())

    @app.get("/api/items/{number}")
    async def item(request: Request, number: Number) -> Response:
        return await _answered(lambda: _person(store, request).item(number))

    @app.get("/api/items/{number}/set")
    async def whole_set(request: Request, number: Number) -> Response:
        return await _answered(lambda: _person(store, request).whole_set(number))

    @app.get("/api/agreement")
    async def agreement() -> Response:
        return await _answered(desk.ask)


def _add_writing(app: FastAPI, store: Store) -> None:
    @app.post("/api/items/{number}/decide")
    async def decide(request: Request, number: Number) -> Response:
        text = await _body(request)
        return await _saved(store, request, lambda who: who.decide(number, text))

    @app.post("/api/items/{number}/undo")
    async def undo(request: Request, number: Number) -> Response:
        text = await _body(request)
        return await _saved(store, request, lambda who: who.undo(number, text))


def _person(store: Store, request: Request) -> Person:
    return Person(store, *person(request.headers))


async def _saved(store: Store, request: Request, act: Callable[[Person], dict[str, Any]]) -> Response:
    """A change by the person of the request; after a conflict, the item as it is now goes with the message."""
    number = int(request.path_params["number"])

    def work() -> dict[str, Any] | Response:
        who = _person(store, request)
        try:
            return act(who)
        except Conflict as conflict:
            return JSONResponse({"error": str(conflict), "now": who.item(number)}, 409)

    return await _answered(work)


async def _answered(work: Callable[[], dict[str, Any] | Response]) -> Response:
    """The reply to what `work` returns; the database must not hold up other requests."""
    try:
        found = await run_in_threadpool(work)
    except DataError as error:
        return JSONResponse({"error": str(error)}, 400)
    return found if isinstance(found, Response) else JSONResponse(found)


def _picture(store: Store, number: Number) -> Response:
    row = store.query("SELECT sample FROM whole WHERE number = ? AND present", (number,))
    if not row:
        raise Refused("there is no such item")
    image = sample_of(row[0]).image
    if image is None:
        raise Refused("this item has no picture")
    data, kind = read_picture(store.folder.path, image)
    return Response(data, media_type=kind)


@cache
def _pages() -> dict[str, bytes]:
    """Files of the page by name; nothing else can be asked for."""
    folder = files("srpo.review").joinpath("static")
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


def _file(name: str) -> Response:
    if name not in _pages():
        return PlainTextResponse("there is no such file", 404)
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    return Response(_pages()[name], media_type=f"{kind}; charset=utf-8")


async def _body(request: Request) -> str:
    """The text of a request.  Raises HTTPException if it is too large, too slow or no text."""
    try:
        return (await read_body(request.stream(), MAX_BODY, _BODY_SECONDS)).decode()
    except Unreadable as error:
        raise HTTPException(error.status, str(error)) from None
    except ClientDisconnect:
        raise HTTPException(400, "the client is gone") from None
    except UnicodeDecodeError:
        raise HTTPException(400, "the request is not UTF-8 text") from None


def _watch(guard: Guard) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    async def watch(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        denial = guard.denial(request.method, request.url.path, request.headers, request.cookies)
        reply = await go_on(request) if denial is None else JSONResponse({"error": denial.message}, denial.status)
        reply.headers.update(HEADERS)
        return reply

    return watch


async def _not_routed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code)


async def _misaddressed(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "there is no such address"}, 404)


async def _broken(_: Request, error: Exception) -> Response:
    logger.error("a request failed", exc_info=error)
    return JSONResponse({"error": "the server failed; its log says why"}, 500, HEADERS)
