"""Leakage: no request and no picture of a dataset may be that of a public benchmark, or near to it.

What is compared are items that the loaders of benchmarks have read.  Pictures that cannot be read are named, for
nothing is known of them.  A mirrored or cropped copy of a picture is not found: its hash is another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from srpo.data.config import CleanSettings, ImageSettings
from srpo.data.near import HASH_BITS, Shingles, bits_between, pack_hashes, shingles, similar_pairs, within
from srpo.data.pictures import PictureRefused, open_picture, perceptual_hash
from srpo.records import append_records, read_records, repair
from srpo.types import Item, Record
from srpo.types.data import Source

_ANY_SIZE: Final = ImageSettings(min_edge=1, max_pixels=2**27)
"""Benchmarks have small pictures too."""

_KEPT_TOGETHER: Final = 256
"""Hashes that are written at a time."""


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
    """Pictures that could not be read, each with its first item and the reason: nothing was compared with them."""

    @property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """Perceptual hashes in the order of `pictures`."""
        return pack_hashes([phash for _, phash in self.pictures])


class PictureHash(Record):
    """The perceptual hash of a file, kept from one start to the next."""

    record: Literal["picture_hash"] = "picture_hash"
    sha256: str = Field(description="of the file's bytes")
    phash: str | None = Field(description="64 bits in hex; none if it cannot be read")
    problem: str = Field(default="", description="why it cannot be read")


def build_corpus(items: Iterable[Item], kept: Path | None = None) -> Corpus:
    """What must not leak, of the items of any benchmarks.

    `kept` is a file of hashes: a picture that is in it is not decoded again, and others are added.  Raises ConfigError
    if the library of perceptual hashes is not installed, DataError if `kept` cannot be read or written.
    """
    texts, pictures, unread = [], [], dict[str, str]()
    with _Hashes(kept) as hashes:
        for item in items:
            texts.append((item.id, shingles(item.question)))
            for image in item.images:
                found = hashes.of(Path(image))
                if found.phash is not None:
                    pictures.append((item.id, found.phash))
                else:
                    unread.setdefault(image, f"{item.id}: {image!r}: {found.problem}")
    return Corpus(tuple(texts), tuple(pictures), tuple(unread.values()))


class _Hashes:
    """Hashes by the path of the file within one start, by its content over several."""

    def __init__(self, kept: Path | None) -> None:
        self._kept = kept
        self._by_path: dict[Path, PictureHash] = {}
        self._by_content: dict[str, PictureHash] = {}
        self._new: list[PictureHash] = []
        if kept is not None and kept.exists():
            repair(kept)
            self._by_content = {row.sha256: row for row in read_records(kept, PictureHash)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._write()

    def of(self, path: Path) -> PictureHash:
        """A picture may belong to many items."""
        if path not in self._by_path:
            self._by_path[path] = self._look(path)
        return self._by_path[path]

    def _look(self, path: Path) -> PictureHash:
        try:
            data = path.read_bytes()
        except OSError as error:
            return PictureHash(sha256="", phash=None, problem=f"cannot be read ({error.strerror})")
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self._by_content:
            self._by_content[sha256] = _hash_of(data, path.name, sha256)
            self._new.append(self._by_content[sha256])
        if len(self._new) >= _KEPT_TOGETHER:
            self._write()
        return self._by_content[sha256]

    def _write(self) -> None:
        if self._kept is not None and self._new:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            append_records(self._kept, self._new)
        self._new = []


def _hash_of(data: bytes, name: str, sha256: str) -> PictureHash:
    try:
        return PictureHash(sha256=sha256, phash=perceptual_hash(open_picture(data, name, _ANY_SIZE).pixels))
    except PictureRefused as error:
        return PictureHash(sha256=sha256, phash=None, problem=error.detail)


def find_leaks(
    questions: Mapping[str, Sequence[str]], sources: Sequence[Source], corpus: Corpus, settings: CleanSettings
) -> list[Leak]:
    """Everything of ours that is near to a benchmark: texts first, in the order given, then pictures.

    `questions` maps an id to its requests.
    """
    return [*_text_leaks(questions, corpus, settings), *_image_leaks(sources, corpus, settings.image_bits)]


def _text_leaks(questions: Mapping[str, Sequence[str]], corpus: Corpus, settings: CleanSettings) -> Iterable[Leak]:
    ours = [(id, text) for id, given in questions.items() for text in given]
    pairs = similar_pairs(
        [shingles(text) for _, text in ours], [runs for _, runs in corpus.texts], settings.text_similarity
    )
    best: dict[tuple[str, str], float] = {}
    for pair in pairs:
        key = ours[pair.ours][0], corpus.texts[pair.theirs][0]
        best[key] = max(pair.similarity, best.get(key, 0.0))
    return [Leak("text", mine, theirs, similarity) for (mine, theirs), similarity in best.items()]


def _image_leaks(sources: Sequence[Source], corpus: Corpus, bits: int) -> list[Leak]:
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
