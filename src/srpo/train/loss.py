"""The objectives, as pure functions of log-probabilities.

Equations (docs/method.md, section 6; the form of the contrast follows RPO, arXiv:2410.10858):

    L_ref   = -(1/|y*|) sum_t log p(y*_t | x, y*_<t)                  the reference path
    z(B|c)  =  (1/|B|)  sum_t log p(b_t | c, b_<t)                    a branch, from the step offset on
    g(z)    =  z - log(1 - exp(z))                                    log odds
    L_exp   =  mean over contrasts of softplus(-(g(z+) - g(z-)))
    L       =  L_ref + lambda * L_exp                                 no contrast: L = L_ref

Variants: `srpo` is the above; `rpo` takes the likelihood on prefix and favourable branch and masks the tokens that
both branches begin with, as RPO's code does; `orpo` contrasts whole paths only and takes the likelihood on the
chosen one; `sft` is L_ref alone.

Shapes: T tokens of a path, C contrasts of a tree.  Everything is computed in float32 or wider.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn.functional import softplus

LossType = Literal["srpo", "rpo", "orpo", "sft"]
ContrastWeight = Literal["contrast", "step"]

Z_MAX = -1e-6
"""Mean log-probabilities are clamped here: g diverges at 0."""


@dataclass(frozen=True)
class Pair:
    """A contrast in terms of paths: numbers of the two branches, and where they fork and part.

    `prefix` counts reference segments, `prefix_tokens` their tokens, `shared` the tokens both branches begin with;
    `weight` is its share in the mean over contrasts.
    """

    chosen: int
    rejected: int
    prefix: int
    prefix_tokens: int
    shared: int
    weight: float = 1.0


@dataclass(frozen=True)
class LossOut:
    """Loss of one tree, and figures for the log (detached scalars; none about contrasts if there are none)."""

    loss: torch.Tensor
    metrics: dict[str, torch.Tensor]


def widen(tensor: torch.Tensor) -> torch.Tensor:
    """At least float32: float64 stays, half precision is widened."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def log_odds(z: torch.Tensor) -> torch.Tensor:
    """g(z) = z - log(1 - exp(z)) for mean log-probabilities z <= 0, any shape.

    Two forms keep precision at both ends.  The clamp comes before both, because `where` passes NaN gradients from
    the side that it does not use.
    """
    z = widen(z).clamp(max=Z_MAX)
    near_zero = z > -math.log(2)
    log_rest = torch.where(near_zero, torch.log(-torch.expm1(z)), torch.log1p(-torch.exp(z)))
    return z - log_rest


def contrast_loss(z_chosen_C: torch.Tensor, z_rejected_C: torch.Tensor) -> torch.Tensor:
    """softplus(-(g(z+) - g(z-))) of each contrast, shape [C]."""
    return softplus(log_odds(z_rejected_C) - log_odds(z_chosen_C))


def reference_loss(logps_T: torch.Tensor) -> torch.Tensor:
    """Mean negative log-likelihood of a path, a scalar."""
    return -widen(logps_T).mean()


def weigh_contrasts(loss_C: torch.Tensor, pairs: Sequence[Pair], weight: ContrastWeight) -> torch.Tensor:
    """Weighted mean over contrasts; with `step` first within each prefix, which then has its contrasts' mean weight."""
    own_C = loss_C.new_tensor([pair.weight for pair in pairs])
    if weight == "contrast":
        return _weighted_mean(loss_C, own_C)
    prefixes = sorted({pair.prefix for pair in pairs})
    groups = [[i for i, pair in enumerate(pairs) if pair.prefix == prefix] for prefix in prefixes]
    means = torch.stack([_weighted_mean(loss_C[group], own_C[group]) for group in groups])
    return _weighted_mean(means, torch.stack([own_C[group].mean() for group in groups]))


def _weighted_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (values * (weights / weights.mean())).mean()


