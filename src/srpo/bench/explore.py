"""Exploration in three ways: a call per branch, a call per prefix with return sequences, one tree.

`per_prefix` and `num_return_sequences` are plain `generate` calls of transformers with prompt, picture and prefix.
All ways sample the same numbers of tokens: end tokens and placeholders are never drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import GenerationConfig

from srpo.bench.counts import Lengths, decode_bound, prefill_bound
from srpo.bench.measure import TokenCounter, describe, naming, over_tree, peak_bytes, seconds_of, summary
from srpo.bench.model import build_model, special_ids
from srpo.bench.setting import ExploreBench, Setting
from srpo.bench.trees import RandomTree, random_trees
from srpo.models.base import Limits
from srpo.models.decode import Decoder, Trunk
from srpo.models.sampling import Policy, Row
from srpo.progress import Bars
from srpo.types import Sampling

Ids = dict[tuple[str, int], list[tuple[int, ...]]]
"""New ids of the branches of each tree and prefix."""


_FOR_TRAINING = frozenset({"rows", "lora", "vision", "trl"})


@dataclass(frozen=True)
class Task:
    """What to sample: `lengths[i]` new tokens for each of `branches` branches of prefix i."""

    trees: tuple[RandomTree, ...]
    lengths: tuple[int, ...]
    branches: int
    temperature: float
    banned: tuple[int, ...]
    end: int


def per_prefix(model: Any, task: Task) -> Ids:
    """One call per branch: the whole prompt again, and again."""
    return {
        (tree.name, prefix): [_generate(model, task, tree, prefix, 1)[0] for _ in range(task.branches)]
        for tree in task.trees
        for prefix in range(len(task.lengths))
    }


def return_sequences(model: Any, task: Task) -> Ids:
    """One call per prefix, with `branches` return sequences."""
    return {
        (tree.name, prefix): _generate(model, task, tree, prefix, task.branches)
        for tree in task.trees
        for prefix in range(len(task.lengths))
    }


def shared(model: Any, task: Task) -> Ids:
    """Ours: every prompt and reference path once, all branches of all trees in one batch."""
    policy = Policy(model, list(task.banned), frozenset({task.end}), on_finish=lambda row: None)
    trunks = [_trunk(tree, task, first=number * 10_000) for number, tree in enumerate(task.trees)]
    Decoder(policy, Limits()).run(iter(trunks))
    found: Ids = {}
    for tree, trunk in zip(task.trees, trunks, strict=True):
        for place, row in enumerate(trunk.rows):
            found.setdefault((tree.name, place // task.branches), []).append(tuple(row.ids))
    return found


WAYS: dict[str, Callable[[Any, Task], Ids]] = {
    "per_prefix": per_prefix,
    "num_return_sequences": return_sequences,
    "tree": shared,
}


def _generate(model: Any, task: Task, tree: RandomTree, prefix: int, count: int) -> list[tuple[int, ...]]:
    ids = tree.prefix(prefix)
    inputs = tree.prompt.model_inputs(ids, model.device)
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    options = {"do_sample": True, "temperature": task.temperature, "top_k": 0} if task.temperature else {}
    config = GenerationConfig(
        max_new_tokens=task.lengths[prefix],
        suppress_tokens=list(task.banned),
        pad_token_id=task.end,
        num_return_sequences=count,
        **options,
    )
    rows = model.generate(**inputs, attention_mask=torch.ones_like(inputs["input_ids"]), generation_config=config)
    return [tuple(row[len(ids) :]) for row in rows.tolist()]


def _trunk(tree: RandomTree, task: Task, first: int) -> Trunk:
    generator = torch.Generator().manual_seed(first)
    rows: list[Row] = []
    for prefix, length in enumerate(task.lengths):
        for _ in range(task.branches):
            numbers = torch.rand(length, generator=generator).tolist()
            sampling = Sampling(temperature=task.temperature, max_new_tokens=length)
            rows.append(Row(first + len(rows), len(tree.prefix(prefix)), sampling, numbers))
    return Trunk(tree.prompt, tree.prefix(len(task.lengths) - 1), rows)


def bench_explore(setting: Setting, bars: Bars) -> ExploreBench:
    """Measure; a greedy round with one branch per prefix warms up and compares ids, the others sample and are timed."""
    with bars("build model", 1, 0) as advance, naming("the model", setting.device):
        model = build_model(setting).eval()
        trees = tuple(random_trees(setting))
        counter = TokenCounter(model)
        advance(1)
    with torch.inference_mode():
        with bars("compare greedy ids", len(WAYS), 0) as advance:
            task, ids = _task(setting, trees, branches=1, temperature=0.0), {}
            for way, sample in WAYS.items():
                with naming(way, setting.device):
                    ids[way] = sample(model, task)
                advance(1)
        counter.take()
        runs, tokens, memory = _runs(model, _task(setting, trees, setting.branches, 1.0)), {}, {}
        with bars("measure", len(WAYS) * (setting.repeats + 1), 0) as advance:
            for way, run in runs.items():
                memory[way] = peak_bytes(run, way, setting.device)
                tokens[way] = dict(zip(("prefill", "decode"), counter.take(), strict=True))
                advance(1)
            seconds = seconds_of(runs, setting.repeats, setting.device, advance)
    return _result(setting, tokens, memory, seconds, {way: _agreement(ids["per_prefix"], ids[way]) for way in WAYS})


def _runs(model: Any, task: Task) -> dict[str, Callable[[], object]]:
    return {way: partial(sample, model, task) for way, sample in WAYS.items()}


def _task(setting: Setting, trees: tuple[RandomTree, ...], branches: int, temperature: float) -> Task:
    ids = special_ids(setting.size)
    lengths = tuple(own[0] for own in setting.lengths.branches)
    return Task(trees, lengths, branches, temperature, tuple(ids.values()), ids["<|im_end|>"])


def _agreement(first: Ids, second: Ids) -> float:
    """Share of prefixes with equal ids."""
    return sum(ids == second[key] for key, ids in first.items()) / len(first)


def _result(
    setting: Setting,
    tokens: dict[str, dict[str, int]],
    memory: dict[str, int | None],
    seconds: dict[str, list[float]],
    equal: dict[str, float],
) -> ExploreBench:
    lengths, (medians, spread) = setting.lengths, summary(seconds)
    bound = {kind: setting.trees * count for kind, count in bounds(lengths).items()}
    new = setting.trees * sum(sum(own) for own in lengths.branches)
    together = {way: sum(counts.values()) for way, counts in tokens.items()}
    ratios = {
        "seconds": over_tree(medians),
        "prefill tokens": over_tree({way: counts["prefill"] for way, counts in tokens.items()}),
        "tokens": over_tree(together),
        "tokens over lower bound": {way: count / sum(bound.values()) for way, count in together.items()},
    }
    return ExploreBench(
        setting=describe(setting, unused=_FOR_TRAINING),
        seconds=medians,
        spread=spread,
        ratios=ratios,
        tokens=tokens,
        lower_bound_tokens=bound,
        new_tokens=new,
        new_tokens_per_second={way: new / value for way, value in medians.items()},
        peak_memory_bytes=memory,
        greedy_equal=equal,
    )


def bounds(lengths: Lengths) -> dict[str, int]:
    """Tokens of a tree that any way has to send through the model."""
    return {"prefill": prefill_bound(lengths), "decode": decode_bound(lengths)}
