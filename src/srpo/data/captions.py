"""Captions drawn by a renderer, a few at a time, each once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Final

from srpo.data.config import RenderSettings
from srpo.data.meter import Ledger
from srpo.data.pictures import PictureRefused
from srpo.data.render import Renderer, RenderFailed
from srpo.data.taking import Given, Taker
from srpo.errors import ModelError
from srpo.records import content_id
from srpo.types.data import DataStage, Rejection, Source, Usage

_AT_ONCE: Final = 4
"""Requests under way."""

Drawn = bytes | PictureRefused | RenderFailed | ModelError
"""What became of one request: a file that is paid for, or why there is none."""


def draw_all(
    captions: Iterable[str],
    renderer: Renderer,
    taker: Taker,
    ledger: Ledger,
    bars: Callable[[str, int, int], AbstractContextManager[Callable[[int], None]]],
) -> int:
    """Draw the captions that have no row yet; returns how many wait for a later run.

    Raises ModelError if the renderer fails on as many as are asked for together, or refuses every request.
    """
    known = list(captions)
    left = undrawn(known, taker.by_original.keys() | taker.rejected)
    waiting = 0
    with (
        bars("draw captions", len(known), len(known) - len(left)) as advance,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        for start in range(0, len(left), _AT_ONCE):
            chunk = left[start : start + _AT_ONCE]
            found = list(pool.map(lambda caption: draw(renderer, caption), chunk))
            rows = [_row(caption, got, taker) for caption, got in zip(chunk, found, strict=True)]
            # First the usage: what a kill takes from the rows is drawn, and paid, again.
            ledger.book(render_usage(renderer.settings, "sources", found))
            taker.append(rows)
            failed = [got for got in found if isinstance(got, RenderFailed)]
            _check(found, failed, renderer, len(left) - start)
            waiting += len(failed)
            advance(len(chunk) - len(failed))
    return waiting


def undrawn(captions: Iterable[str], done: Collection[str]) -> list[str]:
    """Captions that are still to be drawn; `done` holds the `original` of sources and the ids of what was refused."""
    return [caption for caption in captions if _name_of(caption) not in done and _id_of(caption) not in done]


def draw(renderer: Renderer, caption: str) -> Drawn:
    """Ask for one picture; problems are values, so that what others drew beside it is booked and kept."""
    try:
        return renderer.draw(caption)
    except (PictureRefused, RenderFailed, ModelError) as problem:
        return problem


def take_drawn(caption: str, data: bytes, taker: Taker, *, remember: bool = True) -> Source:
    """Store the picture of a caption; the caller appends the row.  Raises PictureRefused."""
    settings = taker.config.images
    given = Given(licence=(settings.licence or "").strip(), attribution=settings.attribution, caption=caption)
    return taker.take(_name_of(caption), data, given, remember=remember)


def source_of_caption(caption: str, taker: Taker) -> Source | None:
    """The picture that was drawn of a caption before, if there is one."""
    return taker.by_original.get(_name_of(caption))


def render_usage(settings: RenderSettings, stage: DataStage, found: Sequence[Drawn]) -> Usage:
    """Requests for pictures: a picture that came is paid for, whether or not it can be used."""
    drawn = sum(isinstance(got, bytes) for got in found)
    return Usage(
        stage=stage,
        role="render",
        model=settings.model,
        calls=len(found),
        failed=len(found) - drawn,
        prompt_tokens=0,
        completion_tokens=0,
        cost=None if settings.price is None else drawn * settings.price,
    )


def _row(caption: str, got: Drawn, taker: Taker) -> Source | Rejection | None:
    """The row of a caption, or none if it waits."""
    if isinstance(got, RenderFailed | ModelError):
        return None
    try:
        if isinstance(got, PictureRefused):
            raise got
        return take_drawn(caption, got, taker)
    except PictureRefused as refused:
        reason = "render" if refused.reason in ("empty", "format", "broken") else refused.reason
        detail = f"caption {caption[:80]!r}: {refused.detail}"
        return Rejection(id=_id_of(caption), stage="sources", reason=reason, detail=detail)


def _check(found: Sequence[Drawn], failed: Sequence[RenderFailed], renderer: Renderer, left: int) -> None:
    """Raises ModelError if it makes no sense to ask on."""
    for got in found:
        if isinstance(got, ModelError):
            raise got
    if len(failed) == len(found):
        mend = f"{left} captions wait; when it works, run the same command again"
        raise ModelError(f"renderer {renderer.settings.model}: {failed[0]}; {mend}")


def _id_of(caption: str) -> str:
    return content_id("caption", caption)


def _name_of(caption: str) -> str:
    """What stands for a file's name; lines of captions may move."""
    return f"caption {_id_of(caption)}"
