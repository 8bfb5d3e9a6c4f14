"""One token per row from logits.  The caller brings the random numbers, so a row's text does not depend on its batch."""

from __future__ import annotations

import torch


def sample_tokens(
    logits_BV: torch.Tensor, temperature_B: torch.Tensor, top_p_B: torch.Tensor, uniform_B: torch.Tensor
) -> torch.Tensor:
    """Token ids [B]: the most likely one where the temperature is 0, else the inverse distribution function at `uniform_B`.

    `uniform_B` lies in [0, 1).  Nucleus: the smallest set of most likely tokens whose probabilities add up to at
    least `top_p_B`.  A token with logit -inf is never chosen.
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
    """Mask [B, V] of the tokens that stay: those whose more likely tokens add up to less than `top_p_B`."""
    sorted_BV, order_BV = probs_BV.sort(dim=-1, descending=True, stable=True)
    before_BV = sorted_BV.cumsum(dim=-1) - sorted_BV
    keep_BV = (before_BV < top_p_B[:, None]) | (top_p_B[:, None] >= 1)
    return torch.zeros_like(keep_BV).scatter(-1, order_BV, keep_BV)
