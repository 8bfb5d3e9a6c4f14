"""The command line: parse, call one stage, print a line and the path."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from srpo.config import load_config
from srpo.errors import SrpoError
from srpo.progress import Bars, console_bars
from srpo.run_config import RunConfig
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
    Path | None, typer.Option("--config", "-c", help="YAML file with settings; see recipes/", metavar="FILE")
]
OverridesArgument = Annotated[
    list[str] | None, typer.Argument(help="settings such as train.learning_rate=3e-5", metavar="[KEY=VALUE]...")
]

Stage = Callable[[RunFolder, RunConfig, Bars], None]


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
    """
    from srpo import stages

    settings = load_config(config or _demo_recipe(), overrides or [], RunConfig)
    _prepare(out, resume, fresh)
    run = RunFolder.create(out)
    with run.lock():
        _start(run, settings)
        for name in stages.STAGES:
            _stage(run, settings, name)
        _show(run)


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="run folder to make", metavar="RUN")],
    overrides: OverridesArgument = None,
    config: ConfigOption = None,
) -> None:
    """Make a run folder: save its settings, and draw the embedded world or take over your samples.

    Example: srpo build runs/mine --config recipes/demo.yaml world.train=32 train.max_steps=20
    """
    settings = load_config(config or _demo_recipe(), overrides or [], RunConfig)
    run = RunFolder.create(out)
    with run.lock():
        _start(run, settings)
        _stage(run, settings, "build")
    console.print(f"samples in {run.samples}")


def _command(name: str, text: str) -> None:
    def command(run: RunArgument) -> None:
        folder = RunFolder.open(run)
        settings = load_config(folder.config, [], RunConfig)
        with folder.lock():
            _stage(folder, settings, name)
            if name == "report":
                _show(folder)

    command.__doc__ = text
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
    console.print(f"model and card in {out}")


@world_app.command()
def card(model: Annotated[Path, typer.Argument(help="tiny model folder", metavar="DIR")]) -> None:
    """Measure a tiny model on held-out scenes and write its card (README.md) into its folder."""
    from srpo.world.card import write_card

    write_card(model, 0, console_bars(console))
    console.print(f"card in {model / 'README.md'}")


def main() -> None:
    """Entry point: errors that a user can mend are one line and status 2; Ctrl-C is 130."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app()
    except SrpoError as error:
        # Messages hold paths and file contents: never read them as markup.
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped; what is finished is kept, --resume (or the same stage) goes on")
        sys.exit(130)


def _demo_recipe() -> Path:
    return Path(__file__).parent / "recipes" / "demo.yaml"


def _prepare(out: Path, resume: bool, fresh: bool) -> None:
    """Decide what happens to a run that is there already.  Never deletes a folder that is no run."""
    if not (out / "config.yaml").exists():
        return
    if fresh:
        folder = RunFolder.open(out)
        with folder.lock():
            shutil.rmtree(out)
    elif not resume:
        raise SrpoError(
            f"{out}: holds a run already; --resume goes on with it, --fresh starts anew, --out goes elsewhere"
        )


def _start(run: RunFolder, settings: RunConfig) -> None:
    run.save_config(settings)
    run.record_seeds({"run": settings.seed, "world": settings.world.seed})


def _stage(run: RunFolder, settings: RunConfig, name: str) -> None:
    from srpo import stages

    _quiet_libraries()
    functions: dict[str, Stage] = {
        "build": stages.build,
        "explore": stages.explore_stage,
        "judge": stages.judge_stage,
        "train": stages.train_stage,
        "evaluate": stages.evaluate_stage,
        "report": stages.report_stage,
    }
    with stages.timed(run, name):
        functions[name](run, settings, console_bars(console))
    for line in stages.describe(run, name):
        console.print(line, markup=False, highlight=False)


def _show(run: RunFolder) -> None:
    from srpo.report import headline_table
    from srpo.stages import read_report

    console.print(headline_table(read_report(run)))
    console.print(f"report: {run.report_html}  ({run.report_json})", markup=False)


def _quiet_libraries() -> None:
    """Their loading bars would tear ours; warnings stay."""
    if "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    try:
        from transformers.utils import logging
    except ImportError:
        return
    logging.disable_progress_bar()
    logging.set_verbosity_warning()
