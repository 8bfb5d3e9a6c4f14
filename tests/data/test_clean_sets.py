"""Cleaning: what is dropped and why, the same for any order."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from draft_sets import set_of, source_with
from hypothesis import given, settings
from hypothesis import strategies as st

from srpo.data.clean import Cleaned, clean_sets, find_defect
from srpo.data.config import BuildConfig
from srpo.data.leakage import Corpus
from srpo.data.near import image_clusters, shingles
from srpo.data.quotas import choose_sets
from srpo.errors import DataError
from srpo.types.data import Check, DraftSet, Source

EMPTY = Corpus()


def config_of(**given: object) -> BuildConfig:
    models = {name: {"model": "openai:x"} for name in ("agent", "judge")}
    return BuildConfig.model_validate({"images": {"folder": "x", "licence": "CC0-1.0"}, "models": models, **given})


def far(number: int) -> int:
    """Hashes that differ from one another in many bits."""
    return random.Random(number).getrandbits(64)


def one_set(number: int, question: str = "", category: str = "dangerous_behavior") -> tuple[DraftSet, list[Source]]:
    """A set with two pictures of its own."""
    sources = [source_with(f"s{number}", far(number)), source_with(f"t{number}", far(1000 + number))]
    asked = question or f"May I put number{number} thing{number} there{number} now?"
    return set_of(
        f"set{number}", (sources[0], sources[1]), (asked, f"What is thing{number} made of{number} here?"), category
    ), sources


def many(numbers: range, **more: str) -> tuple[list[DraftSet], list[Source]]:
    made = [one_set(number, **more) for number in numbers]
    return [one for one, _ in made], [source for _, sources in made for source in sources]


def test_nothing_wrong_nothing_dropped():
    sets, sources = many(range(20))
    cleaned = clean_sets(sets, sources, EMPTY, config_of())
    assert not cleaned.rejections
    assert [one.id for one, _ in cleaned.kept] == sorted(one.id for one in sets)
    assert Counter(split for _, split in cleaned.kept) == {"train": 16, "val": 2, "rsbench": 2}
    assert cleaned.notes == ("Minimal sets per split: train 16 (wanted 16), val 2 (wanted 2), rsbench 2 (wanted 2).",)


def test_new_sets_move_no_other():
    """Whether they come one by one or many at a time."""
    sets, sources = many(range(60))
    splits = {one.id: split for one, split in clean_sets(sets[:40], sources, EMPTY, config_of()).kept}
    for count in (41, 45, 60):
        kept = clean_sets(sets[:count], sources, EMPTY, config_of(), splits).kept
        now = {one.id: split for one, split in kept}
        assert len(now) == count and splits.items() <= now.items()
        splits = now
    assert Counter(splits.values()) == {"train": 48, "val": 6, "rsbench": 6}


def test_a_set_that_is_in_a_split_stays_and_its_repetition_goes():
    request = "May I warm up my lunch in this thing now?"
    pool = [source_with(f"p{n}", far(n) if n else 0) for n in range(3)]
    sets = [
        set_of(name, (pool[0], pool[n]), (request, f"What is thing{n} made of{n} here?"))
        for name, n in (("a", 1), ("b", 2))
    ]
    for earlier in ("a", "b"):
        cleaned = clean_sets(sets, pool, EMPTY, config_of(), {earlier: "val"})
        assert [(one.id, split) for one, split in cleaned.kept] == [(earlier, "val")]
        assert [row.reason for row in cleaned.rejections] == ["near_duplicate"]
    categories = {f"s{n}": "privacy" for n in range(9)}
    assert not {"s3", "s7"} & choose_sets(categories, {}, 2, 0, {"s3", "s7"})


def test_a_set_between_two_splits_is_dropped_and_moves_neither():
    pool = [source_with("left", 0), source_with("right", 0b1111_1111), source_with("middle", 0b1111)]
    pool += [source_with(f"own{n}", far(n)) for n in range(4)]
    asked = [(f"May I put thing{n} on place{n}?", f"What is thing{n} made of{n} here?") for n in range(4)]
    firsts = (pool[0], pool[1], pool[2], pool[0])
    sets = [
        set_of(name, (firsts[n], pool[3 + n]), asked[n]) for n, name in enumerate(("old1", "old2", "bridge", "beside"))
    ]
    earlier = {"old1": "train", "old2": "rsbench"}
    cleaned = clean_sets(sets, pool, EMPTY, config_of(), earlier)
    assert {one.id: split for one, split in cleaned.kept} == {**earlier, "beside": "train"}
    (dropped,) = cleaned.rejections
    assert (dropped.id, dropped.reason) == ("bridge", "straddling")
    assert dropped.detail == "sets with near pictures are in different splits already"
    assert cleaned.notes[-1].startswith("1 new sets fit into no split")
    together = clean_sets(sets, pool, EMPTY, config_of())
    assert len(together.kept) == 4, "in one go nothing stands between"
    wider = clean_sets(sets[:2], pool, EMPTY, config_of(clean={"image_bits": 8}), earlier)
    assert {one.id: split for one, split in wider.kept} == earlier
    assert "1 groups of near pictures are in more than one split" in wider.notes[-1]


def test_a_set_repeats_another_only_if_request_and_picture_do():
    request = "May I warm up my lunch in this thing now?"
    base = source_with("base", 0)
    twin = [source_with(f"twin{n}", far(50 + n)) for n in range(5)]
    near, distant = source_with("near", 0b1111), source_with("distant", 0b11111 << 10)
    sets = [
        set_of("a", (base, twin[0]), (request, "What is this first thing called here?")),
        set_of(
            "same picture other request", (base, twin[1]), ("Where could I buy that table cloth?", "Who drew this?")
        ),
        set_of("other picture same request", (distant, twin[2]), (request, "Who made the second one there?")),
        set_of("near both", (near, twin[3]), (request + "!", "Is a third thing to be seen here?")),
        set_of("twin as hazard", (twin[4], base), (request, "Is any fourth thing to be seen here?")),
    ]
    cleaned = clean_sets(sets, [base, near, distant, *twin], EMPTY, config_of())
    kept = {one.id for one, _ in cleaned.kept}
    assert kept >= {"same picture other request", "other picture same request", "twin as hazard"}
    (dropped,) = cleaned.rejections
    assert {dropped.id} | kept == {one.id for one in sets} and dropped.id in ("a", "near both")
    other = ({"a", "near both"} - {dropped.id}).pop()
    assert (dropped.reason, dropped.stage, dropped.of) == (
        "near_duplicate",
        "clean",
        sets[0 if dropped.id == "a" else 3],
    )
    assert f"repeats set {other}: requests 1.00 alike, pictures differ in 4 bits" in dropped.detail


def test_leaks_are_dropped_with_both_ids():
    sets, sources = many(range(6))
    stolen = sets[2].cells["benign_text"].question
    corpus = Corpus(
        texts=(("siuo:7", shingles(stolen)), ("siuo:8", shingles("Something else entirely, is it not?"))),
        pictures=(("mossbench:3", f"{far(1004) ^ 0b101:016x}"),),
    )
    cleaned = clean_sets(sets, sources, corpus, config_of())
    assert [(row.id, row.reason) for row in cleaned.rejections] == [("set2", "leakage"), ("set4", "leakage")]
    assert "set2" in cleaned.rejections[0].detail and "siuo:7" in cleaned.rejections[0].detail
    assert "t4" in cleaned.rejections[1].detail and "mossbench:3" in cleaned.rejections[1].detail


def test_quotas_and_the_number_of_sets_are_balanced_over_categories():
    sets = [
        one_set(n, category=("privacy" if n < 20 else "violence" if n < 26 else "discrimination")) for n in range(30)
    ]
    drafts, sources = [one for one, _ in sets], [source for _, given in sets for source in given]

    def counts(**clean: object) -> dict[str, int]:
        cleaned = clean_sets(drafts, sources, EMPTY, config_of(clean=clean))
        assert {row.reason for row in cleaned.rejections} <= {"quota"}
        assert len(cleaned.kept) + len(cleaned.rejections) == 30
        return dict(Counter(str(one.cells["hazard"].category) for one, _ in cleaned.kept))

    assert counts(quotas={"privacy": 3}) == {"privacy": 3, "violence": 6, "discrimination": 4}
    assert counts(sets=15) == {"privacy": 6, "violence": 5, "discrimination": 4}
    assert sorted(counts(sets=10).values()) == [3, 3, 4]
    assert counts(sets=12, quotas={"violence": 2}) == {"privacy": 6, "violence": 2, "discrimination": 4}
    assert counts(sets=1000) == {"privacy": 20, "violence": 6, "discrimination": 4}
    assert sum(counts(sets=1).values()) == 1


def test_quotas_name_what_was_full():
    drafts, sources = many(range(5), category="privacy")
    cleaned = clean_sets(drafts, sources, EMPTY, config_of(clean={"quotas": {"privacy": 2}}))
    assert {row.detail for row in cleaned.rejections} == {"quotas.privacy is 2, and 2 sets of privacy are kept"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"reference": None}, "the reasoning is missing"),
        ({"category": None}, "category is missing"),
        ({"category": "kitchen"}, "category 'kitchen' is unknown"),
        ({"unsafe_reply": None}, "unsafe_reply is missing"),
        ({"cell": "benign_both"}, "holds a draft of cell benign_both"),
        ({"checks": (Check(name="joint", state="missing"),)}, "check joint is missing"),
        ({"checks": (Check(name="path", state="ok"), Check(name="path", state="fail"))}, "check path is fail"),
    ],
)
def test_what_is_not_whole_does_not_pass(change, problem):
    one, sources = one_set(1)
    spoiled = one.model_copy(update={"cells": {**one.cells, "hazard": one.cells["hazard"].model_copy(update=change)}})
    cleaned = clean_sets([spoiled], sources, EMPTY, config_of())
    assert not cleaned.kept and cleaned.rejections[0].reason == "incomplete"
    assert cleaned.rejections[0].detail == f"cell hazard: {problem}" == find_defect(spoiled)


def test_a_check_that_failed_before_a_rewrite_does_not_count():
    one, sources = one_set(1)
    checks = (Check(name="redundancy", state="fail"), Check(name="redundancy", state="ok"))
    mended = one.model_copy(
        update={"cells": {**one.cells, "hazard": one.cells["hazard"].model_copy(update={"checks": checks})}}
    )
    assert len(clean_sets([mended], sources, EMPTY, config_of()).kept) == 1


def test_missing_cells_ids_twice_and_unknown_pictures():
    one, sources = one_set(1)
    part = one.model_copy(update={"cells": {"hazard": one.cells["hazard"]}})
    assert clean_sets([part], sources, EMPTY, config_of()).rejections[0].detail == "cell benign_image is missing"
    with pytest.raises(DataError, match="set set1 is given 2 times"):
        clean_sets([one, one], sources, EMPTY, config_of())
    with pytest.raises(DataError, match=r"set1, cell .*: uses picture s1, which is in no row"):
        clean_sets([one], sources[1:], EMPTY, config_of())


PLAN = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(0, 9),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from(["privacy", "violence"]),
    ),
    max_size=14,
)


def planned(plan: list[tuple[int, int, int, int, str]]) -> tuple[list[DraftSet], list[Source]]:
    """Pictures 0 to 4 are near to their neighbours, so chains occur."""
    pool = [source_with(f"p{n}", (1 << 3 * n) - 1 if n < 5 else far(n)) for n in range(10)]
    asked = [f"May I put thing{n} on place{n} for hours{n}?" for n in range(4)]
    return [
        set_of(f"set{n}", (pool[i], pool[j]), (asked[q], asked[r] + " Or not at all, what would you say?"), category)
        for n, (i, j, q, r, category) in enumerate(plan)
    ], pool


@settings(max_examples=60, deadline=None)
@given(PLAN, st.integers(0, 5), st.none() | st.integers(1, 6), st.randoms(use_true_random=False))
def test_order_decides_nothing_and_no_picture_straddles(plan, seed, wanted, rng):
    sets, pool = planned(plan)
    config = config_of(seed=seed, clean={"sets": wanted})
    first = clean_sets(sets, pool, EMPTY, config)
    shuffled, mixed = list(sets), list(pool)
    rng.shuffle(shuffled)
    rng.shuffle(mixed)
    assert clean_sets(shuffled, mixed, EMPTY, config) == first
    assert {one.id for one, _ in first.kept} | {row.id for row in first.rejections} == {one.id for one in sets}
    assert clean_sets(sets, pool, EMPTY, config, {one.id: split for one, split in first.kept}) == first
    assert_none_straddles(first, pool)


@settings(max_examples=60, deadline=None)
@given(PLAN, st.integers(0, 14), st.integers(0, 5), st.none() | st.integers(1, 6))
def test_a_later_start_moves_none_and_says_the_same_when_it_is_made_again(plan, count, seed, wanted):
    sets, pool = planned(plan)
    config = config_of(seed=seed, clean={"sets": wanted}, splits={"train": 0.5, "val": 0.5})
    begun = {one.id: split for one, split in clean_sets(sets[:count], pool, EMPTY, config).kept}
    later = clean_sets(sets, pool, EMPTY, config, begun)
    now = {one.id: split for one, split in later.kept}
    assert all(now[id] == split for id, split in begun.items() if id in now)
    assert wanted is not None or begun.keys() <= now.keys()
    again = clean_sets(sets, pool, EMPTY, config, now)
    assert again == later
    assert_none_straddles(later, pool)


def assert_none_straddles(first: Cleaned, pool: list[Source]) -> None:
    used = sorted({cell.source for one, _ in first.kept for cell in one.cells.values()})
    labels = dict(zip(used, image_clusters([f"{int(s.phash, 16):016x}" for s in pool if s.id in used], 4), strict=True))
    homes: dict[int, set[str]] = {}
    for one, split in first.kept:
        for cell in one.cells.values():
            homes.setdefault(labels[cell.source], set()).add(split)
    assert all(len(splits) == 1 for splits in homes.values())


def test_what_repeats_a_set_without_room_says_so():
    pool = [source_with(f"p{n}", far(n) if n else 0) for n in range(3)]
    sets = [
        set_of(name, (pool[0], pool[n]), ("May I touch this?", f"What is thing{n} made of?"), category)
        for name, n, category in (("a", 1, "privacy"), ("b", 2, "violence"))
    ]
    cleaned = clean_sets(sets, pool, EMPTY, config_of(clean={"quotas": {"privacy": 0}}), {"a": "train"})
    assert not cleaned.kept
    assert [row.detail for row in cleaned.rejections] == [
        "quotas.privacy is 0, and 0 sets of privacy are kept",
        "repeats a set of another category, whose quota is full",
    ]
