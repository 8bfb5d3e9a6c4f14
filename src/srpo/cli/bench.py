"""Benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from srpo.bench.setting import Bench, Dtype, Setting, Size, Vision, check, fill_in
from srpo.cli.terminal import console, say
from srpo.errors import DataError
from srpo.progress import console_bars

app = typer.Typer(
    no_args_is_help=True, help="Speed, side by side with ways that share nothing; random weights, nothing is loaded."
)

_TABLE_WIDTH: Final = 110
"""Columns in which no figure of a table is cut."""

_SizeOption = Annotated[Size, typer.Option(help="shape of the model")]
_DeviceOption = Annotated[str, typer.Option(help="torch device", metavar="DEVICE")]
_DtypeOption = Annotated[Dtype, typer.Option(help="type of weights and activations")]
_ImageOption = Annotated[
    int | None, typer.Option(help="tokens of the picture; by default what suits the size", metavar="N")
]
_StepsOption = Annotated[int, typer.Option(help="steps of the reference path, before the reply", metavar="N")]
_BranchesOption = Annotated[int, typer.Option(help="branches per prefix", metavar="N")]
_StepTokensOption = Annotated[
    int | None, typer.Option(help="tokens of a step; by default what suits the size", metavar="N")
]
_BranchTokensOption = Annotated[
    int | None, typer.Option(help="tokens of a branch; by default as many as the path has left", metavar="N")
]
_TreesOption = Annotated[int, typer.Option(help="trees", metavar="N")]
_RepeatsOption = Annotated[int, typer.Option(help="timed rounds; the median is shown", metavar="N")]
_JsonOption = Annotated[Path | None, typer.Option("--json", help="write all figures to a file", metavar="FILE")]


@app.command()
def train(  # noqa: PLR0913 - one parameter per option
    size: _SizeOption = "small",
    device: _DeviceOption = "cpu",
    dtype: _DtypeOption = "float32",
    image_tokens: _ImageOption = None,
    steps: _StepsOption = 6,
    branches: _BranchesOption = 4,
    step_tokens: _StepTokensOption = None,
    branch_tokens: _BranchTokensOption = None,
    trees: _TreesOption = 1,
    repeats: _RepeatsOption = 3,
    rows: Annotated[int, typer.Option(help="rows of one pass where paths share nothing", metavar="N")] = 8,
    lora: Annotated[bool, typer.Option("--lora", help="train adapters only")] = False,
    vision: Annotated[
        Vision, typer.Option(help="features of pictures: kept by the tree, encoded each time, or given to all")
    ] = "cached",
    trl: Annotated[bool, typer.Option("--trl", help="a row more: DPOTrainer of TRL, on the same pairs")] = False,
    json: _JsonOption = None,
) -> None:
    """Time a training step as pairs of rows, as a row per path, and as a tree: same weights, trees and loss.

    Example: srpo bench train --size tiny --json train.json
    """
    from srpo.bench.table import train_line, train_table
    from srpo.bench.train import bench_train

    image_tokens, step_tokens = fill_in(size, image_tokens, step_tokens)
    setting = check(
        Setting(
            size=size,
            device=device,
            dtype=dtype,
            image_tokens=image_tokens,
            steps=steps,
            branches=branches,
            step_tokens=step_tokens,
            branch_tokens=branch_tokens,
            trees=trees,
            repeats=repeats,
            rows=rows,
            lora=lora,
            vision=vision,
            trl=trl,
        )
    )
    _ready(setting, json)
    result = bench_train(setting, console_bars(console))
    _finish(result, train_table(result), train_line(result), json)


@app.command()
def explore(  # noqa: PLR0913 - one parameter per option
    size: _SizeOption = "small",
    device: _DeviceOption = "cpu",
    dtype: _DtypeOption = "float32",
    image_tokens: _ImageOption = None,
    steps: _StepsOption = 6,
    branches: _BranchesOption = 4,
    step_tokens: _StepTokensOption = None,
    branch_tokens: _BranchTokensOption = None,
    trees: _TreesOption = 1,
    repeats: _RepeatsOption = 3,
    json: _JsonOption = None,
) -> None:
    """Time sampling with a call per branch, with return sequences per prefix, and as a tree: same lengths.

    Example: srpo bench explore --size tiny --json explore.json
    """
    from srpo.bench.explore import bench_explore
    from srpo.bench.table import explore_line, explore_table

    image_tokens, step_tokens = fill_in(size, image_tokens, step_tokens)
    setting = check(
        Setting(
            size=size,
            device=device,
            dtype=dtype,
            image_tokens=image_tokens,
            steps=steps,
            branches=branches,
            step_tokens=step_tokens,
            branch_tokens=branch_tokens,
            trees=trees,
            repeats=repeats,
        )
    )
    _ready(setting, json)
    result = bench_explore(setting, console_bars(console))
    _finish(result, explore_table(result), explore_line(result), json)


def _ready(setting: Setting, json: Path | None) -> None:
    """Fail before the work, not after it."""
    from srpo.bench.measure import check_device

    if json is not None and not json.absolute().parent.is_dir():
        raise DataError(f"{json}: its folder does not exist; make it, or choose another place for --json")
    check_device(setting.device)


def _finish(result: Bench, table: Table, line: str, json: Path | None) -> None:
    if not console.is_terminal:
        console.width = max(console.width, _TABLE_WIDTH)
    console.print(table)
    say(line)
    if json is not None:
        json.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        say(f"figures in {json}")
