"""Samples to trees."""

from __future__ import annotations

from collections.abc import Sequence

from srpo.errors import ModelError
from srpo.explore import Exploration, branch_requests, explore
from srpo.finished import of_splits
from srpo.progress import Bars
from srpo.records import repair
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages.rows import append_row, rows_if_there
from srpo.systems import BASE, instruction_of, load_system
from srpo.types import Sample, Tree


def explore_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Sample branches from every prefix of every training sample into `trees.jsonl`."""
    repair(run.trees)
    samples = of_splits(run, ("train",))
    done = {tree.sample for tree in rows_if_there(run.trees, Tree)}
    todo = [sample for sample in samples if sample.id not in done]
    if todo:
        _explore(run, config, samples, todo, bars)
    run.record_files(inputs=[run.samples], outputs=[run.trees])


def _explore(run: RunFolder, config: RunConfig, samples: Sequence[Sample], todo: Sequence[Sample], bars: Bars) -> None:
    plan = Exploration(**dict(config.explore), seed=config.seed, instruction=instruction_of(config))
    total, left = (sum(len(branch_requests(s, run.path, plan)) for s in some) for some in (samples, todo))
    model = load_system(run, config, BASE, bars)
    with bars("explore branches", total, total - left) as advance:
        failures = explore(todo, model, run.path, plan, lambda tree: append_row(run.trees, tree), advance)
    if failures:
        raise ModelError(
            f"{run.trees}: {len(failures)} branches failed, first: {failures[0].error}; "
            "whole trees are kept, resume for the rest"
        )
