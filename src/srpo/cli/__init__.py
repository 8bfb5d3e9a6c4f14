"""The command line: parse, call one function, print a line and the path.

A new command is a function in a file of its topic, and one line here.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, Final, NoReturn

import typer

from srpo import __version__
from srpo.cli import (
    bench,
    benchmarks,
    build,
    compare,
    evaluate,
    export,
    judge,
    publish,
    review,
    serve,
    stages,
    study,
    world,
)
from srpo.cli.terminal import harmless, say
from srpo.errors import SrpoError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Make a vision-language model safer where harmless pictures and requests collide, and measure it.",
)

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_STOPPED: Final = {128 + number for number in _SIGNALS}
"""Exit statuses after a signal, by the shell's convention."""


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"srpo {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    pass


for _command in (
    stages.demo,
    stages.init,
    stages.explore,
    stages.train,
    evaluate.evaluate,
    stages.report,
    compare.compare,
    compare.leaderboard,
    stages.merge,
    export.export,
    serve.serve,
):
    app.command()(_command)
build.app.command("export")(publish.export)
build.app.command("audit")(publish.audit)
app.add_typer(build.app, name="build")
app.add_typer(review.app, name="review")
app.add_typer(judge.app, name="judge")
app.add_typer(benchmarks.app, name="benchmarks")
app.add_typer(world.app, name="world")
app.add_typer(bench.app, name="bench")
app.add_typer(study.app, name="study")


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
        print("error:", harmless(str(error).replace("\n", " ")), file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:
        if end.code in _STOPPED:
            print("stopped; what is finished is kept, the same command goes on (demo: --resume)", file=sys.stderr)
        raise


def _stop(number: int, frame: object) -> NoReturn:
    """End by way of all `finally`s.  Typer and asyncio let this exception through, and KeyboardInterrupt not."""
    raise SystemExit(128 + number)
