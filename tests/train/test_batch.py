"""Records to examples: what is drawn, dropped, rejected and re-encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny

from srpo.errors import DataError
from srpo.models.encode import tokenizer_sha256
from srpo.train.batch import TreeCollator, TreeDataset, TreeOrder
from srpo.train.lru import LRU
from srpo.types import Contrast


@pytest.fixture
def processor(idefics3: tuple[Any, Any]) -> Any:
    return idefics3[1]


@pytest.fixture
def collator(processor: Any) -> TreeCollator:
    words = processor.tokenizer
    end, image = words.convert_tokens_to_ids(["<|im_end|>", "<image>"])
    return TreeCollator(processor, (end,), frozenset({image}))


@pytest.fixture
def change(processor: Any, tmp_path: Path) -> Callable[..., TreeDataset]:
    """A data set of one tree with eight branches, with some nodes changed."""

    def make(changes: dict[int, dict[str, Any]] | None = None, contrasts: list[Contrast] | None = None) -> TreeDataset:
        sample = tiny.sample(tmp_path, 0)
        tree = tiny.tree(sample, processor.tokenizer, 8)
        nodes = [n.model_copy(update=(changes or {}).get(i, {})) for i, n in enumerate(tree.nodes)]
        tree = tree.model_copy(update={"nodes": tuple(nodes)})
        return TreeDataset([sample], [tree], tiny.contrasts(tree) if contrasts is None else contrasts, tmp_path)

    return make


def every_pair(data: TreeDataset) -> list[Contrast]:
    tree = data.trees[0]
    a = [n for n in tree.branches if tree.prefix(n) == 0]
    return [Contrast(tree=tree.id, prefix=0, chosen=x, rejected=y) for x in a for y in a if x != y]


def test_an_example_holds_the_stored_ids_and_the_pairs(change, collator):
    data = change()
    example = collator.encode(data[0])
    tree, row = data.trees[0], example.rows[0]
    assert [s.targets for s in row.scored[1:]] == [tree.nodes[n].token_ids for n in tree.branches]
    assert row.scored[0].targets == sum((tree.nodes[n].token_ids for n in tree.trunk), ())
    assert [(p.chosen, p.rejected, p.prefix) for p in example.pairs] == [(1, 2, 0), (3, 4, 1), (5, 6, 2), (7, 8, 3)]
    for pair in example.pairs:
        assert pair.prefix_tokens == sum(len(tree.nodes[n].token_ids) for n in range(pair.prefix))
    assert (example.weight, example.dropped, example.rejected, example.reencoded) == (1.0, (), 0, 0)


def test_only_branches_of_drawn_contrasts_are_packed(change, collator):
    collator.max_contrasts = 1
    example = collator.encode(change()[0])
    assert len(example.pairs) == 1
    assert [path.path for path in example.rows[0].scored] == [0, 1, 2]


def test_draws_depend_on_seed_epoch_and_tree_alone(processor, collator, tmp_path):
    data = tiny.dataset(tmp_path, processor.tokenizer, 3, branches=14)
    collator.max_contrasts = 2

    def draw(seed: int, epoch: int, index: int) -> tuple[int, ...]:
        data.set_epoch(epoch)
        return tuple(p.prefix for p in replace(collator, seed=seed).encode(data[index]).pairs)

    assert draw(1, 0, 0) == draw(1, 0, 0)
    assert len({draw(1, epoch, 0) for epoch in range(6)}) > 1
    assert len({draw(seed, 0, 0) for seed in range(6)}) > 1
    assert len({draw(1, 0, index) for index in range(3)}) > 1


def test_over_long_branches_are_dropped_whole_and_counted(change, collator):
    data = change({8: {"token_ids": (*range(200), 257)}})
    free = collator.encode(data[0])
    collator.max_length = free.rows[0].trunk
    tight = collator.encode(data[0])
    assert (free.dropped, tight.dropped) == ((), (8,))
    assert [p.prefix for p in tight.pairs] == [1, 2, 3]
    assert len(tight.rows[0].scored) == 1 + 6


def test_a_reference_path_that_is_too_long_is_an_error(change, collator):
    collator.max_length = 50
    with pytest.raises(DataError, match="raise max_length"):
        collator.encode(change()[0])


def test_a_tree_of_another_tokenizer_is_refused(change, collator, processor):
    item, own = change()[0], tokenizer_sha256(processor)
    known = replace(item, tree=item.tree.model_copy(update={"tokenizer": own}))
    assert collator.encode(known) == collator.encode(item)
    other = replace(item, tree=item.tree.model_copy(update={"tokenizer": "0123456789"}))
    with pytest.raises(DataError, match=rf"tree t-s0: .*\(01234567\) than the model's \({own[:8]}\); explore again"):
        collator.encode(other)


@pytest.mark.parametrize("ids", [(5, 259, 6), ()], ids=["image token", "empty"])
def test_unusable_branches_are_rejected_and_counted(change, collator, processor, ids):
    assert processor.tokenizer.convert_tokens_to_ids("<image>") == 259
    example = collator.encode(change({7: {"token_ids": ids}})[0])
    assert example.rejected == 1
    assert [p.prefix for p in example.pairs] == [1, 2, 3]


def test_image_tokens_in_the_reference_path_are_an_error(change, collator):
    with pytest.raises(DataError, match="placeholder"):
        collator.encode(change({2: {"token_ids": (1, 259)}})[0])


def test_text_without_ids_is_encoded_and_counted(change, collator, processor):
    end = collator.end_ids[0]
    example = collator.encode(
        change(
            {
                6: {"token_ids": None},
                7: {"token_ids": None, "text": "so be it"},
                8: {"token_ids": None, "text": "cut off", "finish": "length"},
            }
        )[0]
    )
    words = processor.tokenizer
    assert example.reencoded == 2
    assert example.rows[0].scored[1].targets == (*words("so be it")["input_ids"], end)
    assert example.rows[0].scored[2].targets == tuple(words("cut off")["input_ids"])
    assert example.rows[0].scored[0].targets[-1] == end


def test_the_end_token_closes_a_stored_reference_once(change, collator):
    end = collator.end_ids[0]
    stored = change().trees[0].nodes[6].token_ids
    assert stored[-1] == end
    without = collator.encode(change({6: {"token_ids": stored[:-1]}})[0])
    assert without.rows[0].scored[0] == collator.encode(change()[0]).rows[0].scored[0]


def test_pair_losses_skip_trees_they_cannot_use(change, collator):
    data = change()
    late = change(contrasts=[c for c in data.contrasts[data.trees[0].id] if c.prefix])
    assert replace(collator, loss_type="orpo").encode(late[0]).weight == 0.0
    assert [p.prefix for p in replace(collator, loss_type="orpo").encode(data[0]).pairs] == [0]
    assert replace(collator, loss_type="srpo").encode(change(contrasts=[])[0]).weight == 1.0
    assert replace(collator, loss_type="sft").encode(data[0]).rows[0].spans == ()


def test_fully_masked_pairs_are_left_out_of_rpo(change, collator):
    data = change({7: {"token_ids": (1, 2, 3)}, 8: {"token_ids": (1, 2, 3, 4)}})
    assert [p.prefix for p in replace(collator, loss_type="rpo").encode(data[0]).pairs] == [1, 2, 3]
    assert [p.prefix for p in replace(collator, loss_type="srpo").encode(data[0]).pairs] == [0, 1, 2, 3]


def test_prompts_are_encoded_once_while_there_is_room(change, collator):
    data = change()
    assert collator.encode(data[0]).extras is collator.encode(data[0]).extras
    roomless = replace(collator, cache_bytes=0)
    assert roomless.encode(data[0]).extras is not roomless.encode(data[0]).extras


def test_a_full_cache_forgets_what_was_used_longest_ago():
    cache: LRU[str, str] = LRU(10)
    for key, size in (("a", 4), ("b", 4), ("whale", 11)):
        cache.put(key, key.upper(), size)
    assert cache.get("a") == "A"
    cache.put("c", "C", 5)
    assert [cache.get(key) for key in ("a", "b", "c", "whale")] == ["A", None, "C", None]


def test_a_step_that_is_shorter_than_a_path_limits_its_length(change, collator):
    data = change({8: {"token_ids": (*range(200), 257)}})
    collator.max_step_tokens = collator.encode(data[0]).rows[0].trunk
    assert collator.encode(data[0]).dropped == (8,)
    collator.max_step_tokens -= 1
    with pytest.raises(DataError, match="raise max_step_tokens"):
        collator.encode(data[0])


@pytest.mark.parametrize(
    "contrast",
    [
        Contrast(tree="t-s0", prefix=1, chosen=7, rejected=8),
        Contrast(tree="t-s0", prefix=0, chosen=0, rejected=8),
        Contrast(tree="other", prefix=0, chosen=7, rejected=8),
    ],
    ids=["other prefix", "not a branch", "no such tree"],
)
def test_contrasts_that_do_not_fit_their_tree_are_refused(change, contrast):
    with pytest.raises(DataError, match=r"tree (t-s0|other)"):
        change(contrasts=[contrast])


def test_a_tree_without_its_sample_is_refused(change, tmp_path):
    with pytest.raises(DataError, match="sample s0"):
        TreeDataset([], change().trees, [], tmp_path)


def test_order_is_a_permutation_of_seed_and_epoch(processor, tmp_path):
    data = tiny.dataset(tmp_path, processor.tokenizer, 7)
    first = list(TreeOrder(data, 1))
    assert sorted(first) == list(range(7))
    assert first == list(TreeOrder(data, 1))
    assert first != list(TreeOrder(data, 2))
    data.set_epoch(1)
    assert first != list(TreeOrder(data, 1))


def test_fillers_complete_the_order_with_weight_zero(processor, collator, tmp_path):
    data = tiny.dataset(tmp_path, processor.tokenizer, 3)
    order = TreeOrder(data, 1, multiple=4)
    indices = list(order)
    assert len(order) == len(indices) == 4
    assert sorted(indices[:3]) == [0, 1, 2]
    assert [collator.encode(data[i]).weight for i in indices] == [1.0, 1.0, 1.0, 0.0]


def test_a_node_of_the_reference_without_tokens_is_an_error(change, collator):
    with pytest.raises(DataError, match="no tokens"):
        collator.encode(change({3: {"token_ids": ()}})[0])
