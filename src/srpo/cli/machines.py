"""Options and commands of work that is spread over processes and machines."""

from __future__ import annotations

from typing import Annotated

import typer

from srpo.run_config import RunConfig
from srpo.runs import RunFolder

LaunchOption = Annotated[
    str | None,
    typer.Option(
        "--launch",
        help="train in several processes: options of accelerate launch, its config file, or ddp, fsdp2, cpu2, ...",
        metavar="ARGS",
    ),
]


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
