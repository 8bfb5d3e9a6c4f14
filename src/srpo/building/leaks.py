"""Public benchmarks that a dataset must not come near: their items, as far as the user has the files."""

from __future__ import annotations

from pathlib import Path

from srpo.benchmarks import benchmark_named
from srpo.data.config import BuildConfig
from srpo.data.leakage import Corpus, build_corpus
from srpo.types import Item


def load_corpus(config: BuildConfig) -> Corpus:
    """Requests and pictures of every benchmark in `leakage`.

    Raises ConfigError for a benchmark that is not known, DataError for a file that cannot be used.
    """
    items: list[Item] = []
    for name, settings in config.leakage.items():
        images = None if settings.images is None else Path(settings.images).expanduser()
        items += benchmark_named(name).load(Path(settings.path).expanduser(), images)
    return build_corpus(items) if items else Corpus()
