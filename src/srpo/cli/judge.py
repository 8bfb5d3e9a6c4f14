"""The group `judge`: the stage itself, and the calibration of a judge by labels of people."""

from __future__ import annotations

import json
import shlex
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import typer

from srpo.calibrate.human import Flag, FormName
from srpo.cli.groups import default_group
from srpo.cli.stages import judge as judge_run
from srpo.cli.stages import opened, references
from srpo.cli.terminal import RunArgument, console, say
from srpo.config import load_config
from srpo.errors import ConfigError
from srpo.progress import console_bars
from srpo.records import dump_row, write_text
from srpo.run_config import RunConfig

if TYPE_CHECKING:
    from srpo.calibrate import About, LabelFile
    from srpo.judge import ModelJudge
    from srpo.types import Record

DType = Literal["auto", "float32", "bfloat16", "float16"]

STAGE: Final = "branches"
"""Name of the stage among the commands of the group: what `srpo judge RUN` means."""


app = typer.Typer(
    cls=default_group(STAGE),
    no_args_is_help=True,
    subcommand_metavar="RUN | COMMAND",
    help="""Judge the branches or the references of a run, or hold a judge against people.

    The first word is a run folder or a command.  Options for a run: `srpo judge RUN --help`.

    Example: srpo judge runs/mine
    """,
)
app.command(STAGE)(judge_run)
app.command()(references)

_LabelsOption = Annotated[Path, typer.Option(help="file with labels of people", metavar="FILE")]
_FormatOption = Annotated[FormName | None, typer.Option(help="whose file it is; by default told by ending and columns")]
_FlagOption = Annotated[Flag | None, typer.Option(help="what the labels of your own file or reviews say")]
_JudgeOption = Annotated[
    str | None, typer.Option(help="column with a judge's labels, such as gpt4_label", metavar="COLUMN")
]
_ModelOption = Annotated[str | None, typer.Option(help="judge to ask: hf:PATH_OR_NAME or openai:NAME", metavar="MODEL")]
_UrlOption = Annotated[
    list[str] | None, typer.Option(help="server of an openai: model; may be repeated for several", metavar="URL")
]
_TypeOption = Annotated[DType, typer.Option(help="of the weights of a local model")]
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
_ReferenceOption = Annotated[bool, typer.Option("--hide-reference", help="do not show the model the reference reply")]
_StepsOption = Annotated[
    bool, typer.Option("--step-by-step", help="as for a judge that is asked step by step; replies are asked alike")
]
_ProbesOption = Annotated[bool, typer.Option("--probes", help="ask again with changed items, 200 at most per probe")]
_SeedOption = Annotated[int, typer.Option(help="of draws and intervals", min=0, metavar="N")]
_OutOption = Annotated[Path | None, typer.Option(help="folder for the card and for the judge's replies", metavar="DIR")]


class _Asked(NamedTuple):
    """How a model is asked."""

    model: str | None = None
    base_url: tuple[str, ...] = ()
    dtype: DType = "auto"
    images: Path | None = None
    temperature: float = 0.0
    repeats: int = 1
    probes: bool = False
    show_risk: bool = False
    hide_reference: bool = False
    step_by_step: bool = False


class _Card(NamedTuple):
    """What is made of labels."""

    seed: int
    subset: int
    out: Path | None


@app.command()
def calibrate(  # noqa: PLR0913 - one parameter per option
    labels: _LabelsOption,
    format: _FormatOption = None,
    flag: _FlagOption = None,
    judge: _JudgeOption = None,
    model: _ModelOption = None,
    base_url: _UrlOption = None,
    dtype: _TypeOption = "auto",
    images: _ImagesOption = None,
    temperature: _TemperatureOption = 0.0,
    limit: _LimitOption = None,
    subset: _SubsetOption = 200,
    repeats: _RepeatsOption = 1,
    probes: _ProbesOption = False,
    show_risk: _RiskOption = False,
    hide_reference: _ReferenceOption = False,
    step_by_step: _StepsOption = False,
    seed: _SeedOption = 0,
    out: _OutOption = None,
) -> None:
    """Hold a judge against labels of people: agreement, errors, and rates that are corrected for them.

    With --judge it is one whose labels are in the file, with --model one that is asked now; what it has replied stays
    in the folder, so the same command goes on after a stop.  With neither, people are compared with one another.
    Files and figures, and the options that make it the judge of a run: docs/judges.md.

    Example: srpo judge calibrate --labels llama2_completions_labels.csv --judge gpt4_label --out cards/gpt4
    """
    told = (show_risk, hide_reference, step_by_step)
    asked = _Asked(model, tuple(base_url or ()), dtype, images, temperature, repeats, probes, *told)
    _check(judge, asked, out)
    _calibrate((labels, format, flag, judge), asked, limit, _Card(seed, subset, out))


