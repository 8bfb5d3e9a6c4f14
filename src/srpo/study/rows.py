"""Rows for TRL's trainers: contrasts as pairs, as single texts with a label, or requests alone."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from srpo.errors import DataError
from srpo.export.examples import Example
from srpo.export.formats import trl_row
from srpo.models.chat import render_messages
from srpo.study.teaching import Lesson
from srpo.types import Contrast, Sample, Tree

Row = dict[str, Any]


def pair_rows(lesson: Lesson, number: int, seed: int) -> list[Row]:
    """So many pairs: trees in turn, shuffled anew in every round, and of each one of its contrasts.

    Every tree with a contrast so counts alike, as it does in the losses of `srpo train`.
    """
    return [_pair(tree, contrast, lesson) for tree, contrast in islice(_visits(lesson, seed), number)]


def labelled_rows(pairs: list[Row], batch: int) -> list[Row]:
    """Both sides of pairs as rows of their own.

    In a batch all good texts come before all bad ones: KTO estimates its divergence from each request with the text of
    the row before it, which must be of another request.
    """
    half, rows = batch // 2, []
    for begin in range(0, len(pairs), half):
        part = pairs[begin : begin + half]
        rows += [_labelled(row, "chosen", True) for row in part] + [_labelled(row, "rejected", False) for row in part]
    return rows


def request_rows(lesson: Lesson, number: int, seed: int) -> list[Row]:
    """So many requests: all samples in turn, shuffled anew in every round."""
    rng = random.Random(f"requests:{seed}")
    rows: list[Row] = []
    while len(rows) < number:
        names = [tree.sample for tree in lesson.trees]
        rng.shuffle(names)
        rows += [_row(lesson.samples[name], lesson.folder) for name in names]
    return rows[:number]


def _visits(lesson: Lesson, seed: int) -> Iterator[tuple[Tree, Contrast]]:
    of_tree: defaultdict[str, list[Contrast]] = defaultdict(list)
    for contrast in lesson.contrasts:
        of_tree[contrast.tree].append(contrast)
    trees = [tree for tree in lesson.trees if of_tree[tree.id]]
    if not trees:
        raise DataError("pairs: no tree has a contrast; sample more branches, or at a higher temperature")
    rng = random.Random(f"pairs:{seed}")
    while True:
        rng.shuffle(trees)
        yield from ((tree, rng.choice(of_tree[tree.id])) for tree in trees)


def _pair(tree: Tree, contrast: Contrast, lesson: Lesson) -> Row:
    sides = (tree.walk(contrast.chosen), tree.walk(contrast.rejected))
    return _row(lesson.samples[tree.sample], lesson.folder, *sides, prefix=contrast.prefix)


def _row(
    sample: Sample, folder: Path, chosen: str | None = None, rejected: str | None = None, prefix: int | None = None
) -> Row:
    (message,) = render_messages(sample, folder)
    picture = next((path.resolve() for path in message.images), None)
    example = Example(sample, message.text, picture, chosen, rejected, prefix)
    return trl_row(example, None if picture is None else str(picture))


def _labelled(row: Row, side: str, label: bool) -> Row:
    kept = {key: value for key, value in row.items() if key not in ("chosen", "rejected", "prefix")}
    return {**kept, "completion": row[side], "label": label}
