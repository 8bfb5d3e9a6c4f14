"""The command that measures: the systems of a run, or any model on RSBench and public benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from srpo.cli.machines import CpusOption, GpusOption, RayOption, ShardsOption, ray_plan
from srpo.cli.stages import ShardOption, one_stage, opened, run_divided, start
from srpo.cli.terminal import ConfigOption, OverridesArgument, say, show_report
from srpo.config import load_config
from srpo.errors import ConfigError
from srpo.inputs import check_inputs, check_named
from srpo.run_config import TRAINED, RunConfig, recipe_path
from srpo.runs import ABSENT, Change, RunFolder
from srpo.stages.rows import rows_if_there
from srpo.systems import check_trained
from srpo.types import Item

ADDABLE: Final = (
    "evaluate.systems",
    "evaluate.judge",
    "evaluate.panel",
    "evaluate.probes",
    "evaluate.repeats",
    "evaluate.sampled",
    "evaluate.cluster",
    "report.",
    "base_url",
    "max_rows",
    "max_concurrency",
    "server_timeout_seconds",
    "response_cache",
)
"""Settings that may change between two evaluations of one run: what is answered and judged stays right beside them."""

ADDABLE_BY_NAME: Final = ("base_url", "protocols", "judge", "prompts")
"""The same of what stands under the name of a system or a benchmark."""


def evaluate(  # noqa: PLR0913  (options of the command line)
    run: Annotated[Path, typer.Argument(help="run folder; a new one is made if settings are given", metavar="RUN")],
    overrides: OverridesArgument = None,
    config: ConfigOption = None,
    shard: ShardOption = None,
    ray: RayOption = None,
    shards: ShardsOption = None,
    cpus: CpusOption = 1.0,
    gpus: GpusOption = 0.0,
) -> None:
    """Let every system answer, and score the answers: RSBench and public benchmarks.

    In a run that is there, it does what is left to do.  Settings may add systems, judges, probes and benchmarks to it:
    answers that are there are scored again, and no system is asked twice.  With --config and a new folder it draws or
    reads the samples first, and writes the report at the end.

    Example: srpo evaluate runs/mine

    Example: srpo evaluate runs/mine 'evaluate.systems=\\[base, srpo, refuse]'

    Example: srpo evaluate runs/own --config rsbench systems.own.model=hf:FOLDER 'evaluate.systems=\\[own, refuse]'

    Example: srpo evaluate runs/siuo --config public model=hf:FOLDER benchmarks.siuo.path=siuo_gen.json
    benchmarks.siuo.images=images 'evaluate.judge={kind: model, model: openai:JUDGE, base_url: URL}'
    """
    plan = ray_plan(ray, shards, cpus, gpus)
    whole = bool(overrides or config)
    if whole and (shard is not None or plan is not None):
        raise ConfigError(f"settings with --shard or --ray: run `srpo evaluate {run} SETTINGS` once without them first")
    if whole:
        _evaluate_whole(run, config, overrides or [])
    else:
        run_divided(run, "evaluate", shard, plan)


def _evaluate_whole(path: Path, config: Path | None, overrides: list[str]) -> None:
    """Make the run or extend it, then answer, score and report."""
    there = RunFolder(path).config.is_file()
    if there:
        opened(path)
    source = RunFolder(path).config if there and config is None else recipe_path(config)
    settings = load_config(source, overrides, RunConfig)
    if RunFolder(path).samples.exists():
        if TRAINED in settings.evaluate.systems:
            check_trained(RunFolder(path), settings.rounds)
        check_named(settings, known={item.benchmark for item in rows_if_there(RunFolder(path).items, Item)})
    else:
        check_inputs(settings)
    run = RunFolder.create(path)
    with run.lock():
        start(run, settings, may_change)
        for name in ("init", "evaluate", "report"):
            one_stage(run, settings, name)
        if settings.evaluate.splits:
            show_report(run)
        else:
            say(f"report: {run.report_html}  ({run.report_json})")


def may_change(change: Change) -> bool:
    """Whether a setting of a run can differ in a later evaluation: additions to what is measured, and other judges."""
    named, _, setting = change.key.partition(".")
    if named in ("systems", "benchmarks"):
        added = change.old in (ABSENT, {}) or (change.old == {} and change.new == ABSENT)
        return added or setting.partition(".")[2].partition(".")[0] in ADDABLE_BY_NAME
    return change.key.startswith(ADDABLE)
