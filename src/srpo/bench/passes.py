"""The rows of a training step in three ways, and the part of the loss that each pass holds.

Where paths share nothing, each row is plain causal attention over prompt, prefix and branch, and a pass holds whole
contrasts, so that the losses of the passes add up to that of the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch

from srpo.bench.trees import RandomTree
from srpo.train.batch import TreeExample
from srpo.train.loss import combine, contrast_loss, reference_loss
from srpo.train.pack import REFERENCE, Row, ScoredPath, flat_rows, pack_tree
from srpo.train.scorer import PathLogps

LAMBDA = 0.3


@dataclass(frozen=True)
class Pass:
    """Rows of one forward and backward pass.

    `paths[n]` is the path of the tree that number n of the example stands for, `pairs` are contrasts by such numbers.
    """

    example: TreeExample
    paths: dict[int, int]
    pairs: tuple[tuple[int, int], ...]
    share: float
    """Share of the tree's contrasts that one contrast has."""


def pass_loss(logps: PathLogps, one: Pass) -> torch.Tensor:
    """The part of a tree's loss that a pass holds: the reference path if it is in it, and its contrasts."""
    zero = next(iter(logps.values())).new_zeros(())
    reference = reference_loss(logps[REFERENCE]) if REFERENCE in logps else zero
    if not one.pairs:
        return reference
    chosen_C = torch.stack([logps[a].mean() for a, _ in one.pairs])
    rejected_C = torch.stack([logps[b].mean() for _, b in one.pairs])
    return combine(reference, one.share * contrast_loss(chosen_C, rejected_C).sum(), LAMBDA)


def pairs_passes(tree: RandomTree, rows: int) -> list[Pass]:
    """The reference path, then `rows` // 2 contrasts at a time, two rows each."""
    apart = _rows_by_path(tree)
    passes = [_pass(tree, [apart[REFERENCE]], {REFERENCE: REFERENCE}, ())]
    size = rows // 2
    for begin in range(0, len(tree.contrasts), size):
        paths = [path for pair in tree.contrasts[begin : begin + size] for path in pair]
        numbered = [_renumber(apart[path], number) for number, path in enumerate(paths, 1)]
        pairs = tuple((number, number + 1) for number in range(1, len(paths), 2))
        passes.append(_pass(tree, numbered, dict(enumerate(paths, 1)), pairs))
    return passes


def flat_passes(tree: RandomTree, rows: int) -> list[Pass]:
    """The reference path, then whole prefixes together: as many as `rows` holds, and at least one."""
    apart = _rows_by_path(tree)
    passes = [_pass(tree, [apart[REFERENCE]], {REFERENCE: REFERENCE}, ())]
    waiting: list[int] = []
    numbers = range(1, len(tree.branches) + 1)
    for _, group in groupby(numbers, key=lambda number: tree.branches[number - 1].prefix):
        own = list(group)
        if waiting and len(waiting) + len(own) > rows:
            passes.append(_flat_pass(tree, apart, waiting))
            waiting = []
        waiting += own
    return [*passes, _flat_pass(tree, apart, waiting)]


def tree_passes(tree: RandomTree) -> list[Pass]:
    """All paths in one row."""
    row = pack_tree(tree.prompt.ids, tree.segments, tree.branches)
    return [_pass(tree, [row], {path.path: path.path for path in row.scored}, tree.contrasts)]


def _flat_pass(tree: RandomTree, apart: dict[int, Row], paths: Sequence[int]) -> Pass:
    pairs = tuple(pair for pair in tree.contrasts if pair[0] in paths)
    return _pass(tree, [apart[path] for path in paths], {path: path for path in paths}, pairs)


def _rows_by_path(tree: RandomTree) -> dict[int, Row]:
    """A row per path.  Without a branch in it, it is plain causal attention from its first to its last token."""
    rows = flat_rows(tree.prompt.ids, tree.segments, tree.branches)
    return {row.scored[0].path: replace(row, trunk=len(row.ids), spans=()) for row in rows}


def _renumber(row: Row, number: int) -> Row:
    path = row.scored[0]
    return replace(row, scored=(ScoredPath(number, path.reads, path.targets),))


def _pass(tree: RandomTree, rows: list[Row], paths: dict[int, int], pairs: tuple[tuple[int, int], ...]) -> Pass:
    example = TreeExample(
        id=tree.name,
        sample=tree.name,
        image=tree.name,
        rows=tuple(rows),
        pairs=(),
        extras=tree.prompt.extras,
        weight=1.0,
        dropped=(),
        rejected=0,
        reencoded=0,
    )
    return Pass(example, paths, pairs, 1 / len(tree.contrasts))
