"""Options and commands of work that is spread over processes and machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srpo.cli.terminal import console
from srpo.errors import ConfigError
from srpo.progress import console_bars
from srpo.run_config import RunConfig
from srpo.runs import RunFolder

if TYPE_CHECKING:
    from srpo.ray_shards import RayPlan

LaunchOption = Annotated[
    str | None,
    typer.Option(
        "--launch",
        help="train in several processes: options of accelerate launch, its config file, or ddp, fsdp2, cpu2, ...",
        metavar="ARGS",
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option("--ray", help="do all shards on Ray and merge them: `local`, `auto` or HOST:PORT", metavar="ADDRESS"),
]
ShardsOption = Annotated[
    int | None, typer.Option("--shards", help="with --ray: into how many shards to divide the samples", metavar="N")
]
CpusOption = Annotated[
    float, typer.Option("--cpus-per-shard", help="with --ray: cores that a shard reserves", metavar="X")
]
GpusOption = Annotated[
    float,
    typer.Option("--gpus-per-shard", help="with --ray: GPUs that a shard reserves, 0.5 for two on one", metavar="X"),
]


def ray_plan(address: str | None, shards: int | None, cpus: float, gpus: float) -> RayPlan | None:
    """What the options of Ray say together.  Raises ConfigError if one of the first two stands alone."""
    if address is None and shards is None:
        return None
    if address is None or shards is None:
        raise ConfigError("--ray and --shards go together, such as --ray local --shards 4")
    from srpo.ray_shards import RayPlan

    return RayPlan(address, shards, cpus, gpus)


def run_on_ray(run: RunFolder, settings: RunConfig, name: str, plan: RayPlan) -> None:
    """All shards of a stage on Ray, then together."""
    from srpo.ray_shards import run_on_ray

    run_on_ray(run, settings, name, plan, console_bars(console))


def train_in_processes(run: RunFolder, settings: RunConfig, arguments: str) -> None:
    """Start the processes of `--launch`, unless it is plain beforehand that they could not train."""
    from srpo.launch import launch_train
    from srpo.systems import check_trainable

    check_trainable(settings)
    with run.lock():
        pass  # process 0 holds it; if somebody else does, none need start
    launch_train(run, arguments)


def train_along(run: RunFolder, settings: RunConfig) -> None:
    """The training stage in a process that is not the first."""
    from srpo.stages.train import train_along

    train_along(run, settings)
