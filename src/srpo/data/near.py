"""How near two pictures or two texts are: bits between perceptual hashes, Jaccard index of word shingles.

Pure functions.  A picture's hash is 64 bits in hex (`srpo.data.pictures`).  A text is the set of its runs of three
words: two texts are as alike as the share of runs that both have among the runs that either has.
"""

from __future__ import annotations

import heapq
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from srpo.data.unspaced import UNSPACED
from srpo.types.data import Source

HASH_BITS: Final = 64

Shingles = frozenset[tuple[str, ...]]


class Alike(NamedTuple):
    """Two texts by their places in two lists, and how alike they are, from 0 to 1."""

    ours: int
    theirs: int
    similarity: float


def bits_between(first: str, second: str) -> int:
    """Number of bits in which two perceptual hashes differ, 0 to 64."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def nearest(source: Source, sources: Sequence[Source], k: int) -> list[Source]:
    """The `k` sources whose pictures are nearest, the nearest first; of equal ones the lower id first.

    `source` itself is left out.
    """
    own = int(source.phash, 16)
    others = (((own ^ int(other.phash, 16)).bit_count(), other.id, other) for other in sources if other.id != source.id)
    return [other for _, _, other in heapq.nsmallest(k, others, key=lambda found: found[:2])]


def pack_hashes(phashes: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Perceptual hashes as numbers."""
    return np.array([int(phash, 16) for phash in phashes], dtype=np.uint64)


def within(phash: int, hashes: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.intp]:
    """Places of the hashes that differ from `phash` in at most so many bits, in order."""
    return np.flatnonzero(np.bitwise_count(hashes ^ np.uint64(phash)) <= bits)


def image_clusters(phashes: Sequence[str], bits: int) -> list[int]:
    """For every picture the number of its cluster.

    Two pictures are in one cluster if a chain of pictures leads from one to the other, each of which differs from the
    next in at most `bits` bits.  Clusters are numbered in the order of their first pictures.
    """
    distinct, inverse = np.unique(pack_hashes(phashes), return_inverse=True)
    labels = _components(distinct, bits)[inverse]
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(label), len(numbers)) for label in labels]


def _components(hashes: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.intp]:
    """Label of every hash; each is compared once with those that no cluster has reached yet."""
    labels = np.zeros(len(hashes), dtype=np.intp)
    left = np.arange(len(hashes))
    label = 0
    while left.size:
        waiting, left = [left[0]], left[1:]
        while waiting:
            current = waiting.pop()
            labels[current] = label
            near = np.bitwise_count(hashes[left] ^ hashes[current]) <= bits
            waiting += left[near].tolist()
            left = left[~near]
        label += 1
    return labels


def words(text: str) -> list[str]:
    """Words as they are compared: no case, no punctuation, one form for each character."""
    kept = []
    for character in unicodedata.normalize("NFKC", text).casefold():
        kind = unicodedata.category(character)
        if kind[0] in "LMN":
            kept.append(character)
        elif kind != "Cf":  # a character of no width parts no words
            kept.append(" ")
    return UNSPACED.sub(r" \1 ", "".join(kept)).split()


def shingles(text: str, n: int = 3) -> Shingles:
    """Runs of `n` words; a text of fewer words is one run, and one without words is its other characters."""
    found = words(text) or text.split()
    if not found:
        return frozenset()
    return frozenset(tuple(found[i : i + n]) for i in range(max(1, len(found) - n + 1)))


def similarity(first: Shingles, second: Shingles) -> float:
    """Jaccard index |A & B| / |A | B|, from 0 to 1; 0 if both are empty."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared) if shared else 0.0


def similar_pairs(ours: Sequence[Shingles], theirs: Sequence[Shingles], threshold: float) -> Iterator[Alike]:
    """All pairs that are at least `threshold` alike, in the order of `ours` and then `theirs`.

    Sets of a Jaccard index of at least t share one of the rarest |A| - ceil(t |A|) + 1 members of A and as many of B,
    so only those are looked up: common runs such as `how do i` cost nothing.
    """
    index = _Index(theirs, ours, threshold)
    known: dict[Shingles, list[tuple[int, float]]] = {}
    for place, text in enumerate(ours):
        if text not in known:
            known[text] = index.find(text)
        for other, alike in known[text]:
            yield Alike(place, other, alike)


class _Index:
    """Rare shingles of some texts, each with the distinct texts that hold it."""

    def __init__(self, texts: Sequence[Shingles], others: Sequence[Shingles], threshold: float) -> None:
        self._threshold = threshold
        self._places: dict[Shingles, list[int]] = defaultdict(list)
        for place, text in enumerate(texts):
            self._places[text].append(place)
        self._frequency = Counter(run for text in {*self._places, *others} for run in text)
        self._holders: dict[tuple[str, ...], list[Shingles]] = defaultdict(list)
        for text in self._places:
            for run in self._rarest(text):
                self._holders[run].append(text)

    def find(self, text: Shingles) -> list[tuple[int, float]]:
        """Places of the texts that are alike enough, and how alike they are."""
        candidates = {other for run in self._rarest(text) for other in self._holders.get(run, ())}
        alike = ((other, similarity(text, other)) for other in candidates)
        return sorted(
            (place, value) for other, value in alike if value >= self._threshold for place in self._places[other]
        )

    def _rarest(self, text: Shingles) -> list[tuple[str, ...]]:
        # Rounding must not make the threshold higher than it is.
        count = len(text) - math.ceil(self._threshold * len(text) - 1e-9) + 1
        return heapq.nsmallest(min(count, len(text)), text, key=lambda run: (self._frequency[run], run))
