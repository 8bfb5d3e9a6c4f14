"""The command that writes a run's data for other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srpo.cli.terminal import RunArgument, say
from srpo.config import load_config
from srpo.export import FORMATS, FormatName, Kind, Plan, export_run
from srpo.run_config import RunConfig
from srpo.runs import RunFolder


def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="folder for the files", metavar="DIR")],
    format: Annotated[FormatName, typer.Option(help="whose format")] = "trl",
    kind: Annotated[
        Kind | None,
        typer.Option(help="contrasts, reference paths, or requests for a reward; by default what the format is for"),
    ] = None,
    copy_images: Annotated[bool, typer.Option("--copy-images", help="copy the pictures into the folder")] = False,
    force: Annotated[bool, typer.Option("--force", help="replace files that are there already")] = False,
) -> None:
    """Write a run's contrasts or references as data for TRL, ms-swift, LLaMA-Factory, verl or EasyR1.

    Contrasts need the stages init, explore and judge; references and requests need init alone.

    Example: srpo export runs/mine --format trl --out exports/trl
    """
    folder = RunFolder.open(run)
    settings = load_config(folder.config, [], RunConfig)
    folder.check_config()
    plan = Plan(format, kind or FORMATS[format].kinds[0], out, copy_images, force)
    for line in export_run(folder, settings, plan).lines(plan):
        say(line)
