"""Public benchmarks that a dataset must not come near: their items, as far as the user has the files."""

from __future__ import annotations

from pathlib import Path

from srpo.benchmarks import benchmark_named
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus, build_corpus
from srpo.types import Item


def load_items(config: BuildConfig) -> list[Item]:
    """Requests and pictures of every benchmark in `leakage`.

    Raises ConfigError for a benchmark that is not known, DataError for a file that cannot be used.
    """
    items: list[Item] = []
    for name, settings in config.leakage.items():
        images = None if settings.images is None else Path(settings.images).expanduser()
        items += benchmark_named(name).load(Path(settings.path).expanduser(), images)
    return items


def corpus_of(items: list[Item], folder: DatasetFolder) -> Corpus:
    """What must not leak; hashes of pictures are kept in the cache of the dataset.

    Raises ConfigError if the library of perceptual hashes is not installed, DataError if the disk refuses.
    """
    if not items:
        return Corpus()
    folder.cache.mkdir(exist_ok=True)
    return build_corpus(items, folder.cache / "benchmark_pictures.jsonl")