@app.command()
def sheet(
    run: RunArgument,
    flag: Annotated[Flag, typer.Option(help="what the labels will say")] = "unsafe",
    system: Annotated[list[str] | None, typer.Option(help="only answers of this system; may be repeated")] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="answers to rsbench or to a public one; needed if the run has both")
    ] = None,
    seed: Annotated[int, typer.Option(help="of the order", min=0, metavar="N")] = 0,
    out: Annotated[Path | None, typer.Option(help="by default sheet.csv in the run folder", metavar="FILE")] = None,
) -> None:
    """Write the answers of an evaluated run as a table for people to label.

    The order is drawn, so labels from the top down are a random draw.  Hide the columns behind `label`, fill it with
    yes or no as far as you get, and save as CSV in UTF-8.  Calibrated with the same flag, the judge's rate over all
    answers is corrected by your labels.

    Example: srpo judge sheet runs/mine --flag unsafe

    Example: srpo judge calibrate --labels runs/mine/sheet.csv --flag unsafe --judge world-oracle/2
    """
    from srpo.answered import answered
    from srpo.calibrate.sheet import Wanted, make_sheet

    folder, settings = opened(run)
    file = out or folder.path / "sheet.csv"
    if file.exists():
        raise ConfigError(f"{file}: is there already and may hold labels; move it, or give another --out")
    formats = {name: one.path_format for name, one in settings.systems.items()}
    wanted = Wanted(flag, tuple(system or ()), benchmark)
    made = make_sheet(answered(folder, settings), wanted, formats, seed)
    write_text(file, made.text)
    words = shlex.join(["srpo", "judge", "calibrate", "--labels", str(file), "--flag", flag, "--judge", made.judge])
    say(f"sheet: {file}; label from the top, then: {words}")


def _check(judge: str | None, asked: _Asked, out: Path | None) -> None:
    """An option that would be ignored is a mistake."""
    if judge is not None and asked.model is not None:
        raise ConfigError("--judge and --model: give one of them, a judge of the file or one to ask")
    given = [name for name, value in asked._asdict().items() if value != _Asked._field_defaults[name]]
    if asked.model is None and given:
        option = f"--{given[0].replace('_', '-')}"
        raise ConfigError(f"{option}: is for a judge that is asked; give --model")
    if asked.model is not None and out is None:
        raise ConfigError("--model: its replies are kept in a folder; give --out DIR")


def _calibrate(
    source: tuple[Path, FormName | None, Flag | None, str | None], asked: _Asked, limit: int | None, made: _Card
) -> None:
    from srpo.calibrate import About, card_markdown, judge_card, limited, render_card

    file, judge = limited(_read(*source), limit, made.seed), source[-1]
    if asked.model is not None and made.out is not None:
        flags, about = _ask(file, asked, made.out, made.seed)
    elif judge is not None:
        flags, about = file.judge, About(judge)
    else:
        _show_agreement(file, made.seed, made.out)
        return
    about = about._replace(date=date.today().isoformat())
    card = judge_card(file, flags, about, seed=made.seed, subset=made.subset)
    say(render_card(card))
    if made.subset and not card.corrected:
        left = f"leaves none of the {card.judge_rate.n} scored rows over"
        say(f"no corrected rates: --subset {made.subset} {left}; lower it")
    _write(made.out, "card", card, card_markdown(card))


def _read(path: Path, form: FormName | None, flag: Flag | None, judge: str | None) -> LabelFile:
    from srpo.calibrate import read_labels, read_reviews
    from srpo.calibrate.reviews import ENDINGS

    if form == "reviews" or (form is None and path.suffix in ENDINGS):
        return read_reviews(path, flag, judge)
    return read_labels(path, form, flag, judge)


def _ask(file: LabelFile, asked: _Asked, out: Path, seed: int) -> tuple[list[bool | None], About]:
    """Flags by a model that is asked now, and what its card says of it."""
    from srpo.calibrate import About
    from srpo.calibrate.asking import Plan, measure

    judge = _judge_of(asked, seed)
    drawn = f"temperature {asked.temperature:g}, seed {seed}" if asked.temperature else ""  # greedy needs no seed
    plan = Plan(out, asked.images, asked.repeats, asked.probes, drawn)
    file = file if asked.show_risk else file.without("hypothesis")
    file = file.without("reference") if asked.hide_reference else file
    found = measure(file, judge, plan, console_bars(console), seed=seed)
    prompts = judge.name.rpartition("@")[2]
    return found.flags, About(judge.name, None, prompts, asked.temperature, found.flip_rate, found.probes)


def _judge_of(asked: _Asked, seed: int) -> ModelJudge:
    """The judge that a run with these settings has; only the temperature is our own."""
    from srpo.judge import ModelJudge
    from srpo.systems import judge_model
    from srpo.types import Sampling

    servers = {"base_url": asked.base_url[0] if len(asked.base_url) == 1 else asked.base_url} if asked.base_url else {}
    shown, stepwise = not asked.hide_reference, asked.step_by_step
    told = {"show_hypothesis": asked.show_risk, "show_reference": shown, "step_by_step": stepwise}
    own = json.dumps({"kind": "model", "model": asked.model, **servers, **told})
    config = load_config(None, [f"evaluate.judge={own}", f"dtype={asked.dtype}"], RunConfig)
    return ModelJudge(
        judge_model(config, config.scoring_judges[0]),
        Sampling(temperature=asked.temperature, max_new_tokens=1024),
        show_hypothesis=asked.show_risk,
        show_reference=shown,
        step_by_step=stepwise,
        seed=seed,
    )


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
