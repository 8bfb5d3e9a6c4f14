"""The terminal: what commands take and print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from srpo.runs import RunFolder

console = Console()

RunArgument = Annotated[Path, typer.Argument(help="run folder, made by `srpo init`", metavar="RUN")]
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


def say(text: str) -> None:
    """Print text as it is: it holds paths and file contents, which are never markup."""
    console.print(harmless(text), markup=False, highlight=False, emoji=False, soft_wrap=True)


def harmless(text: str) -> str:
    """Text without the characters that could steer a terminal."""
    return _UNSEEN.sub("\ufffd", text)


def show_report(run: RunFolder) -> None:
    """Print the table before/after, the verdict and where the report lies."""
    from srpo.report import headline_table, verdict
    from srpo.stages import read_report

    report = read_report(run)
    if not console.is_terminal:
        console.width = max(console.width, _TABLE_WIDTH)
    console.print(headline_table(report))
    say(verdict(report))
    say(f"report: {run.report_html}  ({run.report_json})")
