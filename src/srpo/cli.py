"""The command line: parse, call one stage, print a line and the path."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from srpo import __version__
from srpo.config import load_config
from srpo.errors import DataError, SrpoError
from srpo.inputs import check_inputs, check_outside
from srpo.progress import console_bars
from srpo.run_config import RunConfig, recipe_path
from srpo.runs import RunFolder

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Make a vision-language model safer where harmless pictures and requests collide, and measure it.",
)
world_app = typer.Typer(no_args_is_help=True, help="The embedded world: its tiny model, and how that was made.")
app.add_typer(world_app, name="world")

console = Console()

RunArgument = Annotated[Path, typer.Argument(help="run folder, made by `srpo build`", metavar="RUN")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML file, or name of a shipped recipe", metavar="FILE")
]
OverridesArgument = Annotated[
    list[str] | None, typer.Argument(help="settings such as train.learning_rate=3e-5", metavar="[KEY=VALUE]...")
]

_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that could steer a terminal or turn text around: all controls but tab and line break."""

_TABLE_WIDTH: Final = 100
"""Columns in which no figure of the table is cut."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_STOPPED: Final = {128 + number for number in _SIGNALS}
"""Exit statuses after a signal, by the shell's convention."""


def _print_version(wanted: bool) -> None:
    if wanted:
        _say(f"srpo {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    pass


@app.command()
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
    from srpo.stages import STAGES
    from srpo.systems import check_trainable

    settings = load_config(_source(out, config, overrides, resume), overrides or [], RunConfig)
    check_trainable(settings)
    _prepare(out, resume, fresh, settings)
    run = RunFolder.create(out)
    with run.lock():
        _start(run, settings)
        for name in STAGES:
            _stage(run, settings, name)
        _show(run)


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="run folder to make", metavar="RUN")],
    overrides: OverridesArgument = None,
    config: ConfigOption = None,
) -> None:
    """Make a run folder: save its settings, and draw the embedded world or take over your samples.

    Example: srpo build runs/mine --config demo world.train=32 train.max_steps=20
    """
    settings = load_config(recipe_path(config), overrides or [], RunConfig)
    if not RunFolder(out).samples.exists():
        check_inputs(settings)
    run = RunFolder.create(out)
    with run.lock():
        _start(run, settings)
        _stage(run, settings, "build")
    _say(f"samples in {run.samples}")


def _command(name: str, text: str) -> None:
    def command(run: RunArgument) -> None:
        folder = RunFolder.open(run)
        settings = load_config(folder.config, [], RunConfig)
        folder.check_config()
        with folder.lock():
            _stage(folder, settings, name)
            if name == "report":
                _show(folder)

    command.__doc__ = f"{text}\n\nExample: srpo {name} runs/mine"
    app.command(name)(command)


_command("explore", "Sample branches from every prefix of the reference paths (trees.jsonl).")
_command("judge", "Judge the final answer of every branch (verdicts.jsonl).")
_command("train", "Train on references and contrasts (contrasts.jsonl, checkpoint/).")
_command("evaluate", "Let base and trained model answer the held-out samples, and score them (results.jsonl).")
_command("report", "Compute all figures (report.json, report.html) and print the table before/after.")


@world_app.command()
def pretrain(
    out: Annotated[Path, typer.Argument(help="model folder to make", metavar="DIR")],
    overrides: OverridesArgument = None,
) -> None:
    """Make the tiny model from scratch: see, learn the facts, learn to slip; then measure it for its card.

    Takes about half an hour on two cores.  Example: srpo world pretrain /tmp/tiny seed=1
    """
    from srpo.world.card import write_card
    from srpo.world.pretrain import PretrainSettings, pretrain

    settings = load_config(None, overrides or [], PretrainSettings)
    bars = console_bars(console)
    pretrain(out, settings, bars)
    write_card(out, settings.seed, bars)
    _say(f"model and card in {out}")


