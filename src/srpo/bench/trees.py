"""Random prompts and trees; the same for every way that is compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from srpo.bench.counts import contrasts
from srpo.bench.model import special_ids
from srpo.bench.setting import AFTER, BEFORE, Setting
from srpo.models.encode import Prompt
from srpo.train.pack import Branch

PATCH_NUMBERS = 3 * 2 * 14 * 14
"""Numbers of a patch: colours, two frames, 14 x 14 pixels."""


@dataclass(frozen=True)
class RandomTree:
    """A prompt, the segments of its reference path, its branches by prefix, and the contrasts among them.

    `contrasts` are numbers of branches, counted from 1 as paths are.
    """

    name: str
    prompt: Prompt
    segments: tuple[tuple[int, ...], ...]
    branches: tuple[Branch, ...]
    contrasts: tuple[tuple[int, int], ...]

    def prefix(self, number: int) -> tuple[int, ...]:
        """Ids of the prompt and the first `number` segments."""
        return self.prompt.ids + tuple(i for segment in self.segments[:number] for i in segment)


def random_trees(setting: Setting) -> list[RandomTree]:
    """Trees of the setting's lengths, on the CPU, drawn from a fixed seed."""
    generator = torch.Generator().manual_seed(1)
    return [_tree(setting, number, generator) for number in range(setting.trees)]


def _tree(setting: Setting, number: int, generator: torch.Generator) -> RandomTree:
    ordinary = min(special_ids(setting.size).values())

    def draw(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(ordinary, (count,), generator=generator).tolist())

    def apart(first: int, count: int) -> tuple[int, ...]:
        # What follows a prefix begins with a token of its own, so that paths share their prefixes and nothing else.
        return (first, *draw(count - 1))

    lengths = setting.lengths
    branches = [Branch(i, apart(j, length)) for i, own in enumerate(lengths.branches) for j, length in enumerate(own)]
    pairs, first = [], 1
    for own in lengths.branches:
        pairs += [(first + a, first + b) for a, b in contrasts(len(own))]
        first += len(own)
    prompt = _prompt(setting, draw(BEFORE), draw(AFTER), generator)
    segments = tuple(apart(setting.branches, length) for length in lengths.segments)
    return RandomTree(f"tree-{number}", prompt, segments, tuple(branches), tuple(pairs))


def _prompt(setting: Setting, before: tuple[int, ...], after: tuple[int, ...], generator: torch.Generator) -> Prompt:
    ids, count = special_ids(setting.size), setting.image_tokens
    picture = (ids["<|vision_start|>"], *[ids["<|image_pad|>"]] * count, ids["<|vision_end|>"])
    row = before + picture + after
    kinds = [int(i == ids["<|image_pad|>"]) for i in row]
    height = max(h for h in range(1, math.isqrt(count) + 1) if count % h == 0)
    extras: dict[str, Any] = {
        "pixel_values": torch.rand(4 * count, PATCH_NUMBERS, generator=generator) * 2 - 1,
        "image_grid_thw": torch.tensor([[1, 2 * height, 2 * count // height]]),
        "mm_token_type_ids": torch.tensor([kinds]),
    }
    return Prompt(row, extras)
