"""How a step is spread over forward passes that fit a budget.  Pure integers.

Examples go through the model in order, as many together as fit.  A tree that alone is too big is split into parts that
partition its paths.  Parts are made of whole contrasts, so that each part can be trained without the others; only
branches whose contrast is itself too big go apart, and these need log-probabilities of one another beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from srpo.errors import DataError
from srpo.train.batch import TreeExample
from srpo.train.pack import REFERENCE, Row, cut_rows


@dataclass(frozen=True)
class Budget:
    """Limits of one forward and backward pass; none = no limit.

    `tokens` counts the rows as they go through the model, image tokens and padding included; `patches` counts what the
    vision tower reads, unless image features are kept.
    """

    tokens: int | None = None
    patches: int | None = None

    def fits(self, rows: Sequence[Row], patches: int) -> bool:
        """Whether rows, with this many image patches in all, may go through the model together."""
        tokens = len(rows) * max(len(row.ids) for row in rows)
        return (self.tokens is None or tokens <= self.tokens) and (self.patches is None or patches <= self.patches)


@dataclass(frozen=True)
class Part:
    """Some paths of example number `index`: the example with rows for them alone."""

    index: int
    example: TreeExample
    patches: int


Pass = tuple[Part, ...]
"""What goes through the model together."""


@dataclass(frozen=True)
class StepPlan:
    """`passes` hold every path once; `early` those paths that must be scored before, because a contrast was parted."""

    early: tuple[Pass, ...]
    passes: tuple[Pass, ...]

    def filled(self, early: int, passes: int) -> StepPlan:
        """The plan with passes of weight 0, each one part again, up to these numbers; the real ones stay last."""
        part = self.passes[0][0]
        idle = (replace(part, example=replace(part.example, weight=0.0)),)
        missing = (early - len(self.early), passes - len(self.passes))
        return StepPlan((idle,) * missing[0] + self.early, (idle,) * missing[1] + self.passes)

    @property
    def tokens(self) -> int:
        """Tokens that go through the model, padding left out."""
        parts = [part for work in (*self.early, *self.passes) for part in work]
        return sum(len(row.ids) for part in parts for row in part.example.rows)


def plan_step(examples: Sequence[TreeExample], budget: Budget, patches: Callable[[TreeExample], int]) -> StepPlan:
    """The fewest passes that a simple packing finds; one pass if everything fits.

    `patches` gives the image patches of one row of an example.  Raises DataError for a path that alone is too big.
    """
    early: list[Part] = []
    parts: list[Part] = []
    for index, example in enumerate(examples):
        per_row = patches(example)
        groups, parted = _split(example, budget, per_row)
        for paths in groups:
            parts.append(_part(index, example, paths, per_row))
            if paths & parted:
                early.append(_part(index, example, paths & parted, per_row))
    return StepPlan(tuple(_together(early, budget)), tuple(_together(parts, budget)))


def image_patches(extras: Mapping[str, torch.Tensor], config: Any) -> int:
    """Patches that the vision tower of a model with this config reads for one prompt."""
    size = config.vision_config.patch_size
    height, width = (size, size) if isinstance(size, int) else size
    pixels = [tensor for key, tensor in extras.items() if key.startswith("pixel_values")]
    # Processors that cut pictures themselves give one line per patch, others [..., channels, height, width].
    cut = [tensor for tensor in pixels if tensor.ndim == 2]
    whole = [tensor for tensor in pixels if tensor.ndim > 2]
    return sum(t.shape[0] for t in cut) + sum(t.numel() // (t.shape[-3] * height * width) for t in whole)


def _split(example: TreeExample, budget: Budget, per_row: int) -> tuple[list[set[int]], set[int]]:
    """Paths of the example by part, and those whose contrast is parted.

    The reference path needs the whole trunk, so branches with late forks join it first; each goes into the first part
    that has room.
    """

    def fits(paths: set[int]) -> bool:
        rows = cut_rows(example.rows, paths)
        return budget.fits(rows, per_row * len(rows))

    every = {path.path for row in example.rows for path in row.scored}
    if fits(every):
        return [every], set()
    groups: list[set[int]] = []
    parted: set[int] = set()
    for unit in ({REFERENCE}, *_units(example)):
        whole = fits(unit)
        if not whole:
            parted |= unit
        for paths in [unit] if whole else [{path} for path in sorted(unit)]:
            if not fits(paths):
                raise _too_big(example, budget, cut_rows(example.rows, paths), per_row)
            room = next((group for group in groups if fits(group | paths)), None)
            if room is None:
                groups.append(set(paths))
            else:
                room |= paths
    return groups, parted


def _units(example: TreeExample) -> list[set[int]]:
    """Branches that contrasts tie together, latest fork first."""
    units: list[set[int]] = []
    for pair in sorted(example.pairs, key=lambda p: -p.prefix):
        tied = {pair.chosen, pair.rejected}
        for unit in [unit for unit in units if unit & tied]:
            units.remove(unit)
            tied |= unit
        units.append(tied)
    return units


def _together(parts: Sequence[Part], budget: Budget) -> Iterator[Pass]:
    """Neighbours that fit into one pass."""
    work: list[Part] = []
    for part in parts:
        rows = [row for each in (*work, part) for row in each.example.rows]
        if work and not budget.fits(rows, sum(each.patches for each in (*work, part))):
            yield tuple(work)
            work = []
        work.append(part)
    if work:
        yield tuple(work)


def _part(index: int, example: TreeExample, paths: set[int], per_row: int) -> Part:
    rows = cut_rows(example.rows, paths)
    return Part(index, replace(example, rows=rows), per_row * len(rows))


def _too_big(example: TreeExample, budget: Budget, rows: Sequence[Row], per_row: int) -> DataError:
    found = f"one path has {len(rows[0].ids)} tokens and {per_row} image patches"
    limits = f"max_step_tokens {budget.tokens} or max_step_patches {budget.patches}"
    return DataError(f"tree {example.id}: {found}, more than {limits}; raise them or drop the tree")
