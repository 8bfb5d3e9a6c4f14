"""What comes next: logits to one token per row.

Each row brings its own random numbers, drawn ahead, so that its text depends neither on the rows beside it nor on
their order (up to rounding in the matrix products).  Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from srpo.types import Finish, Sampling


@dataclass
class Row:
    """One continuation: `length` tokens are given, `ids` are sampled."""

    index: int
    length: int
    sampling: Sampling
    uniforms: Sequence[float] = field(repr=False)
    """A number in [0, 1) for every token that may be sampled."""
    ids: list[int] = field(default_factory=list)
    finish: Finish | None = None

    @property
    def left(self) -> int:
        """Tokens that may still be sampled."""
        return self.sampling.max_new_tokens - len(self.ids)


@dataclass
class Policy:
    """A model with the rules of sampling from it; the same for every row."""

    model: Any
    banned: list[int]
    end_ids: frozenset[int]
    on_finish: Callable[[Row], None]

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        device: torch.device = self.model.device
        return device

    def choose(self, logits_BV: torch.Tensor, rows: Sequence[Row]) -> list[int]:
        """Sample one token per row and append it; a row that has ended takes no more."""
        logits_BV = logits_BV.float()
        logits_BV[:, self.banned] = -torch.inf
        settings = [(r.sampling.temperature, r.sampling.top_p, r.uniforms[len(r.ids)] if r.left else 0.0) for r in rows]
        columns = torch.tensor(settings, dtype=torch.float64, device=logits_BV.device).unbind(dim=1)
        tokens: list[int] = sample_tokens(logits_BV, *columns).tolist()
        for row, token in zip(rows, tokens, strict=True):
            if row.finish is None:
                self._append(row, token)
        return tokens

    def _append(self, row: Row, token: int) -> None:
        row.ids.append(token)
        if token in self.end_ids:
            row.finish = "stop"
        elif row.left == 0:
            row.finish = "length"
        if row.finish is not None:
            self.on_finish(row)


def sample_tokens(
    logits_BV: torch.Tensor, temperature_B: torch.Tensor, top_p_B: torch.Tensor, uniform_B: torch.Tensor
) -> torch.Tensor:
    """Token ids [B]: the most likely one where the temperature is 0, else the inverse distribution at `uniform_B`.

    `uniform_B` lies in [0, 1).  A token with logit -inf is never chosen.
    """
    greedy_B = logits_BV.argmax(dim=-1)
    warm_B = temperature_B > 0
    if not bool(warm_B.any()):
        return greedy_B
    divisor_B = torch.where(warm_B, temperature_B, 1.0)
    # Double precision: over 150,000 tokens a float32 running sum would move the boundaries between tokens.
    probs_BV = torch.softmax(logits_BV.double() / divisor_B[:, None], dim=-1)
    if bool((top_p_B < 1).any()):
        probs_BV = torch.where(nucleus(probs_BV, top_p_B), probs_BV, 0.0)
    cdf_BV = probs_BV.cumsum(dim=-1)
    # The cap keeps u * total below total, whatever the rounding; `right=True` steps over tokens of probability 0.
    target_B = uniform_B.clamp(max=1 - 2**-40) * cdf_BV[:, -1]
    drawn_B = torch.searchsorted(cdf_BV, target_B[:, None], right=True)[:, 0]
    return torch.where(warm_B, drawn_B, greedy_B)


def nucleus(probs_BV: torch.Tensor, top_p_B: torch.Tensor) -> torch.Tensor:
    """Mask [B, V] of the smallest set of most likely tokens whose probabilities add up to at least `top_p_B`."""
    sorted_BV, order_BV = probs_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(dim=-1) - sorted_BV
    keep_BV = (before_BV < top_p_B[:, None]) | (top_p_B[:, None] >= 1)
    return torch.zeros_like(keep_BV).scatter(-1, order_BV, keep_BV)
