"""Splits: shares, groups that stay together, requests that do where they can."""

from __future__ import annotations

import random
import time
from collections import Counter

from srpo.data.splits import Member, assign_splits, wanted_sizes

SHARES = {"train": 0.8, "val": 0.1, "rsbench": 0.1}


def member(number: int, *clusters: int, ask: str = "") -> Member:
    return Member(f"set{number}", frozenset(clusters or (1000 + number,)), frozenset({ask or f"ask {number}"}))


def test_shares_of_single_sets_are_exact():
    splits = assign_splits([member(n) for n in range(50)], SHARES, 0)
    assert Counter(splits.of.values()) == {"train": 40, "val": 5, "rsbench": 5}
    assert (splits.largest, splits.straddling) == (1, 0)


def test_wanted_sizes_add_up_and_are_those_of_single_sets():
    for total in range(12):
        for seed in range(3):
            wanted = wanted_sizes(SHARES, total, seed)
            assert sum(wanted.values()) == total
            assert all(abs(wanted[split] - share * total) < 1 for split, share in SHARES.items())
            of = assign_splits([member(n) for n in range(total)], SHARES, seed).of
            assert Counter(of.values()) == {split: size for split, size in wanted.items() if size}
    assert sorted(wanted_sizes(SHARES, 4, 0).values()) == [0, 1, 3]


def test_another_seed_is_another_split_of_the_same_size():
    members = [member(n) for n in range(50)]
    first, second = (assign_splits(members, SHARES, seed) for seed in (0, 1))
    assert first.of != second.of and Counter(first.of.values()) == Counter(second.of.values())


def test_chains_of_pictures_stay_together():
    # 0-1-2 share pictures in a chain; 3 is alone.
    splits = assign_splits([member(0, 1, 2), member(1, 2, 3), member(2, 3, 4), member(3, 9)], {"a": 0.5, "b": 0.5}, 0)
    assert splits.of["set0"] == splits.of["set1"] == splits.of["set2"] != splits.of["set3"]
    assert splits.largest == 3


def test_one_picture_in_all_sets_leaves_the_other_splits_empty():
    splits = assign_splits([member(n, 5) for n in range(9)], SHARES, 0)
    assert set(splits.of.values()) == {"train"} and splits.largest == 9


def test_rare_requests_stay_together_and_common_ones_may_not():
    rare = [member(n, ask="rare") for n in range(4)]
    common = [member(n, ask="common") for n in range(4, 100)]
    for seed in range(5):
        splits = assign_splits([*rare, *common], SHARES, seed)
        assert len({splits.of[one.id] for one in rare}) == 1
        assert Counter(splits.of.values()) == {"train": 80, "val": 10, "rsbench": 10}
        assert splits.straddling == 1


def test_who_has_a_split_keeps_it_and_the_others_fill_up():
    members = [member(n) for n in range(50)]
    earlier = {f"set{n}": "rsbench" for n in range(8)}
    splits = assign_splits(members, SHARES, 0, earlier)
    assert earlier.items() <= splits.of.items()
    assert Counter(splits.of.values()) == {"train": 39, "val": 3, "rsbench": 8}
    asks = [member(n, ask="the same") for n in range(30)]
    asks_apart = {"set0": "val", "set1": "train"}
    splits = assign_splits([*asks, *members[30:]], SHARES, 0, asks_apart)
    assert asks_apart.items() <= splits.of.items() and splits.straddling == 1
    joined = assign_splits([member(0, ask="x"), member(1, ask="x"), *members[2:]], SHARES, 0, {"set0": "val"})
    assert joined.of["set0"] == joined.of["set1"] == "val"


def test_no_sets_no_splits():
    assert assign_splits([], SHARES, 0).of == {}


def test_ten_thousand_sets_take_seconds():
    rng = random.Random(0)
    members = [member(n, n, rng.randrange(20_000), ask=f"ask {rng.randrange(100)}") for n in range(10_000)]
    begin = time.monotonic()
    splits = assign_splits(members, SHARES, 0)
    assert time.monotonic() - begin < 20
    assert Counter(splits.of.values())["train"] in range(7_900, 8_101)
