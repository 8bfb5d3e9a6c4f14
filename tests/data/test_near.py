"""Nearness of pictures and texts, by numbers worked out by hand."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpo.data.near import (
    bits_between,
    image_clusters,
    nearest,
    shingles,
    similar_pairs,
    similarity,
    words,
)
from srpo.types import Image
from srpo.types.data import Source


def source(id: str, phash: int) -> Source:
    image = Image(path=f"images/{id}.png", sha256="0" * 64, width=64, height=64)
    return Source(id=id, image=image, original=f"{id}.png", phash=f"{phash:016x}", licence="CC0-1.0")


@pytest.mark.parametrize(
    ("first", "second", "bits"),
    [
        ("0000000000000000", "0000000000000000", 0),
        ("0000000000000000", "ffffffffffffffff", 64),
        ("8000000000000001", "0000000000000000", 2),
        ("00000000000000f0", "000000000000000f", 8),
    ],
)
def test_bits_between(first, second, bits):
    assert bits_between(first, second) == bits_between(second, first) == bits


def test_nearest_is_by_bits_then_by_id_and_never_itself():
    pool = [source("d", 0b1), source("c", 0b111), source("a", 0), source("b", 0b10), source("e", 0)]
    assert [one.id for one in nearest(pool[2], pool, 3)] == ["e", "b", "d"]
    assert [one.id for one in nearest(pool[2], pool[::-1], 9)] == ["e", "b", "d", "c"]
    assert nearest(pool[2], [pool[2]], 4) == []


def test_clusters_are_chains():
    # 0 - 11 - 1111 is a chain of two bits each, though its ends differ in four; the last is eight bits from all.
    hashes = [f"{value:016x}" for value in (0b1111, 0xFF00, 0, 0b11, 0xFF00)]
    assert image_clusters(hashes, 2) == [0, 1, 0, 0, 1]
    assert image_clusters(hashes, 1) == [0, 1, 2, 3, 1]
    assert image_clusters(hashes, 64) == [0] * 5
    assert image_clusters([], 4) == []


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 255), min_size=1, max_size=12), st.integers(0, 12))
def test_near_pictures_are_never_parted(values, bits):
    labels = image_clusters([f"{value:016x}" for value in values], bits)
    for i, first in enumerate(values):
        for j, second in enumerate(values):
            if (first ^ second).bit_count() <= bits:
                assert labels[i] == labels[j]


def test_clusters_of_ten_thousand_pictures_take_seconds():
    rng = random.Random(0)
    begin = time.monotonic()
    assert len(set(image_clusters([f"{rng.getrandbits(64):016x}" for _ in range(10_000)], 4))) == 10_000
    assert len(set(image_clusters([f"{value:016x}" for value in range(10_000)], 1))) == 1
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("May I heat THIS, please?", ["may", "i", "heat", "this", "please"]),
        ("don't", ["don", "t"]),
        ("kni\u200bfe kni\u00adfe", ["knife", "knife"]),
        ("\uff2b\uff4e\uff49\uff46\uff45", ["knife"]),
        ("Stra\u00dfe", ["strasse"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("\u5200\u3092\u7814\u3050", ["\u5200", "\u3092", "\u7814", "\u3050"]),
        ("?!", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_shingles_and_similarity():
    first, second = shingles("can I heat this up"), shingles("Can I heat this now?")
    assert first == {("can", "i", "heat"), ("i", "heat", "this"), ("heat", "this", "up")}
    assert similarity(first, second) == 2 / 4
    assert similarity(first, first) == 1.0
    assert similarity(first, shingles("where is my red hat")) == 0.0


def test_short_texts_are_one_run():
    assert shingles("Heat it!") == {("heat", "it")} == shingles("heat it")
    assert similarity(shingles("heat it"), shingles("heat this")) == 0.0
    assert shingles("???") == {("???",)} and shingles("?") != shingles("!")
    assert shingles(" \n") == frozenset() and similarity(frozenset(), frozenset()) == 0.0


WORDS = st.lists(st.sampled_from("abcd"), min_size=0, max_size=7).map(" ".join)


@given(st.lists(WORDS, max_size=8), st.lists(WORDS, max_size=8), st.sampled_from([0.2, 1 / 3, 0.5, 0.8, 1.0]))
def test_the_index_finds_what_comparing_all_finds(ours, theirs, threshold):
    mine, others = [shingles(text) for text in ours], [shingles(text) for text in theirs]
    every = [(i, j, similarity(a, b)) for i, a in enumerate(mine) for j, b in enumerate(others)]
    assert list(similar_pairs(mine, others, threshold)) == [found for found in every if found[2] >= threshold]


def test_ten_thousand_texts_with_common_words_take_seconds():
    rng = random.Random(0)
    names = [f"w{number}" for number in range(300)]
    ours, theirs = (
        [shingles("how do i " + " ".join(rng.choices(names, k=8))) for _ in range(10_000)] for _ in range(2)
    )
    theirs[77] = ours[5]
    begin = time.monotonic()
    assert list(similar_pairs(ours, theirs, 0.8)) == [(5, 77, 1.0)]
    assert time.monotonic() - begin < 20
