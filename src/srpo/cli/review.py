"""The group `review`: the page for people, and files of reviews in and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from srpo.cli.groups import default_group
from srpo.cli.terminal import console, say
from srpo.errors import ConfigError

if TYPE_CHECKING:
    from srpo.review.plan import Plan

PAGE: Final = "page"
"""Name of the server among the commands of the group: what `srpo review RUN` means."""

FormName = Literal["jsonl", "label-studio", "argilla", "csv"]


app = typer.Typer(
    cls=default_group(PAGE),
    no_args_is_help=True,
    subcommand_metavar="RUN | COMMAND",
    help="""Let people decide what stays in a dataset, in a browser on this machine.

    The first word is a dataset or run folder, or a command.  Options for the page: `srpo review page --help`.

    Example: srpo review data/ssui --reviewers ada,bob --per-item 2
    """,
)

_FolderArgument = Annotated[Path, typer.Argument(help="folder with samples.jsonl, made by `srpo build`", metavar="RUN")]
_FormOption = Annotated[FormName, typer.Option("--format", help="whose format the file has")]


@app.command(PAGE)
def page(
    run: _FolderArgument,
    port: Annotated[int, typer.Option(help="port to listen at; 0 = any free one", metavar="PORT")] = 8765,
    reviewers: Annotated[
        str | None, typer.Option(help="names, separated by commas; items are assigned to them", metavar="NAMES")
    ] = None,
    per_item: Annotated[
        int | None, typer.Option(help="reviewers of one item; from 2 on they label blind", min=1, metavar="N")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="of order and assignment", min=0, metavar="N")] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="only print the address")] = False,
) -> None:
    """Serve the page at this machine until Ctrl-C; the address that is printed holds a token.

    Reviewers, reviewers per item and seed are kept in the folder, so the next start needs none of them; --reviewers ''
    goes back to whoever comes.

    Example: srpo review data/ssui --reviewers ada,bob,eve --per-item 2
    """
    try:
        from srpo.review.run import serve
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn", "starlette"):
            raise
        raise ConfigError(f'the page needs {error.name}; pip install "srpo[review]"') from None
    plan = None if (reviewers, per_item, seed) == (None, None, None) else _plan(run, reviewers, per_item, seed)
    serve(run, plan, port, say, open_page=not no_open)


@app.command("export")
def export(
    run: _FolderArgument,
    format: _FormOption = "jsonl",
    out: Annotated[
        Path | None,
        typer.Option(help="by default reviews.jsonl in the folder; needed for other formats", metavar="FILE"),
    ] = None,
    images_prefix: Annotated[
        str,
        typer.Option(
            help="what goes before the paths of pictures, such as /data/local-files/?d=ssui/, for label-studio and "
            "argilla",
            metavar="TEXT",
        ),
    ] = "",
) -> None:
    """Write the reviews for later stages (jsonl), for a spreadsheet (csv), or items and reviews for another tool.

    For Label Studio the labelling interface lies beside the file as XML.  Formats: docs/review.md.

    Example: srpo review export data/ssui

    Example: srpo review export data/ssui --format label-studio --out tasks.json
    """
    from srpo.review.exchange import export_file
    from srpo.review.store import Store

    if out is None and format != "jsonl":
        raise ConfigError(f"--format {format}: give a file with --out")
    if images_prefix and format not in ("label-studio", "argilla"):
        raise ConfigError(f"--images-prefix: a file of --format {format} names no pictures; leave it out")
    with Store.open(run) as store:
        for path, what in export_file(store, format, out or store.folder.reviews, images_prefix):
            say(f"{path}: {what}")


@app.command("import")
def import_(
    run: _FolderArgument,
    file: Annotated[Path, typer.Argument(help="reviews in that format", metavar="FILE")],
    format: _FormOption = "jsonl",
) -> None:
    """Take over reviews from a file: all of them or, if anything is wrong, none.

    Unknown ids, items whose words have changed since, and second votes of one person are named, line by line.

    Example: srpo review import data/ssui annotated.json --format label-studio
    """
    from srpo.review.exchange import import_file
    from srpo.review.store import Store

    with Store.open(run) as store:
        done = import_file(store, format, file)
    say(f"{file}: {done.new} reviews taken over, {done.known} were there already")


@app.command("agreement")
def agreement(run: _FolderArgument) -> None:
    """Print how far reviewers agree beyond chance, with 95 % intervals over minimal sets.

    Example: srpo review agreement data/ssui
    """
    from rich.table import Table

    from srpo.review.agreement import agreement_of
    from srpo.review.store import Store

    with Store.open(run) as store:
        found = agreement_of(store)
    if not found.figures:
        say("no item has votes of two reviewers yet")
        return
    table = Table(title=f"{found.votes} votes, {found.blind} of them blind", title_justify="left")
    for name in ("measure", "statistic", "reviewers", "value", "95 % interval", "alike"):
        table.add_column(name)
    for one in found.figures:
        interval = "-" if one.low is None or one.high is None else f"{one.low:.2f} to {one.high:.2f}"
        value = "-" if one.value is None else f"{one.value:.2f}"
        row = (one.measure, one.statistic, ", ".join(one.reviewers), value, interval, f"{one.alike} of {one.n}")
        table.add_row(*map(_plain, row))
    console.print(table)


def _plan(run: Path, reviewers: str | None, per_item: int | None, seed: int | None) -> Plan:
    """What is given, over what the folder keeps."""
    from srpo.data.folder import DatasetFolder
    from srpo.review.plan import Plan, load_plan
    from srpo.review.store import Store

    if not DatasetFolder(run).review_database.exists():
        return load_plan(reviewers, per_item, seed, Plan())
    with Store.open(run) as store:
        return load_plan(reviewers, per_item, seed, store.plan)


def _plain(text: str) -> str:
    """Names come from people, and brackets would be markup."""
    from rich.markup import escape

    from srpo.cli.terminal import harmless

    return escape(harmless(text))
