"""The group `judge`: the stage itself, and the calibration of a judge by labels of people."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup

from srpo.calibrate.human import Flag, FormName
from srpo.cli.stages import judge as judge_run
from srpo.cli.stages import opened
from srpo.cli.terminal import RunArgument, console, say
from srpo.errors import ConfigError
from srpo.progress import console_bars
from srpo.records import dump_row, write_text

if TYPE_CHECKING:
    from srpo.calibrate import About, LabelFile
    from srpo.types import Record

STAGE: Final = "branches"
"""Name of the stage among the commands of the group: what `srpo judge RUN` means."""


class JudgeGroup(TyperGroup):
    """A group whose first word may also be a run folder or an option of the stage: then the stage is meant."""

    default = STAGE

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [STAGE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=JudgeGroup,
    no_args_is_help=True,
    subcommand_metavar="RUN | COMMAND",
    help="""Judge the branches of a run, or hold a judge against people.

    The first word is a run folder or a command.  Options for a run: `srpo judge RUN --help`.

    Example: srpo judge runs/mine
    """,
)
app.command(STAGE)(judge_run)

_LabelsOption = Annotated[Path, typer.Option(help="file with labels of people", metavar="FILE")]
_FormatOption = Annotated[FormName | None, typer.Option(help="whose file it is; by default told by its columns")]
_FlagOption = Annotated[Flag | None, typer.Option(help="what the labels of your own file say")]
_JudgeOption = Annotated[
    str | None, typer.Option(help="column with a judge's labels, such as gpt4_label", metavar="COLUMN")
]
_ModelOption = Annotated[str | None, typer.Option(help="judge to ask: hf:PATH_OR_NAME or openai:NAME", metavar="MODEL")]
_UrlOption = Annotated[str | None, typer.Option(help="server of an openai: model", metavar="URL")]
_ImagesOption = Annotated[
    Path | None, typer.Option(help="folder of the pictures; by default beside the file", metavar="DIR")
]
_TemperatureOption = Annotated[float, typer.Option(help="of the model that is asked", min=0.0, metavar="T")]
_LimitOption = Annotated[int | None, typer.Option(help="only so many rows, drawn by the seed", min=2, metavar="N")]
_SubsetOption = Annotated[
    int, typer.Option(help="labels of people that may correct the judge's rate; 0 = none", min=0, metavar="N")
]
_RepeatsOption = Annotated[int, typer.Option(help="times to ask about the same items, 100 at most", min=1, metavar="N")]
_RiskOption = Annotated[
    bool, typer.Option("--show-risk", help="tell the model the unsafe event, as when it labels branches")
]
_ProbesOption = Annotated[bool, typer.Option("--probes", help="ask again with changed items, 200 at most per probe")]
_SeedOption = Annotated[int, typer.Option(help="of draws and intervals", min=0, metavar="N")]
_OutOption = Annotated[Path | None, typer.Option(help="folder for the card and for the judge's replies", metavar="DIR")]


class _Asked(NamedTuple):
    """How a model is asked."""

    model: str
    base_url: str | None
    images: Path | None
    temperature: float
    repeats: int
    probes: bool
    show_risk: bool


@app.command()
def calibrate(  # noqa: PLR0913 - one parameter per option
    labels: _LabelsOption,
    format: _FormatOption = None,
    flag: _FlagOption = None,
    judge: _JudgeOption = None,
    model: _ModelOption = None,
    base_url: _UrlOption = None,
    images: _ImagesOption = None,
    temperature: _TemperatureOption = 0.0,
    limit: _LimitOption = None,
    subset: _SubsetOption = 200,
    repeats: _RepeatsOption = 1,
    probes: _ProbesOption = False,
    show_risk: _RiskOption = False,
    seed: _SeedOption = 0,
    out: _OutOption = None,
) -> None:
    """Hold a judge against labels of people: agreement, errors, and rates that are corrected for them.

    With --judge it is one whose labels are in the file, with --model one that is asked now; what it has replied stays
    in the folder, so the same command goes on after a stop.  With neither, people are compared with one another.
    Files and figures: docs/judges.md.

    Example: srpo judge calibrate --labels llama2_completions_labels.csv --judge gpt4_label --out cards/gpt4
    """
    from srpo.calibrate import About, card_markdown, judge_card, limited, read_labels, render_card

    _check(
        judge,
        model,
        (base_url, images, temperature or None, repeats - 1 or None, probes or None, show_risk or None),
        out,
    )
    file = limited(read_labels(labels, format, flag, judge), limit, seed)
    if model is not None and out is not None:
        flags, about = _ask(file, _Asked(model, base_url, images, temperature, repeats, probes, show_risk), out, seed)
    elif judge is not None:
        flags, about = file.judge, About(judge)
    else:
        _show_agreement(file, seed, out)
        return
    card = judge_card(file, flags, about._replace(date=date.today().isoformat()), seed=seed, subset=subset)
    say(render_card(card))
    if subset and not card.corrected:
        say(f"no corrected rates: --subset {subset} leaves none of the {card.judge_rate.n} scored rows over; lower it")
    _write(out, "card", card, card_markdown(card))


@app.command()
def sheet(
    run: RunArgument,
    flag: Annotated[Flag, typer.Option(help="what the labels will say")] = "unsafe",
    system: Annotated[list[str] | None, typer.Option(help="only answers of this system; may be repeated")] = None,
    seed: Annotated[int, typer.Option(help="of the order", min=0, metavar="N")] = 0,
    out: Annotated[Path | None, typer.Option(help="by default sheet.csv in the run folder", metavar="FILE")] = None,
) -> None:
    """Write the answers of an evaluated run as a table for people to label.

    The order is drawn, so labels from the top down are a random draw.  Fill the column `label` with yes or no as far
    as you get.  Calibrated with the same flag, the judge's rate over all answers is corrected by your labels.

    Example: srpo judge sheet runs/mine --flag unsafe

    Example: srpo judge calibrate --labels runs/mine/sheet.csv --flag unsafe --judge judge
    """
    from srpo.answered import answered
    from srpo.calibrate.sheet import render_sheet

    folder, settings = opened(run)
    file = out or folder.path / "sheet.csv"
    if file.exists():
        raise ConfigError(f"{file}: is there already and may hold labels; move it, or give another --out")
    write_text(file, render_sheet(answered(folder, settings), flag, system or [], seed))
    say(f"sheet: {file}; label from the top, then `srpo judge calibrate --labels {file} --flag {flag} --judge judge`")


def _check(judge: str | None, model: str | None, of_model: tuple[object, ...], out: Path | None) -> None:
    """An option that would be ignored is a mistake."""
    if judge is not None and model is not None:
        raise ConfigError("--judge and --model: give one of them, a judge of the file or one to ask")
    if model is None and any(value is not None for value in of_model):
        names = "--base-url, --images, --temperature, --repeats, --probes and --show-risk"
        raise ConfigError(f"{names} are for a judge that is asked; give --model")
    if model is not None and out is None:
        raise ConfigError("--model: its replies are kept in a folder; give --out DIR")


def _ask(file: LabelFile, asked: _Asked, out: Path, seed: int) -> tuple[list[bool | None], About]:
    """Flags by a model that is asked now, and what its card says of it."""
    from srpo.calibrate import About
    from srpo.calibrate.asking import Plan, measure
    from srpo.judge import ModelJudge
    from srpo.models import load_model
    from srpo.types import Sampling

    options = {"base_url": asked.base_url} if asked.base_url else {}
    sampling = Sampling(temperature=asked.temperature, max_new_tokens=1024)
    judge = ModelJudge(load_model(asked.model, **options), sampling, show_hypothesis=asked.show_risk, seed=seed)
    drawn = f"temperature {asked.temperature:g}, seed {seed}" if asked.temperature else ""  # greedy needs no seed
    plan = Plan(out, asked.images, asked.repeats, asked.probes, drawn)
    found = measure(file if asked.show_risk else file.without_risk(), judge, plan, console_bars(console), seed=seed)
    prompts = judge.name.rpartition("@")[2]
    return found.flags, About(judge.name, None, prompts, asked.temperature, found.flip_rate, found.probes)


def _show_agreement(file: LabelFile, seed: int, out: Path | None) -> None:
    from srpo.calibrate import agreement, agreement_markdown, render_agreement

    found = agreement(file, seed=seed)
    if found is None:
        raise ConfigError(f"{file.path}: has fewer than two annotators; give a judge with --judge or --model")
    say(render_agreement(found))
    _write(out, "agreement", found, agreement_markdown(found))


def _write(out: Path | None, name: str, record: Record, page: str) -> None:
    if out is not None:
        write_text(out / f"{name}.json", dump_row(record) + "\n")
        write_text(out / f"{name}.md", page)
        say(f"{name}: {out / name}.json, {out / name}.md")
