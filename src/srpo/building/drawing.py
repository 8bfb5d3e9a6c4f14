"""Pictures drawn as harmless counterparts: each caption once, kept in `rendered.jsonl`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from srpo.data.captions import draw, render_usage, source_of_caption, take_drawn, undrawn
from srpo.data.chain import Dropped, Waits
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus
from srpo.data.listing import read_captions
from srpo.data.meter import CAP, Ledger
from srpo.data.pictures import PictureRefused
from srpo.data.render import Renderer, RenderFailed
from srpo.data.taking import Taker
from srpo.errors import ConfigError, ModelError
from srpo.records import append_records, iterate_records, repair
from srpo.types import Rejection, Source


class Drawer:
    """Draws a caption, or finds the picture that was drawn of it before."""

    def __init__(
        self, renderer: Renderer, config: BuildConfig, folder: DatasetFolder, ledger: Ledger, corpus: Corpus
    ) -> None:
        self._renderer, self._config, self._folder = renderer, config, folder
        self._ledger, self._corpus = ledger, corpus
        self._drawn = {source.caption: source for source in rendered(folder)}

    @cached_property
    def _taker(self) -> Taker:
        return Taker(self._config, self._folder, self._corpus)

    def __call__(self, caption: str) -> Source | Dropped | Waits:
        """Raises ModelError if the server refuses every request."""
        if known := self._drawn.get(caption) or source_of_caption(caption, self._taker):
            return known
        settings = self._renderer.settings
        if not self._ledger.affordable([settings.price or 0.0]):
            return Waits(f"{CAP} {self._ledger.reached}")
        got = draw(self._renderer, caption)
        self._ledger.book(render_usage(settings, self._ledger.stage, [got]))
        if isinstance(got, ModelError):
            raise got
        if isinstance(got, RenderFailed):
            return Waits(str(got))
        return _refused(got) if isinstance(got, PictureRefused) else self._keep(caption, got)

    def _keep(self, caption: str, data: bytes) -> Source | Dropped:
        try:
            # Only the pictures of `sources.jsonl` are known, so that a stop between two drawn ones changes nothing.
            found = take_drawn(caption, data, self._taker, remember=False)
        except PictureRefused as refused:
            return _refused(refused)
        append_records(self._folder.rendered, [found])
        self._drawn[caption] = found
        return found


def _refused(refused: PictureRefused) -> Dropped:
    return Dropped("no_picture", f"none of the pool is harmless, and none was drawn: {refused.detail}")


def captions_left(config: BuildConfig, folder: DatasetFolder) -> int:
    """How many captions of the user's are to be drawn and have no row yet."""
    if config.images.captions is None:
        return 0
    taken = iterate_records(folder.sources, Source) if folder.sources.exists() else ()
    refused = iterate_records(folder.rejections, Rejection) if folder.rejections.exists() else ()
    done = {source.original for source in taken} | {row.id for row in refused if row.stage == "sources"}
    return len(undrawn(read_captions(Path(config.images.captions).expanduser()), done))


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