@world_app.command()
def card(model: Annotated[Path, typer.Argument(help="tiny model folder", metavar="DIR")]) -> None:
    """Measure a tiny model on held-out scenes and write its card (README.md, card.json) into its folder.

    Example: srpo world card /tmp/tiny
    """
    from srpo.world.card import write_card

    write_card(model, 0, console_bars(console))
    _say(f"card in {model / 'README.md'}")


def main() -> None:
    """Entry point: errors that a user can mend are one line and status 2; Ctrl-C is 130, a polite kill 143."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Loading bars of libraries would tear ours; warnings stay.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for number in _SIGNALS:
        signal.signal(number, _stop)
    try:
        app()
    except SrpoError as error:
        print("error:", _harmless(str(error).replace("\n", " ")), file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:
        if end.code in _STOPPED:
            print("stopped; what is finished is kept, --resume (or the same stage) goes on", file=sys.stderr)
        raise


def _stop(number: int, frame: object) -> NoReturn:
    """End by way of all `finally`s.  Typer and asyncio let this exception through, and KeyboardInterrupt not."""
    raise SystemExit(128 + number)


def _source(out: Path, config: Path | None, overrides: list[str] | None, resume: bool) -> Path:
    """Where the settings come from: a run that goes on keeps its own unless others are given."""
    saved = RunFolder(out).config
    return saved if resume and config is None and not overrides and saved.is_file() else recipe_path(config)


def _prepare(out: Path, resume: bool, fresh: bool, settings: RunConfig) -> None:
    """Decide what happens to a run that is there already; nothing does before the new one can be built."""
    if resume and fresh:
        raise SrpoError("--resume goes on with a run and --fresh deletes it; give one of them")
    there = (out / "config.yaml").exists()
    if there and not (fresh or resume):
        raise SrpoError(
            f"{out}: holds a run already; --resume goes on with it, --fresh starts anew, --out goes elsewhere"
        )
    # A run that has its samples reads them, and not the file that they came from.
    inputs = [] if resume and RunFolder(out).samples.exists() else check_inputs(settings)
    if there and fresh:
        check_outside(out, inputs)
        folder = RunFolder.open(out)
        with folder.lock():
            _delete(folder)


def _delete(run: RunFolder) -> None:
    """Delete the files of a run, and nothing else.  Raises DataError if the folder holds anything that is no run's."""
    own = [getattr(run, name) for name, kind in vars(RunFolder).items() if isinstance(kind, property)]
    strangers = sorted(path.name for path in run.path.iterdir() if path not in own and not path.name.startswith("."))
    if strangers or run.read_manifest().config_sha256 is None:
        reason = f"holds {strangers[0]!r}, which no run writes" if strangers else "has no manifest.json of a run"
        raise DataError(f"{run.path}: {reason}, so --fresh deletes nothing; choose another folder with --out")
    # What tells that this is a run goes last, so that a deletion that was stopped can be done again.
    for path in sorted(own, key=lambda path: (path == run.config, path == run.manifest)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _start(run: RunFolder, settings: RunConfig) -> None:
    run.save_config(settings)
    run.record_seeds({"run": settings.seed, "world": settings.world.seed})


def _stage(run: RunFolder, settings: RunConfig, name: str) -> None:
    from srpo.stage_lines import describe
    from srpo.stages import run_stage

    run_stage(run, settings, name, console_bars(console))
    for line in describe(run, name):
        _say(line)


def _show(run: RunFolder) -> None:
    from srpo.report import headline_table, verdict
    from srpo.stages import read_report

    report = read_report(run)
    if not console.is_terminal:
        console.width = max(console.width, _TABLE_WIDTH)
    console.print(headline_table(report))
    _say(verdict(report))
    _say(f"report: {run.report_html}  ({run.report_json})")


def _say(text: str) -> None:
    """Print text as it is: it holds paths and file contents, which are never markup."""
    console.print(_harmless(text), markup=False, highlight=False, emoji=False, soft_wrap=True)


def _harmless(text: str) -> str:
    return _UNSEEN.sub("\ufffd", text)
