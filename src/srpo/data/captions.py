"""Captions drawn by a renderer, a few at a time, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Final

from srpo.data.pictures import PictureRefused
from srpo.data.render import Renderer, RenderFailed
from srpo.data.taking import Given, Taker
from srpo.errors import ModelError
from srpo.records import append_records, content_id, repair
from srpo.types.data import Rejection, Source, Usage

_AT_ONCE: Final = 4
"""Requests under way."""


def draw_all(
    captions: Iterable[str],
    renderer: Renderer,
    taker: Taker,
    bars: Callable[[str, int, int], AbstractContextManager[Callable[[int], None]]],
) -> int:
    """Draw the captions that have no row yet; returns how many wait for a later run.

    Raises ModelError if the renderer fails on as many as are asked for together, or refuses every request.
    """
    repair(taker.folder.usage)
    known = list(captions)
    done = taker.by_original.keys() | taker.rejected
    left = [caption for caption in known if not done & {_name_of(caption), _id_of(caption)}]
    waiting = 0
    with (
        bars("draw captions", len(known), len(known) - len(left)) as advance,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        for start in range(0, len(left), _AT_ONCE):
            chunk = left[start : start + _AT_ONCE]
            found = list(pool.map(lambda caption: _draw(renderer, caption), chunk))
            rows = [_row(caption, got, taker) for caption, got in zip(chunk, found, strict=True)]
            failed = [got for got in found if isinstance(got, RenderFailed)]
            waiting += len(failed)
            # First the usage: what a kill takes from the rows is drawn, and paid, again.
            append_records(taker.folder.usage, [_usage(renderer, len(chunk), found)])
            taker.append(rows)
            if len(failed) == len(chunk):
                mend = f"{len(left) - start} captions wait; when it works, run the same command again"
                raise ModelError(f"renderer {renderer.settings.model}: {failed[0]}; {mend}")
            advance(len(chunk) - len(failed))
    return waiting


def draw_source(caption: str, renderer: Renderer, taker: Taker) -> Source:
    """The picture of one caption, drawn and stored unless it is there already; the caller appends a new row.

    Raises PictureRefused if there will be no picture, RenderFailed if a later run may get one, and ModelError if the
    renderer refuses every request.
    """
    known = taker.by_original.get(_name_of(caption))
    return known or _take(caption, renderer.draw(caption), taker)


def _draw(renderer: Renderer, caption: str) -> bytes | PictureRefused | RenderFailed:
    try:
        return renderer.draw(caption)
    except (PictureRefused, RenderFailed) as problem:
        return problem


def _row(caption: str, got: bytes | PictureRefused | RenderFailed, taker: Taker) -> Source | Rejection | None:
    """The row of a caption, or none if it waits."""
    if isinstance(got, RenderFailed):
        return None
    try:
        if isinstance(got, PictureRefused):
            raise got
        return _take(caption, got, taker)
    except PictureRefused as refused:
        reason = "render" if refused.reason in ("empty", "format", "broken") else refused.reason
        detail = f"caption {caption[:80]!r}: {refused.detail}"
        return Rejection(id=_id_of(caption), stage="sources", reason=reason, detail=detail)


def _take(caption: str, data: bytes, taker: Taker) -> Source:
    settings = taker.config.images
    given = Given(licence=(settings.licence or "").strip(), attribution=settings.attribution, caption=caption)
    return taker.take(_name_of(caption), data, given)


def _id_of(caption: str) -> str:
    return content_id("caption", caption)


def _name_of(caption: str) -> str:
    """What stands for a file's name; lines of captions may move."""
    return f"caption {_id_of(caption)}"


def _usage(renderer: Renderer, calls: int, found: Sequence[object]) -> Usage:
    drawn = sum(isinstance(got, bytes) for got in found)
    price = renderer.settings.price
    return Usage(
        stage="sources",
        role="render",
        model=renderer.settings.model,
        calls=calls,
        failed=calls - drawn,
        prompt_tokens=0,
        completion_tokens=0,
        cost=None if price is None else drawn * price,
    )
