"""The objectives against hand-worked values, finite differences and naive formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from srpo.train.loss import (
    Pair,
    combine,
    contrast_loss,
    log_odds,
    reference_loss,
    tree_loss,
    usable,
    weigh_contrasts,
)


def t(*values: float, grad: bool = False) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


@pytest.mark.parametrize(
    ("z", "value"),
    [(-0.1, 2.252168), (-0.5, 0.432752), (-1.0, -0.541325), (-50.0, -50.0), (-1e-6, 13.815510), (0.0, 13.815510)],
)
def test_log_odds(z, value):
    assert log_odds(t(z)).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_log_odds_near_zero_and_far_from_it_is_right_in_single_precision(dtype):
    z = torch.tensor([-1e-5, -1e-3, -0.6931, -0.6932, -80.0], dtype=dtype)
    exact = [v - math.log(-math.expm1(v)) for v in z.double().tolist()]
    result = log_odds(z)
    assert result.dtype == torch.float32
    assert result.tolist() == pytest.approx(exact, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("chosen", "rejected", "loss"),
    [
        (-0.5, -0.5, 0.693147),
        (-0.5, -1.0, 0.320300),
        (-1.0, -0.5, 1.294377),
        (-0.1, -2.0, 0.016327),
        (-0.2, -0.3, 0.490318),
    ],
)
def test_contrast_loss(chosen, rejected, loss):
    assert contrast_loss(t(chosen), t(rejected)).item() == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(
    ("chosen", "rejected", "gradients"), [(-0.5, -1.0, (-0.696544, 0.433570)), (-1.0, -0.5, (-1.148407, 1.844950))]
)
def test_gradients_of_the_contrast(chosen, rejected, gradients):
    a, b = t(chosen, grad=True), t(rejected, grad=True)
    contrast_loss(a, b).sum().backward()
    assert (a.grad.item(), b.grad.item()) == pytest.approx(gradients, abs=1e-6)


def test_gradients_agree_with_finite_differences():
    a, b = t(-1e-4, -0.3, -0.6931, -1.0, -40.0, grad=True), t(-2.0, -1e-3, -0.7, -30.0, -0.1, grad=True)
    assert torch.autograd.gradcheck(contrast_loss, (a, b), eps=1e-8, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("z", [0.0, -1e-12, -1e-6, -1e-5, -math.log(2), -1e3, -1e6, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_value_gives_nan(z, dtype):
    a = torch.tensor([z, -1.0], dtype=dtype, requires_grad=True)
    loss = contrast_loss(a, a.flip(0))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(a.grad).all()


def test_total():
    contrast = contrast_loss(t(-0.5), t(-1.0)).mean()
    assert combine(t(1.2)[0], contrast, 0.3).item() == pytest.approx(1.296090, abs=1e-6)
    assert combine(t(1.2)[0], None, 0.3).item() == 1.2


def test_reference_loss_is_the_mean_over_tokens_and_widens_half_precision():
    assert reference_loss(t(-1.0, -2.0, -6.0)).item() == 3.0
    assert reference_loss(torch.tensor([-1.0, -2.0], dtype=torch.bfloat16)).dtype == torch.float32


def pairs_of(*prefixes: int, weights: Sequence[float] | None = None) -> list[Pair]:
    found = weights or [1.0] * len(prefixes)
    return [Pair(1, 2, prefix, 0, 0, weight) for prefix, weight in zip(prefixes, found, strict=True)]


def test_step_weight_gives_every_prefix_the_same_share():
    loss = t(1.0, 2.0, 3.0, 10.0)
    assert weigh_contrasts(loss, pairs_of(0, 0, 0, 5), "contrast").item() == 4.0
    assert weigh_contrasts(loss, pairs_of(0, 0, 0, 5), "step").item() == 6.0


def test_weights_of_contrasts_by_hand():
    loss = t(1.0, 2.0, 3.0, 10.0)
    weighted = pairs_of(0, 0, 5, 5, weights=[1.0, 3.0, 2.0, 6.0])
    # (1 + 6 + 6 + 60) / 12; then (7 / 4 * 2 + 66 / 8 * 4) / 6 with the prefixes' mean weights 2 and 4.
    assert weigh_contrasts(loss, weighted, "contrast").item() == pytest.approx(73 / 12)
    assert weigh_contrasts(loss, weighted, "step").item() == pytest.approx((7 / 4 * 2 + 66 / 8 * 4) / 6)


def test_weights_that_are_all_alike_change_nothing():
    loss = torch.rand(5)
    for kind in ("contrast", "step"):
        ones, twos = (weigh_contrasts(loss, pairs_of(0, 1, 1, 3, 3, weights=[w] * 5), kind) for w in (1.0, 2.0))
        assert torch.equal(ones, twos)
    assert torch.equal(weigh_contrasts(loss, pairs_of(0, 1, 1, 3, 3), "contrast"), loss.mean())


# Branches [7, 8, 9, e] and [7, 8, 4, e] of the specification: they share two tokens.
LOGPS = {0: t(-0.5, -1.5, -1.0), 1: t(-0.1, -0.2, -0.3, -0.4), 2: t(-0.1, -0.2, -1.5, -0.6)}
PAIR = Pair(chosen=1, rejected=2, prefix=1, prefix_tokens=2, shared=2)


def test_boundary_is_the_step_offset():
    out = tree_loss(LOGPS, [PAIR], "srpo", 0.3)
    assert out.metrics["z_chosen"].item() == pytest.approx(-0.25)
    assert out.metrics["z_rejected"].item() == pytest.approx(-0.60)
    assert out.metrics["contrast_loss"].item() == pytest.approx(0.296751, abs=1e-6)
    assert out.loss.item() == pytest.approx(1.0 + 0.3 * 0.296751, abs=1e-6)


def test_rpo_masks_the_common_prefix_and_learns_prefix_and_favourable_branch():
    out = tree_loss(LOGPS, [PAIR], "rpo", 0.3)
    assert out.metrics["z_chosen"].item() == pytest.approx(-0.35)
    assert out.metrics["z_rejected"].item() == pytest.approx(-1.05)
    assert out.metrics["contrast_loss"].item() == pytest.approx(0.203422, abs=1e-6)
    assert out.loss.item() == pytest.approx((0.5 + 1.5 + 0.1 + 0.2 + 0.3 + 0.4) / 6 + 0.3 * 0.203422, abs=1e-6)


def test_orpo_learns_the_chosen_path():
    out = tree_loss(LOGPS, [Pair(1, 2, prefix=0, prefix_tokens=0, shared=2)], "orpo", 0.3)
    assert out.loss.item() == pytest.approx(0.25 + 0.3 * 0.296751, abs=1e-6)


def test_sft_and_a_tree_without_contrasts_have_the_reference_loss():
    assert tree_loss(LOGPS, [PAIR], "sft", 0.3).loss.item() == pytest.approx(1.0)
    assert tree_loss(LOGPS, [], "srpo", 0.3).loss.item() == pytest.approx(1.0)


@pytest.mark.parametrize("loss_type", ["rpo", "orpo"])
def test_without_contrasts_the_pair_losses_are_zero_with_a_graph(loss_type):
    reference = t(-1.0, -2.0, grad=True)
    loss = tree_loss({0: reference}, [], loss_type, 0.3).loss
    loss.backward()
    assert loss.item() == 0.0
    assert reference.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("loss_type", "prefix", "shared", "able"),
    [
        ("srpo", 3, 4, True),
        ("rpo", 3, 3, True),
        ("rpo", 3, 4, False),
        ("orpo", 0, 0, True),
        ("orpo", 1, 0, False),
        ("sft", 0, 0, False),
    ],
)
def test_which_contrasts_a_loss_can_use(loss_type, prefix, shared, able):
    assert usable(Pair(1, 2, prefix, 0, shared), 4, loss_type) is able


def test_figures_of_a_tree():
    pairs = [PAIR, Pair(2, 1, prefix=1, prefix_tokens=2, shared=2)]
    metrics = tree_loss(LOGPS, pairs, "srpo", 0.3).metrics
    assert metrics["accuracy"].item() == 0.5
    assert metrics["margin"].item() == pytest.approx(0.0)
    assert metrics["max_z"].item() == pytest.approx(-0.25)
    assert metrics["contrasts"].item() == 2
