"""Token and operation counts against numbers worked out by hand."""

from __future__ import annotations

import pytest

from srpo.bench.counts import (
    Lengths,
    Shape,
    Tower,
    Work,
    contrasts,
    decode_bound,
    dpo_flops,
    flat_work,
    forward_flops,
    lower_bound,
    pairs_work,
    picture_flops,
    prefill_bound,
    step_flops,
    tree_work,
)

FOUR = Lengths(prompt=10, segments=(2, 3), branches=((4, 4, 4, 4),))
"""Prompt and reference path 15 tokens, branches of the prompt 14 with it."""

TWO = Lengths(prompt=10, segments=(2, 3), branches=((4, 4), (5, 5)))
"""Paths of 15, 14, 14, 17 and 17 tokens."""

SHAPE = Shape(body=100, layers=2, attention=8, hidden=8, vocabulary=50, picture=1000)


def test_contrasts_are_all_combinations_of_the_two_halves():
    assert contrasts(4) == [(0, 2), (0, 3), (1, 2), (1, 3)]
    assert contrasts(3) == [(0, 1), (0, 2)]


def test_tokens_of_the_three_ways():
    assert [w.tokens for w in (pairs_work(FOUR), flat_work(FOUR), tree_work(FOUR, 0))] == [127, 71, 31]
    assert [w.tokens for w in (pairs_work(TWO), flat_work(TWO), tree_work(TWO, 0))] == [77, 77, 33]
    assert (lower_bound(FOUR), lower_bound(TWO)) == (31, 33)


def test_keys_targets_and_pictures():
    # A row of 15 sees 1 + 2 + .. + 15 = 120 keys, one of 14 sees 105; a branch of 4 after 10 sees 11 + 12 + 13 + 14.
    assert pairs_work(FOUR) == Work(tokens=127, keys=120 + 8 * 105, targets=5 + 8 * 4, pictures=9)
    assert flat_work(FOUR) == Work(tokens=71, keys=120 + 4 * 105, targets=5 + 4 * 4, pictures=5)
    assert tree_work(FOUR, 1) == Work(tokens=31, keys=120 + 4 * 50, targets=5 + 4 * 4, pictures=1)


def test_bounds_of_exploration():
    assert (prefill_bound(FOUR), decode_bound(FOUR)) == (10, 12)
    assert (prefill_bound(TWO), decode_bound(TWO)) == (12, 14)


def test_operations_of_a_step():
    work = Work(tokens=31, keys=320, targets=21, pictures=2)
    # 2 * 100 * 31 + 4 * 2 * 8 * 320 + 2 * 8 * 50 * 21
    assert forward_flops(SHAPE, work) == 6200 + 20480 + 16800
    assert step_flops(SHAPE, work, lora=False) == 3 * 43480 + 2000
    assert step_flops(SHAPE, work, lora=True) == 2 * 43480 + 2000
    assert dpo_flops(SHAPE, work, lora=False) == 4 * 43480 + 4000


@pytest.mark.parametrize(("patches", "keys"), [(16, 16 + 2 * 8), (4, 4 + 2 * 4)])
def test_operations_of_a_picture(patches: int, keys: int):
    tower = Tower(weights=50, connector=20, width=4, full_layers=1, window_layers=2, window=8)
    assert picture_flops(tower, patches, 4) == 2 * (50 * patches + 20 * 4) + 4 * 4 * patches * keys
