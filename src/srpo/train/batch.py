"""Records to training examples: samples, trees and contrasts joined, encoded and packed.

A data set item holds records only.  The collator renders the prompt, draws the contrasts of this visit and packs the
rows; an example ships lists of integers and the processor's tensors, never a mask.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils.data import Dataset, Sampler

from srpo.errors import DataError
from srpo.models.chat import render_messages
from srpo.models.encode import Prompt, encode_prompt, encode_segment, tokenizer_of, tokenizer_sha256
from srpo.train.loss import LossType, Pair, needs_contrast, usable
from srpo.train.lru import LRU
from srpo.train.pack import Branch, Row, common_prefix, flat_rows, pack_tree
from srpo.types import Contrast, Node, Sample, Tree

Layout = Literal["tree", "flat"]


@dataclass(frozen=True)
class TreeItem:
    """A tree, its sample and its contrasts, on one visit."""

    sample: Sample
    tree: Tree
    contrasts: tuple[Contrast, ...]
    folder: Path
    instruction: str | None
    epoch: int
    filler: bool = False


class TreeDataset(Dataset[TreeItem]):
    """Trees to train on, map-style; a tree without contrasts still teaches its reference path.

    `folder` is where image paths start from, `instruction` follows the question in every prompt.  Raises DataError if
    a tree's sample or a contrast's tree is missing, or a contrast does not name two branches of its prefix.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        trees: Sequence[Tree],
        contrasts: Sequence[Contrast],
        folder: str | Path = ".",
        instruction: str | None = None,
    ) -> None:
        by_id = {sample.id: sample for sample in samples}
        for tree in trees:
            if tree.sample not in by_id:
                raise DataError(f"tree {tree.id}: sample {tree.sample} is not among the {len(samples)} samples given")
        self.trees = tuple(trees)
        self.samples = {tree.sample: by_id[tree.sample] for tree in trees}
        self.contrasts = _by_tree(self.trees, contrasts)
        self.folder = Path(folder)
        self.instruction = instruction
        # Shared memory, so that persistent loader workers see the epoch that the main process sets.
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.trees)

    def __getitem__(self, index: int) -> TreeItem:
        """Tree `index`; a negative index `~i` is tree i as a filler, which takes part in a step with weight 0."""
        tree = self.trees[~index if index < 0 else index]
        contrasts = self.contrasts[tree.id]
        sample = self.samples[tree.sample]
        return TreeItem(sample, tree, contrasts, self.folder, self.instruction, self.epoch, filler=index < 0)

    @property
    def epoch(self) -> int:
        """Number of passes over the data before this one; contrasts are drawn by it."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)


class TreeOrder(Sampler[int]):
    """A permutation of the trees that depends on the seed and the data set's epoch alone, so that a run can resume.

    Without a seed the trees come as they stand.  Fillers make the length a multiple of `multiple`: every process then
    runs the same number of micro-batches, and no tree counts twice.
    """

    def __init__(self, dataset: TreeDataset, seed: int | None, multiple: int = 1) -> None:
        self.dataset = dataset
        self.seed = seed
        self.multiple = multiple

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.multiple) * self.multiple

    def __iter__(self) -> Iterator[int]:
        order = list(range(len(self.dataset)))
        if self.seed is not None:
            random.Random(f"order:{self.seed}:{self.dataset.epoch}").shuffle(order)
        fillers = [~order[i % len(order)] for i in range(len(self) - len(order))]
        return iter(order + fillers)


@dataclass(frozen=True)
class TreeExample:
    """A tree ready for the model.

    `rows` is one row (tree) or one per path (flat); `weight` is 0 for fillers and if the loss type has nothing to
    learn from this visit.  `image` names the picture, if there is one.  `dropped` names the nodes of branches that were
    too long, `rejected` counts those that hold placeholder ids or no token, `reencoded` those that had no stored ids.
    """

    id: str
    sample: str
    image: str | None
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    extras: dict[str, torch.Tensor]
    weight: float
    dropped: tuple[int, ...]
    rejected: int
    reencoded: int


@dataclass
class TreeCollator:
    """Items to a micro-batch: `weights` [trees] and `examples`.

    At most `max_contrasts` contrasts per tree and visit, drawn by an RNG keyed on (seed, epoch, tree), and only the
    branches that they name.  A path may have `max_length` tokens, and no more than a step may (`max_step_tokens`).
    The last prompts are kept encoded, up to `cache_bytes`.
    """

    processor: Any
    end_ids: tuple[int, ...]
    banned_ids: frozenset[int]
    loss_type: LossType = "srpo"
    step_impl: Layout = "tree"
    max_contrasts: int = 8
    max_length: int = 4096
    max_step_tokens: int | None = None
    seed: int = 42
    cache_bytes: int = 2**28
    _prompts: LRU[str, Prompt] = field(init=False, repr=False)
    _tokenizer: str | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._prompts = LRU(self.cache_bytes)

    def __call__(self, items: Sequence[TreeItem]) -> dict[str, Any]:
        examples = [self.encode(item) for item in items]
        return {"weights": torch.tensor([example.weight for example in examples]), "examples": examples}

    def encode(self, item: TreeItem) -> TreeExample:
        """Raises DataError if the tree's ids are of another tokenizer or its reference path cannot be used.

        It cannot if it is too long with the prompt, or holds placeholder ids.
        """
        self._check_tokenizer(item.tree)
        prompt = self._prompt(item)
        segments = self._trunk(item.tree)
        forks = _running_length(len(prompt.ids), segments)
        name, limit = self._limit
        if forks[-1] > limit:
            raise DataError(
                f"tree {item.tree.id}: prompt and reference path have {forks[-1]} tokens, more than {name} "
                f"{limit}; raise {name} or drop the tree"
            )
        ids, dropped, counts = self._branches(item, forks)
        nodes, pairs = self._draw(item, ids, forks)
        branches = [Branch(item.tree.prefix(node), ids[node]) for node in nodes]
        if self.step_impl == "tree":
            rows = [pack_tree(prompt.ids, segments, branches)]
        else:
            rows = flat_rows(prompt.ids, segments, branches)
        idle = item.filler or (needs_contrast(self.loss_type) and not pairs)
        return TreeExample(
            id=item.tree.id,
            sample=item.sample.id,
            image=_picture(item.sample),
            rows=tuple(rows),
            pairs=pairs,
            extras=prompt.extras,
            weight=0.0 if idle else 1.0,
            dropped=tuple(dropped),
            rejected=counts["rejected"],
            reencoded=counts["reencoded"],
        )

    @property
    def _limit(self) -> tuple[str, int]:
        """Tokens of the longest path that can be trained, and the setting that says so."""
        if self.max_step_tokens is not None and self.max_step_tokens < self.max_length:
            return "max_step_tokens", self.max_step_tokens
        return "max_length", self.max_length

    def _check_tokenizer(self, tree: Tree) -> None:
        if tree.tokenizer is None:
            return
        if self._tokenizer is None:
            self._tokenizer = tokenizer_sha256(self.processor)
        if tree.tokenizer != self._tokenizer:
            raise DataError(
                f"tree {tree.id}: sampled with another tokenizer ({tree.tokenizer[:8]}) than the model's "
                f"({self._tokenizer[:8]}); explore again with this model"
            )

    def _prompt(self, item: TreeItem) -> Prompt:
        """One processor call per sample, while it is kept."""
        # Not the id: data sets for training and evaluation share the collator, and may use an id twice.
        key = "\n".join((str(_picture(item.sample)), item.sample.question, str(item.instruction)))
        prompt = self._prompts.get(key)
        if prompt is None:
            prompt = encode_prompt(self.processor, render_messages(item.sample, item.folder, item.instruction))
            # An id takes about 36 bytes in a tuple of integers.
            size = sum(tensor.nbytes for tensor in prompt.extras.values()) + 36 * len(prompt.ids)
            self._prompts.put(key, prompt, size)
        return prompt

    def _trunk(self, tree: Tree) -> list[tuple[int, ...]]:
        """Ids of the reference path's segments; the end token closes the last one."""
        nodes = [tree.nodes[i] for i in tree.trunk]
        words = tokenizer_of(self.processor)
        segments = [encode_segment(words, n.text) if n.token_ids is None else n.token_ids for n in nodes]
        if not segments or not all(segments):
            raise DataError(f"tree {tree.id}: a node of the reference path has no tokens")
        if segments[-1][-1] not in self.end_ids:
            segments[-1] = (*segments[-1], self.end_ids[0])
        if any(self.banned_ids.intersection(segment) for segment in segments):
            raise DataError(f"tree {tree.id}: the reference path holds image placeholder tokens; drop the tree")
        return segments

    def _branches(
        self, item: TreeItem, forks: Sequence[int]
    ) -> tuple[dict[int, tuple[int, ...]], list[int], Counter[str]]:
        """Ids of the branches of contrasts that can be used, by node, those too long, and counts of the others."""
        tree, counts = item.tree, Counter[str]()
        kept: dict[int, tuple[int, ...]] = {}
        dropped: list[int] = []
        for node in sorted({n for contrast in item.contrasts for n in (contrast.chosen, contrast.rejected)}):
            ids = self._branch_ids(tree.nodes[node])
            counts["reencoded"] += tree.nodes[node].token_ids is None
            if not ids or self.banned_ids.intersection(ids):
                counts["rejected"] += 1
            elif forks[tree.prefix(node)] + len(ids) > self._limit[1]:
                dropped.append(node)
            else:
                kept[node] = ids
        return kept, dropped, counts

    def _branch_ids(self, node: Node) -> tuple[int, ...]:
        if node.token_ids is not None:
            return node.token_ids
        ids = encode_segment(tokenizer_of(self.processor), node.text)
        return (*ids, self.end_ids[0]) if node.finish == "stop" else ids

    def _draw(
        self, item: TreeItem, ids: dict[int, tuple[int, ...]], forks: Sequence[int]
    ) -> tuple[list[int], tuple[Pair, ...]]:
        """The contrasts of this visit as pairs of paths, and the nodes that become branches 1, 2, ..."""
        able = []
        for contrast in item.contrasts:
            if contrast.chosen in ids and contrast.rejected in ids:
                chosen, rejected = ids[contrast.chosen], ids[contrast.rejected]
                tokens, shared = forks[contrast.prefix] - forks[0], common_prefix(chosen, rejected)
                pair = Pair(contrast.chosen, contrast.rejected, contrast.prefix, tokens, shared, contrast.weight)
                if usable(pair, min(len(chosen), len(rejected)), self.loss_type):
                    able.append(pair)
        if len(able) > self.max_contrasts:
            rng = random.Random(f"contrasts:{self.seed}:{item.epoch}:{item.tree.id}")
            able = [able[i] for i in sorted(rng.sample(range(len(able)), self.max_contrasts))]
        nodes = sorted({node for pair in able for node in (pair.chosen, pair.rejected)})
        path = {node: number for number, node in enumerate(nodes, 1)}
        pairs = (replace(p, chosen=path[p.chosen], rejected=path[p.rejected]) for p in able)
        return nodes, tuple(pairs)


def _picture(sample: Sample) -> str | None:
    return None if sample.image is None else sample.image.sha256


def _by_tree(trees: Sequence[Tree], contrasts: Sequence[Contrast]) -> dict[str, tuple[Contrast, ...]]:
    known = {tree.id: tree for tree in trees}
    grouped: defaultdict[str, list[Contrast]] = defaultdict(list)
    for contrast in contrasts:
        tree = known.get(contrast.tree)
        if tree is None:
            raise DataError(f"a contrast names tree {contrast.tree}, which is not among the {len(trees)} trees given")
        for node in (contrast.chosen, contrast.rejected):
            if node not in tree.branches or tree.prefix(node) != contrast.prefix:
                raise DataError(f"tree {tree.id}: contrast node {node} is not a branch of prefix {contrast.prefix}")
        grouped[contrast.tree].append(contrast)
    return {tree.id: tuple(grouped[tree.id]) for tree in trees}


def _running_length(prompt: int, segments: Sequence[tuple[int, ...]]) -> list[int]:
    forks = [prompt]
    for segment in segments:
        forks.append(forks[-1] + len(segment))
    return forks
