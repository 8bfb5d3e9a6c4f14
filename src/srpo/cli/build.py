"""The group `build`: a dataset from a folder of pictures, and what is made of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from srpo.cli.groups import default_group
from srpo.cli.terminal import console, say
from srpo.config import load_config
from srpo.data.config import BuildConfig
from srpo.progress import console_bars

if TYPE_CHECKING:
    from srpo.building import Built
    from srpo.data.preview import Preview

STAGES: Final = "dataset"
"""Name of the stages among the commands of the group: what `srpo build CONFIG` means."""

UNFINISHED: Final = 3
"""Exit status if a cap was reached or something waits: the same command goes on."""

_WIDTH: Final = 130
"""Columns in which no figure of a table is cut."""


app = typer.Typer(
    cls=default_group(STAGES),
    no_args_is_help=True,
    subcommand_metavar="CONFIG | COMMAND",
    help="""Build a dataset of minimal sets from a folder of pictures, or publish one.

    The first word is a configuration or a command.  Options for a configuration: `srpo build dataset --help`.

    Example: srpo build ssui-openai images.folder=photos images.licence=CC-BY-4.0 --dry-run
    """,
)


@app.command(STAGES)
def build(  # noqa: PLR0913 - one parameter per option
    config: Annotated[Path, typer.Argument(help="YAML file, or name of a shipped recipe", metavar="CONFIG")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="settings such as checks.votes=5", metavar="[KEY=VALUE]...")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="dataset folder; by default runs/ and the name of CONFIG", metavar="DIR")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="only the first N pictures; a later start goes on", min=1, metavar="N")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what it will cost, and ask nobody")] = False,
    max_cost: Annotated[
        float | None, typer.Option(help="stop before all calls so far would cost more", min=0.0, metavar="AMOUNT")
    ] = None,
    max_calls: Annotated[
        int | None, typer.Option(help="stop before there are more calls in all", min=0, metavar="N")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="neither keep nor use replies of servers")] = False,
) -> None:
    """Build a dataset: risky requests for pictures, reasoning, checks, harmless counterparts, splits.

    Every stage keeps what is finished, so the same command goes on after a stop, a failed call or a cap; it ends with
    status 3 as long as something is left to ask.  Settings, files and costs: docs/ssui.md.

    Example: srpo build my.yaml --limit 20 --max-cost 5
    """
    from srpo.building import BuildOptions, build_dataset, built_table

    source = dataset_recipe(config)
    settings = load_config(source, overrides or [], BuildConfig)
    folder = out or Path("runs") / source.stem
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    if dry_run:
        _show_estimate(settings, folder, limit)
        return
    options = BuildOptions(limit, max_cost, max_calls, not no_cache)
    built = build_dataset(settings, folder, options, console_bars(console))
    console.print(built_table(built))
    again = shlex.join(["srpo", "build", str(config), *(overrides or []), "--out", str(folder)])
    _tell(built, folder, again)
    if built.reached is not None or built.waiting:
        raise typer.Exit(UNFINISHED)


def dataset_recipe(given: Path) -> Path:
    """The file that is meant: a path, or the name of a shipped recipe for datasets."""
    shipped = Path(__file__).parents[1] / "recipes_data" / f"{given}.yaml"
    return shipped if not given.exists() and shipped.is_file() else given


def _show_estimate(settings: BuildConfig, folder: Path, limit: int | None) -> None:
    from srpo.building import estimate, estimate_table

    found = estimate(settings, folder, limit)
    console.print(estimate_table(found))
    if found.preview is not None:
        _tell_preview(found.preview)
    if found.other_settings:
        keys = ", ".join(found.other_settings)
        say(f"{folder} holds a dataset with other settings ({keys}): a start there is refused; choose another --out")
    basis = "averages of this folder where there are some" if found.measured else "assumed averages"
    say(f"about {found.sets:.0f} complete sets; expected by {basis}, at worst with every rewrite, vote and repair")
    if any(load.cost is None for load in found.loads):
        say("a model without input_price and output_price has no cost here")


def _tell_preview(preview: Preview) -> None:
    """What of the folder can be used."""
    taken = preview.files - preview.new - preview.refused.total()
    before = f", {taken} were taken before" if taken else ""
    say(f"{preview.files} files: {preview.new} can be taken by licence and head{before}, {preview.refused.total()} not")
    for reason, number in preview.refused.most_common():
        say(f"  {reason} {number}, first: {preview.first[reason]}")
    _tell_hidden(preview.hidden)


def _tell_hidden(number: int) -> None:
    if number:
        say(f"hidden files or folders that were passed over: {number}")


def _tell(built: Built, folder: Path, again: str) -> None:
    """What to do next."""
    _tell_hidden(built.hidden)
    for note in built.notes:
        say(note)
    if built.unread:
        say(f"not compared: {len(built.unread)} pictures of benchmarks could not be read, first {built.unread[0]}")
    if built.reached is not None:
        left = f"{built.waiting} pictures or sets are left"
        say(f"stopped: {built.reached}; {left} and what is finished is kept, raise the cap and run again: {again}")
    elif built.waiting:
        why = next((count.why for count in built.counts if count.why), "")
        first = f" (first: {why})" if why else ""
        say(f"{built.waiting} pictures or sets wait{first}; run the same command again: {again}")
    further = f"; to look through them: srpo review {folder}" if built.samples else ""
    say(f"{built.samples} samples: {folder / 'samples.jsonl'}{further}")
