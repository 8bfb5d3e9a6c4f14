"""Rows for pretraining a tiny model: pictures if it sees, token ids and weights, drawn without end from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from srpo.models.encode import tokenizer_of
from srpo.types import CELLS, ReasoningPath
from srpo.world.domain import Domain
from srpo.world.draw import draw_scene
from srpo.world.knowledge import World
from srpo.world.language import question_of
from srpo.world.scenes import SLOTS, Scene, Situation, draw_set, with_look
from srpo.world.slips import SlipRates, unaligned_path

HAZARD_SHARE = 0.45
"""Share of jointly unsafe situations among the pretraining rows; the rest are the three harmless cells."""

SYNTHESIS_WEIGHT = 3.0
"""Weight of the tokens of step 3 in the clean phase: the one decision among some sixty tokens."""


@dataclass(frozen=True)
class Batch:
    """Padded rows.  Shapes: pixels [B, 3, H, W] in [-1, 1], none for scenes that are told; ids, mask [B, T]; weights
    [B, T], 0 where not trained.
    """

    pixels: torch.Tensor | None
    ids: torch.Tensor
    mask: torch.Tensor
    weights: torch.Tensor


def to_pixels(pictures: list[NDArray[np.uint8]]) -> torch.Tensor:
    """Pictures [H, W, 3] to the tensor that the model's image processor would make, shape [B, 3, H, W]."""
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
    return (stacked / 255 - 0.5) / 0.5


def draw_random_scene(world: World, rng: random.Random) -> Scene:
    """One to four objects anywhere, for learning to see."""
    count = rng.randint(1, SLOTS)
    names = rng.sample(world.objects, count)
    return Scene(tuple(sorted(zip(rng.sample(range(SLOTS), count), names, strict=True))), rng.getrandbits(32))


def draw_situation(world: World, rng: random.Random) -> Situation:
    """One cell of a minimal set around a random rule; all rules are equally frequent."""
    rule = rng.choice(world.rules)
    cells = draw_set(world, rule, rng.choice(world.objects_with(rule.attribute)), rng).cells
    rest = (1 - HAZARD_SHARE) / (len(CELLS) - 1)
    return cells[rng.choices(CELLS, [HAZARD_SHARE, rest, rest, rest])[0]]


class Corpus:
    """Draws language batches; `rates` of none gives reference paths only.

    With a tokenizer in place of a processor the scenes are told.
    """

    def __init__(self, domain: Domain, processor: Any, rng: random.Random, rates: SlipRates | None) -> None:
        self.domain, self.rng, self.rates = domain, rng, rates
        self.tokenizer = tokenizer_of(processor)
        self.told = processor is self.tokenizer
        self.template = _chat(processor, "@") if self.told else _chat_with_picture(processor)

    def batches(self, rows: int, pool: int = 4) -> Iterator[Batch]:
        """Batches of `rows`, of similar length within each batch to save padding."""
        while True:
            drawn = [draw_situation(self.domain.world, self.rng) for _ in range(rows * pool)]
            drawn = [with_look(s, "told") for s in drawn] if self.told else drawn
            encoded = sorted(((self._encode(s), s) for s in drawn), key=lambda pair: len(pair[0][0]))
            parts = [encoded[i : i + rows] for i in range(0, len(encoded), rows)]
            self.rng.shuffle(parts)
            for part in parts:
                yield self._collate(part)

    def _path(self, situation: Situation) -> ReasoningPath:
        if self.rates is None:
            return self.domain.reference_path(situation)
        return unaligned_path(self.domain, situation, self.rates, self.rng)

    def _encode(self, situation: Situation) -> tuple[list[int], list[float]]:
        question = question_of(self.domain.world, situation)
        ids = list(self.tokenizer(self.template.replace("@", question), add_special_tokens=False)["input_ids"])
        weights = [0.0] * len(ids)
        for step in self._path(situation).steps:
            piece = self.tokenizer(step.text, add_special_tokens=False)["input_ids"]
            heavy = step.name == "synthesis" and self.rates is None
            ids += piece
            weights += [SYNTHESIS_WEIGHT if heavy else 1.0] * len(piece)
        return [*ids, self.tokenizer.eos_token_id], [*weights, 1.0]

    def _collate(self, part: list[tuple[tuple[list[int], list[float]], Situation]]) -> Batch:
        longest = max(len(ids) for (ids, _), _ in part)
        pad = self.tokenizer.pad_token_id
        return Batch(
            pixels=None if self.told else to_pixels([draw_scene(s.scene) for _, s in part]),
            ids=torch.tensor([ids + [pad] * (longest - len(ids)) for (ids, _), _ in part]),
            mask=torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for (ids, _), _ in part]),
            weights=torch.tensor([w + [0.0] * (longest - len(w)) for (_, w), _ in part]),
        )


def _chat(processor: Any, content: Any) -> str:
    """A user's turn and the beginning of the reply."""
    turns = [{"role": "user", "content": content}]
    text: str = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return text


def _chat_with_picture(processor: Any) -> str:
    text = _chat(processor, [{"type": "image"}, {"type": "text", "text": "@"}])
    image = "<fake_token_around_image><global-img>" + "<image>" * processor.image_seq_len + "<fake_token_around_image>"
    return text.replace("<image>", image)