def combine(reference: torch.Tensor, contrast: torch.Tensor | None, contrast_lambda: float) -> torch.Tensor:
    """L = L_ref + lambda * L_exp; without contrasts L = L_ref."""
    return reference if contrast is None else reference + contrast_lambda * contrast


def needs_contrast(loss_type: LossType) -> bool:
    """True for the variants that have no loss at all on a tree without contrasts."""
    return loss_type in ("rpo", "orpo")


def usable(pair: Pair, shorter_tokens: int, loss_type: LossType) -> bool:
    """Whether a variant can use a contrast; `shorter_tokens` is the length of its shorter branch.

    `rpo` cannot if the mask leaves nothing of a branch (its code then divides zero by zero); `orpo` takes whole paths.
    """
    if loss_type == "rpo":
        return pair.shared < shorter_tokens
    return loss_type == "srpo" or (loss_type == "orpo" and pair.prefix == 0)


def tree_loss(
    logps: Mapping[int, torch.Tensor],
    pairs: Sequence[Pair],
    loss_type: LossType,
    contrast_lambda: float,
    contrast_weight: ContrastWeight = "contrast",
) -> LossOut:
    """Loss of one tree from the token log-probabilities of its paths.

    `logps[0]` holds the reference path, `logps[j]` branch j, each of shape [T].  `rpo` and `orpo` have loss zero
    (with a graph, so that gradients exist) on a tree without contrasts.
    """
    if loss_type == "sft" or not pairs:
        reference = reference_loss(logps[0])
        loss = reference * 0 if needs_contrast(loss_type) else reference
        return LossOut(loss, {"reference_loss": reference.detach()})
    reference = reference_loss(logps[0]) if loss_type == "srpo" else _chosen_loss(logps, pairs)
    z_chosen_C, z_rejected_C = (_means(logps, pairs, side, loss_type) for side in ("chosen", "rejected"))
    loss_C = contrast_loss(z_chosen_C, z_rejected_C)
    contrast = weigh_contrasts(loss_C, pairs, contrast_weight)
    metrics = {"reference_loss": reference.detach(), "contrast_loss": contrast.detach()}
    metrics |= _contrast_metrics(z_chosen_C.detach(), z_rejected_C.detach())
    return LossOut(combine(reference, contrast, contrast_lambda), metrics)


def _means(
    logps: Mapping[int, torch.Tensor], pairs: Sequence[Pair], side: Literal["chosen", "rejected"], loss_type: LossType
) -> torch.Tensor:
    """z of one side of each contrast, [C]: from the step offset, or (`rpo`) from where the branches part."""
    start = [pair.shared if loss_type == "rpo" else 0 for pair in pairs]
    return torch.stack([widen(logps[getattr(p, side)])[s:].mean() for p, s in zip(pairs, start, strict=True)])


def _chosen_loss(logps: Mapping[int, torch.Tensor], pairs: Sequence[Pair]) -> torch.Tensor:
    """Mean over contrasts of the NLL of prefix and chosen branch (RPO, run_orpo.py; at prefix 0 the branch alone)."""
    paths = [torch.cat((logps[0][: pair.prefix_tokens], logps[pair.chosen])) for pair in pairs]
    return torch.stack([reference_loss(path_T) for path_T in paths]).mean()


def _contrast_metrics(z_chosen_C: torch.Tensor, z_rejected_C: torch.Tensor) -> dict[str, torch.Tensor]:
    margin_C = log_odds(z_chosen_C) - log_odds(z_rejected_C)
    return {
        "z_chosen": z_chosen_C.mean(),
        "z_rejected": z_rejected_C.mean(),
        "margin": margin_C.mean(),
        "accuracy": (margin_C > 0).to(margin_C.dtype).mean(),
        "max_z": torch.maximum(z_chosen_C, z_rejected_C).max(),
        "contrasts": torch.tensor(float(len(margin_C)), device=margin_C.device),
    }
