"""Tokens and arithmetic that a training step and an exploration need.  Pure integers.

Notation, per tree: P prompt tokens (picture included), p_i reference tokens before prefix i, R reference tokens,
b_ij tokens of branch j of prefix i, m_i contrasts of prefix i.  The formulas are in `docs/performance.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Lengths:
    """Token counts of one tree; `branches[i]` are the lengths of the branches of prefix i, favourable ones first."""

    prompt: int
    segments: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...]

    @property
    def reference(self) -> int:
        return sum(self.segments)

    def prefix(self, number: int) -> int:
        """Tokens of prefix `number`, prompt included."""
        return self.prompt + sum(self.segments[:number])

    def paths(self) -> list[tuple[int, int]]:
        """(tokens before, own tokens) of the reference path and of every branch."""
        own = [(self.prefix(i), length) for i, lengths in enumerate(self.branches) for length in lengths]
        return [(self.prompt, self.reference), *own]


@dataclass(frozen=True)
class Work:
    """What a model does: tokens through the text body, keys that they look at, scored tokens, encoded pictures."""

    tokens: int
    keys: int
    targets: int
    pictures: int

    def __add__(self, other: Work) -> Work:
        return Work(
            self.tokens + other.tokens,
            self.keys + other.keys,
            self.targets + other.targets,
            self.pictures + other.pictures,
        )


@dataclass(frozen=True)
class Shape:
    """A model in numbers: weights of the text body, its layers and attention width, hidden size and vocabulary.

    `picture` is the forward cost of one encoded picture in operations.
    """

    body: int
    layers: int
    attention: int
    hidden: int
    vocabulary: int
    picture: int


def favourable(branches: int) -> int:
    """How many branches of a prefix count as favourable: the first half, rounded down."""
    return branches // 2


def contrasts(branches: int) -> list[tuple[int, int]]:
    """All combinations of a favourable and an unfavourable branch of one prefix, by their places."""
    good = favourable(branches)
    return [(a, b) for a in range(good) for b in range(good, branches)]


def pairs_work(tree: Lengths) -> Work:
    """A row for the reference path and two for every contrast: (P + R) + sum over contrasts of 2 (P + p_i) + b + b'."""
    return _row(tree.prompt, tree.reference) + dpo_work(tree)


def dpo_work(tree: Lengths) -> Work:
    """Two rows for every contrast, through one model."""
    work = Work(0, 0, 0, 0)
    for i, lengths in enumerate(tree.branches):
        for pair in contrasts(len(lengths)):
            for place in pair:
                work += _row(tree.prefix(i), lengths[place])
    return work


def flat_work(tree: Lengths) -> Work:
    """A row for every path: (P + R) + sum (P + p_i + b_ij)."""
    return sum((_row(before, own) for before, own in tree.paths()), Work(0, 0, 0, 0))


def tree_work(tree: Lengths, pictures: int) -> Work:
    """Every token once, of paths that share prefixes only: P + R + sum b_ij.  The lower bound, with no picture."""
    keys, targets = _triangle(0, tree.prompt + tree.reference), tree.reference
    for before, own in tree.paths()[1:]:
        keys += _triangle(before, own)
        targets += own
    return Work(lower_bound(tree), keys, targets, pictures)


def lower_bound(tree: Lengths) -> int:
    """Distinct tokens of a tree whose paths share prefixes only, T = P + R + sum b_ij."""
    return tree.prompt + sum(own for _, own in tree.paths())


def prefill_bound(tree: Lengths) -> int:
    """Given tokens that exploration cannot avoid: the prompt and the longest prefix, once."""
    return tree.prefix(len(tree.branches) - 1)


def decode_bound(tree: Lengths) -> int:
    """New tokens that must go through the model: all but the last of every branch."""
    return sum(length - 1 for lengths in tree.branches for length in lengths)


def forward_flops(shape: Shape, work: Work) -> int:
    """2 N_body T + 4 L d keys + 2 d V targets, pictures apart."""
    body = 2 * shape.body * work.tokens
    attention = 4 * shape.layers * shape.attention * work.keys
    return body + attention + 2 * shape.hidden * shape.vocabulary * work.targets


def step_flops(shape: Shape, work: Work, lora: bool) -> int:
    """Forward and backward: 3 times the forward pass, 2 times with adapters; a frozen vision tower runs forward."""
    return (2 if lora else 3) * forward_flops(shape, work) + shape.picture * work.pictures


def dpo_flops(shape: Shape, work: Work, lora: bool) -> int:
    """A step of the policy, and the forward pass of the reference model with its pictures."""
    return step_flops(shape, work, lora) + forward_flops(shape, work) + shape.picture * work.pictures


@dataclass(frozen=True)
class Tower:
    """A vision tower in numbers: weights of its layers and of its connector, and how far its attention reaches."""

    weights: int
    connector: int
    width: int
    full_layers: int
    window_layers: int
    window: int


def picture_flops(tower: Tower, patches: int, merged: int) -> int:
    """Forward cost of a picture of `patches` patches that become `merged` tokens; windows hold `window` patches."""
    keys = tower.full_layers * patches + tower.window_layers * min(tower.window, patches)
    return 2 * (tower.weights * patches + tower.connector * merged) + 4 * tower.width * patches * keys


def total(works: Sequence[Work]) -> Work:
    return sum(works, Work(0, 0, 0, 0))


def _row(before: int, own: int) -> Work:
    """One path in a row of its own, with its picture."""
    return Work(before + own, _triangle(0, before + own), own, 1)


def _triangle(before: int, own: int) -> int:
    """Keys seen by `own` causal tokens that follow `before` others."""
    return own * before + own * (own + 1) // 2
