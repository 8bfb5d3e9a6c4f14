"""Commands that run the stages: all of them, or one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srpo.cli.fresh import prepare, settings_source
from srpo.cli.machines import (
    CpusOption,
    GpusOption,
    LaunchOption,
    RayOption,
    ShardsOption,
    ray_plan,
    run_on_ray,
    train_along,
    train_in_processes,
)
from srpo.cli.terminal import ConfigOption, OverridesArgument, RunArgument, console, say, show_report
from srpo.config import load_config
from srpo.errors import ConfigError
from srpo.inputs import check_inputs
from srpo.processes import rank
from srpo.progress import console_bars
from srpo.run_config import TRAINED, RunConfig, recipe_path
from srpo.runs import Change, RunFolder

if TYPE_CHECKING:
    from srpo.ray_shards import RayPlan

ShardOption = Annotated[
    str | None,
    typer.Option("--shard", help="do this share alone, such as 3/16; `srpo merge` puts all together", metavar="I/N"),
]


def demo(
    overrides: OverridesArgument = None,
    out: Annotated[Path, typer.Option(help="run folder", metavar="DIR")] = Path("runs/demo"),
    config: ConfigOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run that is in the folder")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="delete the run that is in the folder and start anew")] = False,
) -> None:
    """Run the whole chain: draw, explore, judge, train, evaluate, report.

    Without --config it uses the embedded world and its tiny model: about five minutes on two cores, no network,
    no GPU.  Stop it with Ctrl-C whenever you like; `srpo demo --resume` goes on where it stopped.

    Example: srpo demo --out runs/small world.train=16 train.max_steps=20
    """
    from srpo.stages import plan
    from srpo.systems import check_trainable

    settings = load_config(settings_source(out, config, overrides, resume), overrides or [], RunConfig)
    if TRAINED in settings.evaluate.systems:
        check_trainable(settings)
    prepare(out, resume, fresh, settings)
    run = RunFolder.create(out)
    with run.lock():
        start(run, settings)
        for name in plan(settings):
            one_stage(run, settings, name)
        show_report(run)


def init(
    out: Annotated[Path, typer.Argument(help="run folder to make", metavar="RUN")],
    overrides: OverridesArgument = None,
    config: ConfigOption = None,
) -> None:
    """Make a run folder: save its settings, and draw the embedded world or take over your samples.

    Example: srpo init runs/mine --config demo world.train=32 train.max_steps=20
    """
    settings = load_config(recipe_path(config), overrides or [], RunConfig)
    if not RunFolder(out).samples.exists():
        check_inputs(settings)
    run = RunFolder.create(out)
    with run.lock():
        start(run, settings)
        one_stage(run, settings, "init")
    say(f"samples in {run.samples}")


def explore(
    run: RunArgument,
    shard: ShardOption = None,
    ray: RayOption = None,
    shards: ShardsOption = None,
    cpus: CpusOption = 1.0,
    gpus: GpusOption = 0.0,
) -> None:
    """Sample branches from every prefix of the reference paths (trees.jsonl).

    Example: srpo explore runs/mine
    """
    run_divided(run, "explore", shard, ray_plan(ray, shards, cpus, gpus))


def judge(
    run: RunArgument,
    shard: ShardOption = None,
    ray: RayOption = None,
    shards: ShardsOption = None,
    cpus: CpusOption = 1.0,
    gpus: GpusOption = 0.0,
) -> None:
    """Judge the final answer of every branch (verdicts.jsonl).

    Example: srpo judge runs/mine
    """
    run_divided(run, "judge", shard, ray_plan(ray, shards, cpus, gpus))


def references(run: RunArgument) -> None:
    """Judge the references of the training samples, before anything is learned from them (references.jsonl).

    The judge is that of the branches, one call each.  Samples whose reference it does not reject are written to
    kept.jsonl, to start a run with.

    Example: srpo judge references runs/mine
    """
    from srpo.stages.references import describe_references, judge_references

    folder, settings = opened(run)
    with folder.lock():
        judged = judge_references(folder, settings, console_bars(console))
    for line in describe_references(folder, judged):
        say(line)


def train(run: RunArgument, launch: LaunchOption = None) -> None:
    """Train on references and contrasts (contrasts.jsonl, checkpoint/).

    Example: srpo train runs/mine
    """
    if launch is not None:
        train_in_processes(*opened(run), launch)
    elif rank() > 0:
        train_along(*opened(run))
    else:
        _run_one(run, "train")


def report(run: RunArgument) -> None:
    """Compute all figures (report.json, report.html) and print the table before/after.

    Example: srpo report runs/mine
    """
    show_report(_run_one(run, "report"))


def merge(
    run: RunArgument,
    stage: Annotated[str, typer.Argument(help="explore, judge or evaluate", metavar="STAGE")],
) -> None:
    """Put the shards of a stage together, once all of them are finished.

    Example: srpo merge runs/mine explore
    """
    from srpo.stage_lines import describe
    from srpo.stages.shards import count_shards, merge_shards

    folder, settings = opened(run)
    merge_shards(folder, settings, stage, count_shards(folder, settings, stage))
    for line in describe(folder, settings, stage):
        say(line)


def _run_one(path: Path, name: str) -> RunFolder:
    run, settings = opened(path)
    with run.lock():
        one_stage(run, settings, name)
    return run


def run_divided(path: Path, name: str, shard: str | None, plan: RayPlan | None) -> None:
    """A stage that may be done in shards: one of them, or all on Ray."""
    from srpo.stage_lines import describe
    from srpo.stages.shards import parse_shard, run_shard

    if shard is not None and plan is not None:
        raise ConfigError("--shard and --ray: give one of them; --ray does all shards")
    run, settings = opened(path)
    if shard is not None:
        say(f"{name}: {run_shard(run, settings, name, parse_shard(shard), console_bars(console))}")
    elif plan is not None:
        run_on_ray(run, settings, name, plan)
        for line in describe(run, settings, name):
            say(line)
    else:
        with run.lock():
            one_stage(run, settings, name)


def opened(path: Path) -> tuple[RunFolder, RunConfig]:
    run = RunFolder.open(path)
    settings = load_config(run.config, [], RunConfig)
    run.check_config()
    return run, settings


def start(run: RunFolder, settings: RunConfig, may_change: Callable[[Change], bool] = lambda change: False) -> None:
    """Save the settings of a run, and check those of one that goes on."""
    run.save_config(settings, may_change)
    run.record_seeds({"run": settings.seed, "world": settings.world.seed})


def one_stage(run: RunFolder, settings: RunConfig, name: str) -> None:
    from srpo.stage_lines import describe
    from srpo.stages import run_stage

    run_stage(run, settings, name, console_bars(console))
    for line in describe(run, settings, name):
        say(line)
