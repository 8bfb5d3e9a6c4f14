"""One training step in three ways: a row per path of every contrast, a row per path, a tree per row.

All ways score with the same code, compute the same loss and go backward; only scored positions reach the head.  So
the difference is what is shared, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import Any

import torch

from srpo.bench.counts import (
    Shape,
    Work,
    dpo_flops,
    dpo_work,
    flat_work,
    lower_bound,
    pairs_work,
    step_flops,
    total,
    tree_work,
)
from srpo.bench.measure import TokenCounter, describe, naming, over_tree, peak_bytes, seconds_of, summary
from srpo.bench.model import build_model, shape_of
from srpo.bench.passes import Pass, flat_passes, pairs_passes, pass_loss, tree_passes
from srpo.bench.setting import Setting, TrainBench
from srpo.bench.trees import RandomTree, random_trees
from srpo.progress import Bars
from srpo.train.logprobs import unwrap
from srpo.train.scorer import PathLogps, TreeScorer
from srpo.train.segments import use_segments
from srpo.train.vision import VisionFeatures

_CACHE_BYTES = 2**32


@dataclass
class Way:
    """A way to do the step: its passes, and how it gets features of pictures."""

    passes: list[list[Pass]]
    scorer: TreeScorer
    logps: list[PathLogps] = field(default_factory=list)
    """Of every tree, from the last step."""
    loss: float = 0.0

    def fill_cache(self, model: Any) -> None:
        """Encode the pictures ahead, as all epochs but the first find them."""
        if self.scorer.vision is not None:
            for passes in self.passes:
                example = passes[0].example
                if example.image is not None:
                    self.scorer.vision.get(model, example.image, example.extras)

    def step(self, model: Any) -> None:
        """Forward, loss and backward of all trees; gradients are added up."""
        trees, self.logps, losses = len(self.passes), [], []
        for passes in self.passes:
            found: PathLogps = {}
            for one in passes:
                (logps,) = self.scorer(model, [one.example])
                loss = pass_loss(logps, one) / trees
                loss.backward()  # type: ignore[no-untyped-call]
                losses.append(loss.detach())
                found |= {one.paths[number]: logps_T.detach() for number, logps_T in logps.items()}
            self.logps.append(found)
        self.loss = float(torch.stack(losses).sum())


def build_ways(setting: Setting, trees: Sequence[RandomTree]) -> dict[str, Way]:
    """`pairs`, `flat` and `tree` with their sources of picture features.

    `cached`: only the tree step keeps features, as the trainer does; `each`: all encode pictures for every row;
    `given`: nobody encodes any, so that the sharing of tokens is measured alone.
    """
    kept = VisionFeatures(_CACHE_BYTES)
    apart = kept if setting.vision == "given" else None
    return {
        "pairs": Way([pairs_passes(tree, setting.rows) for tree in trees], TreeScorer(apart)),
        "flat": Way([flat_passes(tree, setting.rows) for tree in trees], TreeScorer(apart)),
        "tree": Way([tree_passes(tree) for tree in trees], TreeScorer(None if setting.vision == "each" else kept)),
    }


@dataclass
class Check:
    """What the first round finds: gradient norms, tokens counted at the language model, and peak memory."""

    norms: dict[str, float] = field(default_factory=dict)
    padded: dict[str, int] = field(default_factory=dict)
    memory: dict[str, int | None] = field(default_factory=dict)


def bench_train(setting: Setting, bars: Bars) -> TrainBench:
    """Measure; the first round warms up, compares the numbers and measures memory, the others are timed."""
    with bars("build model", 1, 0) as advance, naming("the model", setting.device):
        model = build_model(setting)
        use_segments(unwrap(model))
        model.train()
        trees = random_trees(setting)
        ways = build_ways(setting, trees)
        ways["tree"].fill_cache(model)
        steps: dict[str, Callable[[], None]] = {name: partial(way.step, model) for name, way in ways.items()}
        counters = [TokenCounter(model)]
        if setting.trl:
            from srpo.bench.trl import TrlStep  # TRL takes seconds to import

            other = TrlStep(setting, trees)
            steps["trl"] = other.step
            counters += other.counters
        advance(1)
    check = Check()
    with bars("warm up", len(steps), 0) as advance:
        for name, step in steps.items():
            _zero_gradients(model)
            check.memory[name] = peak_bytes(step, name, setting.device)
            check.norms[name] = _gradient_norm(model)
            check.padded[name] = sum(counter.take()[0] for counter in counters)
            advance(1)
    check.norms.pop("trl", None)  # another model and another loss
    with bars("measure", len(steps) * setting.repeats, 0) as advance:
        seconds = seconds_of(steps, setting.repeats, setting.device, advance)
    return _result(setting, shape_of(model, setting.image_tokens), ways, check, seconds)


def _result(
    setting: Setting, shape: Shape, ways: dict[str, Way], check: Check, seconds: dict[str, list[float]]
) -> TrainBench:
    works, medians, spread = works_of(setting), *summary(seconds)
    tokens = {way: work.tokens for way, work in works.items()}
    flops = {way: step_flops(shape, work, setting.lora) for way, work in works.items()}
    if setting.trl:
        rows = total([dpo_work(setting.lengths)] * setting.trees)
        tokens["trl"] = 2 * rows.tokens  # policy and reference model
        flops["trl"] = dpo_flops(shape, rows, setting.lora)
    bound = setting.trees * lower_bound(setting.lengths)
    token, mean = largest_differences({name: way.logps for name, way in ways.items()})
    ratios = {
        "seconds": over_tree(medians),
        "tokens": over_tree(tokens),
        "flops": over_tree(flops),
        "tokens over lower bound": {way: count / bound for way, count in tokens.items()},
    }
    if memory := {way: float(count) for way, count in check.memory.items() if count is not None}:
        ratios["peak memory"] = over_tree(memory)
    return TrainBench(
        setting=describe(setting),
        seconds=medians,
        spread=spread,
        ratios=ratios,
        tokens=tokens,
        padded_tokens=check.padded,
        lower_bound_tokens=bound,
        flops=flops,
        peak_memory_bytes=check.memory,
        loss={name: way.loss for name, way in ways.items()},
        gradient_norm=check.norms,
        max_abs_logp_difference=token,
        max_abs_mean_logp_difference=mean,
    )


def works_of(setting: Setting) -> dict[str, Work]:
    """What each way makes the model do, over all trees."""
    lengths = setting.lengths
    works = {
        "pairs": pairs_work(lengths),
        "flat": flat_work(lengths),
        "tree": tree_work(lengths, pictures=int(setting.vision == "each")),
    }
    if setting.vision == "given":
        works = {way: replace(work, pictures=0) for way, work in works.items()}
    return {way: total([work] * setting.trees) for way, work in works.items()}


def largest_differences(logps: dict[str, list[PathLogps]]) -> tuple[float, float]:
    """Largest difference between any two ways: of a token's log-probability, and of a path's mean."""
    token = mean = 0.0
    for first, second in combinations(logps.values(), 2):
        for one, other in zip(first, second, strict=True):
            for path, logps_T in one.items():
                token = max(token, float((logps_T - other[path]).abs().max()))
                mean = max(mean, float((logps_T.mean() - other[path].mean()).abs()))
    return token, mean


def _zero_gradients(model: Any) -> None:
    """Gradients exist before a step, so that memory counts activations only."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)


def _gradient_norm(model: Any) -> float:
    norms = [p.grad.float().norm() for p in model.parameters() if p.grad is not None]
    return float(torch.stack(norms).norm())
