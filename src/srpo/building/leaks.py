"""Public benchmarks that a dataset must not come near: their items, as far as the user has the files."""

from __future__ import annotations

from pathlib import Path

from srpo.benchmarks import benchmark_named
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus, build_corpus
from srpo.errors import ConfigError
from srpo.types import Item


def load_items(config: BuildConfig) -> list[Item]:
    """Requests and pictures of every benchmark in `leakage`; pictures need not be there.

    Many files name pictures that nobody may pass on, and their requests are compared all the same.

    Raises ConfigError for a benchmark that is not known or a folder that is not there, DataError for a file that cannot
    be used.
    """
    items: list[Item] = []
    for name, settings in config.leakage.items():
        images = None if settings.images is None else Path(settings.images).expanduser()
        if images is not None and not images.is_dir():
            mend = f"name the one with the pictures of {name}, or leave the setting out to compare its requests only"
            raise ConfigError(f"leakage.{name}.images: {images} is no folder; {mend}")
        items += benchmark_named(name).load(Path(settings.path).expanduser(), images, check_images=False)
    return items


def corpus_of(items: list[Item], folder: DatasetFolder) -> Corpus:
    """What must not leak; hashes of pictures are kept in the cache of the dataset.

    Raises ConfigError if the library of perceptual hashes is not installed, DataError if the disk refuses.
    """
    if not items:
        return Corpus()
    folder.cache.mkdir(exist_ok=True)
    return build_corpus(items, folder.cache / "benchmark_pictures.jsonl")
