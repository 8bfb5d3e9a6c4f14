"""Commands that set runs side by side: a paired comparison, and a leaderboard."""

from __future__ import annotations

import io
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from srpo.cli.terminal import console, harmless, say
from srpo.records import write_text

if TYPE_CHECKING:
    from srpo.comparing import Line
    from srpo.tables import Table

_WIDTH = 132
"""Columns in which no number of a comparison is cut."""


class Format(StrEnum):
    """How a comparison is written."""

    text = "text"
    markdown = "markdown"
    latex = "latex"
    csv = "csv"


class Unit(StrEnum):
    """What intervals draw as one."""

    group = "group"
    rule = "rule"


def compare(
    systems: Annotated[
        list[str],
        typer.Argument(
            help="run folder, for all its systems, or RUN:SYSTEM; the first one is the baseline",
            metavar="RUN[:SYSTEM]",
        ),
    ],
    decoding: Annotated[str, typer.Option(help="greedy, or sampled for temperature 1", metavar="NAME")] = "greedy",
    cluster: Annotated[Unit, typer.Option(help="draw minimal sets, or all sets of one rule")] = Unit.group,
    seed: Annotated[int, typer.Option(help="of the bootstrap", metavar="N")] = 0,
    form: Annotated[Format, typer.Option("--format", help="text for people; csv has every digit")] = Format.text,
    out: Annotated[Path | None, typer.Option(help="write here instead of the terminal", metavar="FILE")] = None,
) -> None:
    """Compare systems on the items that all of them answered, item by item.

    Each rate comes with its paired difference, a 95 % interval that draws
    whole minimal sets, the p-value of an exact test after Holm's correction
    for all lines, and the smallest difference that so many sets could show
    with 80 % power.

    A difference is better or worse only if interval and p-value agree.
    Otherwise there is no evidence of one, which does not mean that there is
    none.  With more than 5 % of the items unscored nothing is compared.

    Example: srpo compare runs/demo

    Example: srpo compare runs/a:srpo runs/b:srpo --format latex --out table.tex
    """
    from srpo.comparing import compare_sides, read_sides

    lines = compare_sides(read_sides(systems), decoding=decoding, seed=seed, cluster=cluster.value)
    text = _rendered(lines, form)
    if out is not None:
        write_text(out, text)
        say(f"comparison in {out}")
    elif form is Format.text:
        _print(lines, console)
    else:
        typer.echo(harmless(text), nl=False)


def leaderboard(
    runs: Annotated[list[Path], typer.Argument(help="run folders with a report", metavar="RUN...")],
    out: Annotated[Path, typer.Option(help="page to write", metavar="FILE")] = Path("leaderboard.html"),
) -> None:
    """Rank the systems of many runs on one page.

    Only systems with the same items, judge and protocol are ranked together; others stand in blocks of their own.

    Example: srpo leaderboard runs/seed-0 runs/seed-1 --out leaderboard.html
    """
    from srpo.comparing import leaderboard_of
    from srpo.report.leaderboard import render_leaderboard

    rows = leaderboard_of(runs)
    write_text(out, render_leaderboard(rows))
    say(f"{len(rows)} rows in {len({row.block for row in rows})} blocks: {out}")


def _rendered(lines: list[Line], form: Format) -> str:
    from srpo.comparing import csv_table, tables_of
    from srpo.tables import RENDER

    if form is Format.csv:
        return RENDER["csv"](csv_table(lines))
    if form is Format.text:
        page = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
        _print(lines, page)
        return page.file.getvalue() if isinstance(page.file, io.StringIO) else ""
    render = RENDER["md" if form is Format.markdown else "tex"]
    return "\n".join(render(table) for table in tables_of(lines))


def _print(lines: list[Line], page: Console) -> None:
    from srpo.comparing import tables_of

    if not page.is_terminal:
        page.width = max(page.width, _WIDTH)
    for table in tables_of(lines):
        page.print(_rich(table))
        page.print()


def _rich(table: Table) -> RichTable:
    """For the terminal; names come from files and are never markup."""
    shown = RichTable(box=None, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left", title_style="bold")
    shown.title = Text(harmless(table.title))
    for column in table.columns:
        least = 10 if column == "finding" else None  # a word is not broken in 80 columns
        whole = column.startswith("difference")
        shown.add_column(Text(harmless(column)), overflow="fold", no_wrap=whole, min_width=least)
    for row in table.rows:
        shown.add_row(*(Text(harmless(str(cell))) for cell in row))
    return shown
