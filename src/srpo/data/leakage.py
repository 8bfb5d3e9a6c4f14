"""Leakage: no request and no picture of a dataset may be that of a public benchmark, or near to it.

What is compared are items that the loaders of benchmarks have read.  Pictures that cannot be read are named, for
nothing is known of them.  A mirrored or cropped copy of a picture is not found: its hash is another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from srpo.data.config import CleanSettings, ImageSettings
from srpo.data.near import HASH_BITS, Shingles, bits_between, pack_hashes, shingles, similar_pairs, within
from srpo.data.pictures import PictureRefused, open_picture, perceptual_hash
from srpo.types import Item
from srpo.types.data import Source

_ANY_SIZE: Final = ImageSettings(min_edge=1, max_pixels=2**27)
"""Benchmarks have small pictures too."""


class Leak(NamedTuple):
    """One of ours that is near to one of a benchmark."""

    kind: Literal["text", "image"]
    ours: str
    """Id of the set or of the source."""
    theirs: str
    """Id of the benchmark's item, such as `siuo:12`."""
    similarity: float
    """Jaccard index of the texts, or the share of equal bits of the pictures' hashes."""


@dataclass(frozen=True)
class Corpus:
    """Requests and pictures of public benchmarks."""

    texts: tuple[tuple[str, Shingles], ...] = ()
    """Id of the item -> its request."""
    pictures: tuple[tuple[str, str], ...] = ()
    """Id of the item -> perceptual hash of a picture of its."""
    unread: tuple[str, ...] = ()
    """Pictures that could not be read, each with the item and the reason: nothing was compared with them."""

    @property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """Perceptual hashes in the order of `pictures`."""
        return pack_hashes([phash for _, phash in self.pictures])


def build_corpus(items: Iterable[Item]) -> Corpus:
    """What must not leak, of the items of any benchmarks; every picture is decoded once.

    Raises ConfigError if the library of perceptual hashes is not installed.
    """
    texts, pictures, unread = [], [], []
    known: dict[str, str | PictureRefused] = {}
    for item in items:
        texts.append((item.id, shingles(item.question)))
        for image in item.images:
            if image not in known:
                known[image] = _hash_of(Path(image))
            found = known[image]
            if isinstance(found, str):
                pictures.append((item.id, found))
            else:
                unread.append(f"{item.id}: {found.detail}")
    return Corpus(tuple(texts), tuple(pictures), tuple(unread))


def _hash_of(path: Path) -> str | PictureRefused:
    try:
        return perceptual_hash(open_picture(path.read_bytes(), path.name, _ANY_SIZE).pixels)
    except OSError as error:
        return PictureRefused("unreadable", f"{str(path)!r} cannot be read ({error.strerror})")
    except PictureRefused as error:
        return error


def find_leaks(
    questions: Mapping[str, str | Sequence[str]], sources: Sequence[Source], corpus: Corpus, settings: CleanSettings
) -> list[Leak]:
    """Everything of ours that is near to a benchmark: texts first, in the order given, then pictures.

    `questions` maps an id to its request, or to several.
    """
    return [*_text_leaks(questions, corpus, settings), *image_leaks(sources, corpus, settings.image_bits)]


def _text_leaks(
    questions: Mapping[str, str | Sequence[str]], corpus: Corpus, settings: CleanSettings
) -> Iterable[Leak]:
    ours = [(id, text) for id, given in questions.items() for text in ([given] if isinstance(given, str) else given)]
    pairs = similar_pairs(
        [shingles(text) for _, text in ours], [runs for _, runs in corpus.texts], settings.text_similarity
    )
    best: dict[tuple[str, str], float] = {}
    for pair in pairs:
        key = ours[pair.ours][0], corpus.texts[pair.theirs][0]
        best[key] = max(pair.similarity, best.get(key, 0.0))
    return [Leak("text", mine, theirs, similarity) for (mine, theirs), similarity in best.items()]


def image_leaks(sources: Sequence[Source], corpus: Corpus, bits: int) -> list[Leak]:
    """Sources whose pictures differ in at most `bits` bits from one of a benchmark."""
    hashes = corpus.hashes
    leaks = []
    for source in sources:
        for place in within(int(source.phash, 16), hashes, bits):
            theirs, phash = corpus.pictures[int(place)]
            leaks.append(Leak("image", source.id, theirs, 1 - bits_between(source.phash, phash) / HASH_BITS))
    return leaks


def describe(leak: Leak) -> str:
    """What a rejection says of it."""
    what = "a request" if leak.kind == "text" else "a picture"
    return f"{what} of {leak.ours} is near to that of {leak.theirs} (similarity {leak.similarity:.3f})"
