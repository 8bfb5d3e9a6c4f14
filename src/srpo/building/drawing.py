"""Pictures drawn as harmless counterparts: each caption once, kept in `rendered.jsonl`."""

from __future__ import annotations

from pathlib import Path

from srpo.data.captions import draw_source
from srpo.data.chain import Dropped, Waits
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus
from srpo.data.listing import read_captions
from srpo.data.meter import CAP, Ledger
from srpo.data.pictures import PictureRefused
from srpo.data.render import Renderer, RenderFailed
from srpo.data.taking import Taker
from srpo.errors import ConfigError
from srpo.records import append_records, iterate_records, repair
from srpo.types import Rejection, Source, Usage


class Drawer:
    """Draws a caption, or finds the picture that was drawn of it before.

    Raises ConfigError if there is no renderer, or no licence for what it draws.
    """

    def __init__(self, config: BuildConfig, folder: DatasetFolder, ledger: Ledger, corpus: Corpus) -> None:
        if config.renderer is None or not (config.images.licence or "").strip():
            problem = "cells.render: drawn pictures need a renderer and a licence"
            raise ConfigError(f"{problem}; set renderer.model and images.licence")
        self._config, self._folder, self._ledger, self._corpus = config, folder, ledger, corpus
        self._settings, self._renderer = config.renderer, Renderer(config.renderer)
        self._drawn = {source.caption: source for source in rendered(folder)}

    def __call__(self, caption: str) -> Source | Dropped | Waits:
        """Raises ModelError if the server refuses every request."""
        if caption in self._drawn:
            return self._drawn[caption]
        if not self._ledger.affordable([self._settings.price or 0.0]):
            return Waits(f"{CAP} {self._ledger.reached}")
        found = self._draw(caption)
        self._book(failed=not isinstance(found, Source))
        if isinstance(found, Source):
            append_records(self._folder.rendered, [found])
            self._drawn[caption] = found
        return found

    def _draw(self, caption: str) -> Source | Dropped | Waits:
        try:
            # A new one each time knows the pictures of `sources.jsonl` only, so that a stop in between changes nothing.
            return draw_source(caption, self._renderer, Taker(self._config, self._folder, self._corpus))
        except PictureRefused as refused:
            return Dropped("no_picture", f"none of the pool is harmless, and none was drawn: {refused.detail}")
        except RenderFailed as failed:
            return Waits(str(failed))

    def _book(self, failed: bool) -> None:
        price = self._settings.price
        row = Usage(
            stage=self._ledger.stage,
            role="render",
            model=self._settings.model,
            calls=1,
            failed=int(failed),
            prompt_tokens=0,
            completion_tokens=0,
            cost=0.0 if failed and price is not None else price,
        )
        self._ledger.book(row)


def captions_left(config: BuildConfig, folder: DatasetFolder) -> int:
    """Captions of the user's that are to be drawn and have no row yet."""
    if config.images.captions is None:
        return 0
    given = read_captions(Path(config.images.captions).expanduser())
    taken = iterate_records(folder.sources, Source) if folder.sources.exists() else ()
    refused = iterate_records(folder.rejections, Rejection) if folder.rejections.exists() else ()
    done = sum(1 for _ in taken) + sum(row.stage == "sources" for row in refused)
    return max(0, len(given) - done)


def check_drawing(config: BuildConfig, folder: DatasetFolder, ledger: Ledger) -> None:
    """Raises ConfigError if drawing all captions would pass a cap: pictures are drawn all, or none."""
    repair(folder.sources)
    repair(folder.rejections)
    left = captions_left(config, folder)
    price = (config.renderer.price if config.renderer else None) or 0.0
    mend = "raise it, or give fewer captions"
    if left and ledger.max_calls is not None and ledger.calls + left > ledger.max_calls:
        raise ConfigError(f"--max-calls {ledger.max_calls}: drawing {left} captions takes as many calls; {mend}")
    if left and ledger.max_cost is not None and ledger.cost + left * price > ledger.max_cost:
        raise ConfigError(f"--max-cost {ledger.max_cost:g}: drawing {left} captions costs {left * price:g}; {mend}")


def rendered(folder: DatasetFolder) -> list[Source]:
    """All pictures that were drawn as counterparts."""
    repair(folder.rendered)
    return list(iterate_records(folder.rendered, Source)) if folder.rendered.exists() else []
