"""Passes that fit a budget, and trees that are split without a change of the gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig
from updates import assert_equal_gradients, first_update, logged, train
from updates import settings as arguments

from srpo.errors import DataError
from srpo.train import SRPOTrainer, TreeDataset
from srpo.train.batch import TreeExample
from srpo.train.budget import Budget, plan_step
from srpo.train.loss import Pair
from srpo.train.pack import REFERENCE, Branch, Row, flat_rows, pack_tree, unique_tokens

SEGMENTS = [(7, 8, 9)] * 4
TRUNK = 17


@st.composite
def examples(draw: st.DrawFn) -> TreeExample:
    """A tree of five prompt tokens and twelve reference tokens, with one to six contrasts that may share branches."""
    drawn = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=6))
    starts = [100 * (i // 2) for i in range(len(drawn))]  # branches of two contrasts may share their start
    branches = [
        Branch(p, tuple(range(s, s + n))) for s, (p, *lengths) in zip(starts, drawn, strict=True) for n in lengths
    ]
    tied = [(2 * i + 1, 2 * i + 2, p) for i, (p, *_) in enumerate(drawn)]
    tied += [(a, d, p) for a, _, p in tied for _, d, q in tied if p == q and draw(st.booleans())]
    pairs = tuple(Pair(a, b, p, 3 * p, 0) for a, b, p in tied)
    tree = ((1, 2, 3, 4, 5), SEGMENTS, branches)
    rows = draw(st.sampled_from([(pack_tree(*tree),), tuple(flat_rows(*tree))]))
    return TreeExample("t", "s", "i", rows, pairs, {}, 1.0, (), 0, 0)


def texts(rows: tuple[Row, ...]) -> dict[int, tuple[int, ...]]:
    """Ids of every path from the prompt on, by number, and the tokens that are scored."""
    found = {}
    for row in rows:
        for path in row.scored:
            start = path.reads[0] + 1
            assert start == row.trunk - len(path.targets) if path.path == REFERENCE else start <= row.trunk
            # Each token is read from where the one before it stands.
            assert [row.ids[read] for read in path.reads[1:]] == list(path.targets[:-1])
            found[path.path] = row.ids[:start] + path.targets
    return found


@settings(deadline=None, max_examples=150)
@given(st.lists(examples(), min_size=1, max_size=3), st.integers(TRUNK + 9, 150))
def test_passes_fit_hold_every_path_once_and_part_contrasts_only_if_they_must(forest, tokens):
    plan = plan_step(forest, Budget(tokens), lambda example: 0)
    for work in (*plan.passes, *plan.early):
        rows = [row for part in work for row in part.example.rows]
        assert len(rows) * max(len(row.ids) for row in rows) <= tokens
    parts = [part for work in plan.passes for part in work]
    early = [(part.index, path) for work in plan.early for part in work for path in texts(part.example.rows)]
    for index, example in enumerate(forest):
        own = [texts(part.example.rows) for part in parts if part.index == index]
        assert sorted(path for part in own for path in part) == sorted(texts(example.rows))
        assert {path: ids for part in own for path, ids in part.items()} == texts(example.rows)
        for pair in example.pairs:
            together = any(pair.chosen in part and pair.rejected in part for part in own)
            assert together or {(index, pair.chosen), (index, pair.rejected)} <= set(early)
    assert len(early) == len(set(early))


@given(examples())
def test_what_fits_stays_as_it_is(example):
    plan = plan_step([example, example], Budget(10**6), lambda example: 0)
    ((first, second),) = plan.passes
    assert (first.example, second.example, plan.early) == (example, example, ())
    assert plan.tokens >= 2 * unique_tokens(example.rows) and (
        len(example.rows) > 1 or plan.tokens == 2 * len(example.rows[0].ids)
    )


def test_a_split_tree_repeats_prefixes_and_nothing_else():
    branches = [Branch(p, (50 + n,) * 10) for n, p in enumerate((0, 0, 3, 3))]
    pairs = (Pair(1, 2, 0, 0, 0), Pair(3, 4, 3, 9, 0))
    example = TreeExample("t", "s", "i", (pack_tree((1,) * 5, SEGMENTS, branches),), pairs, {}, 1.0, (), 0, 0)
    plan = plan_step([example], Budget(TRUNK + 20), lambda example: 0)
    assert [len(part.example.rows[0].ids) for work in plan.passes for part in work] == [37, 25]
    assert (plan.tokens, unique_tokens(example.rows)) == (62, 57)
    parted = plan_step([example], Budget(24), lambda example: 0)
    assert [len(part.example.rows[0].ids) for work in parted.early for part in work] == [24, 24, 15, 15]


def test_parts_repeat_what_their_branches_share():
    branches = [Branch(0, (50, 51, 52, n, n)) for n in range(60, 64)]
    pairs = (Pair(1, 2, 0, 0, 3), Pair(3, 4, 0, 0, 3))
    example = TreeExample("t", "s", "i", (pack_tree((1,) * 5, SEGMENTS, branches),), pairs, {}, 1.0, (), 0, 0)
    assert unique_tokens(example.rows) == TRUNK + 3 + 4 * 2
    plan = plan_step([example], Budget(TRUNK + 3 + 4), lambda example: 0)
    assert [len(part.example.rows[0].ids) for work in plan.passes for part in work] == [TRUNK + 3 + 4, 5 + 3 + 4]


def test_a_plan_is_filled_with_passes_that_count_for_nothing():
    example = TreeExample("t", "s", "i", (pack_tree((1,) * 5, SEGMENTS, []),), (), {}, 1.0, (), 0, 0)
    plan = plan_step([example, example], Budget(TRUNK), lambda example: 0)
    filled = plan.filled(1, 4)
    assert (len(filled.early), filled.passes[2:]) == (1, plan.passes) and filled.tokens == 5 * TRUNK
    assert [part.example.weight for work in (*filled.early, *filled.passes) for part in work] == [0, 0, 0, 1, 1]
    assert plan.filled(0, 2) == plan


def test_a_path_or_a_picture_over_the_budget_is_named():
    example = TreeExample("t1", "s", "i", (pack_tree((1,) * 5, SEGMENTS, []),), (), {}, 1.0, (), 0, 0)
    with pytest.raises(DataError, match=r"tree t1: one path has 17 tokens .* max_step_tokens 16"):
        plan_step([example], Budget(16), lambda example: 0)
    with pytest.raises(DataError, match=r"17 tokens and 9 image patches.*max_step_patches 8"):
        plan_step([example], Budget(None, 8), lambda example: 9)


# --- Training -----------------------------------------------------------------------------------------------------


@pytest.fixture
def data(idefics3: tuple[Any, Any], tmp_path: Path) -> TreeDataset:
    """Four trees of about 250 tokens of trunk, with branches of 60 to 100."""
    return tiny.dataset(tmp_path, idefics3[1].tokenizer, 4, low=60, high=100)


def longest_path(idefics3: Any, data: TreeDataset, folder: Path) -> int:
    collator = SRPOTrainer(idefics3[0], arguments(folder), data, processing_class=idefics3[1]).data_collator
    rows = [row for i in range(4) for row in collator.encode(data[i]).rows]
    return max(max(row.trunk, *(s.depth + s.end - s.start for s in row.spans)) for row in rows)


@pytest.mark.parametrize(
    ("more", "changes"),
    [
        (0, {}),
        (120, {"gradient_accumulation_steps": 2}),
        (0, {"loss_type": "rpo"}),
        (60, {"contrast_weight": "step", "peft_config": LoraConfig(r=4, init_lora_weights=False)}),
        (0, {"freeze_vision": False, "max_step_patches": 16}),
        (300, {"step_impl": "flat"}),
        (900, {}),
    ],
    ids=["parted", "accumulated", "rpo", "lora", "vision", "flat", "trees apart"],
)
def test_split_steps_have_the_loss_and_the_gradients_of_whole_ones(idefics3, data, tmp_path, more, changes):
    budget = longest_path(idefics3, data, tmp_path) + more
    changes = {"max_contrasts": 8} | changes
    whole = changes | {"max_step_patches": None}
    loss, gradients = first_update(idefics3, tmp_path, data, **whole)
    split_loss, split = first_update(idefics3, tmp_path, data, max_step_tokens=budget, **changes)
    assert split_loss == pytest.approx(loss, abs=1e-6)
    assert_equal_gradients(split, gradients)


def test_a_budget_that_fits_changes_not_one_bit(idefics3, data, tmp_path):
    free = train(*idefics3, data, arguments(tmp_path, max_steps=2, learning_rate=1e-3))
    model, processor = tiny.idefics3()
    limited = train(model, processor, data, arguments(tmp_path, max_steps=2, learning_rate=1e-3, max_step_tokens=9999))
    for ours, theirs in zip(limited.model.parameters(), free.model.parameters(), strict=True):
        assert ours.equal(theirs)


def test_figures_count_tokens_and_evaluation_splits_as_well(idefics3, data, tmp_path):
    whole = SRPOTrainer(idefics3[0], arguments(tmp_path), data, data, processing_class=idefics3[1]).evaluate()
    budget = longest_path(idefics3, data, tmp_path)
    args = arguments(tmp_path, max_steps=1, max_step_tokens=budget, learning_rate=0.0)
    trainer = SRPOTrainer(idefics3[0], args, data, data, processing_class=idefics3[1])
    split = trainer.evaluate()
    assert split["eval_loss"] == pytest.approx(whole["eval_loss"], abs=1e-5)
    assert split["eval_tokens"] == whole["eval_tokens"] and whole["eval_recomputed_tokens"] == 0
    trainer.train()
    assert logged(trainer, "recomputed_tokens")[0] > 0 < split["eval_recomputed_tokens"]


def test_dropped_branches_are_named_once(idefics3, data, tmp_path, caplog):
    long = data.trees[0].nodes[8].model_copy(update={"token_ids": (*range(250), 257)})
    nodes = (*data.trees[0].nodes[:8], long, *data.trees[0].nodes[9:])
    data.trees = (data.trees[0].model_copy(update={"nodes": nodes}), *data.trees[1:])
    budget = longest_path(idefics3, data, tmp_path) - 1
    args = arguments(tmp_path, num_train_epochs=2, per_device_train_batch_size=4, max_step_tokens=budget)
    trainer = train(*idefics3, data, args)
    assert logged(trainer, "dropped_branches") == [1, 1]
    lines = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert lines == ["too long and left out: branches t-s0:8"]
