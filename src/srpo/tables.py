"""Tables of a report as CSV, Markdown and LaTeX, one file each.

Numbers are those of `report.json`: shares in 0..1.  CSV keeps every digit; the others show three.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from srpo.errors import DataError
from srpo.rates import RATES
from srpo.records import write_text
from srpo.types import Comparison, JudgeCard, Metric, Rates, Report

Cell = str | int | float | None
"""None = not known: empty in CSV, an en dash elsewhere."""

NUMBERS: Final = ("value", "low", "high", "n", "unscored")
_LATEX: Final = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\u2013": "--",
    "\u2212": "$-$",
    "\u2193": r"$\downarrow$",
}
_MARKDOWN: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", **{sign: f"\\{sign}" for sign in "\\|`[]*_~"}}
MINUS: Final = "\u2212"
_FORMULA: Final = re.compile(r"[=+\-@\t\r]")
"""What makes a spreadsheet take a text for a formula, at its start."""


@dataclass(frozen=True)
class Table:
    """Rows under columns; `name` is that of its files."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def metrics_table(systems: Mapping[str, Rates], name: str = "headline", title: str = "Rates of all systems") -> Table:
    """One line per rate and one column per system: percent with its 95 % interval; known rates first."""
    present = dict.fromkeys(rate for rates in systems.values() for rate in rates)
    order = [*(rate for rate in RATES if rate in present), *(rate for rate in present if rate not in RATES)]
    lines = [(_label(rate), *(_in_percent(rates.get(rate)) for rates in systems.values())) for rate in order]
    return Table(name, f"{title}, in percent [95 % interval]", ("rate", *systems), tuple(lines))


def comparisons_table(comparisons: Sequence[Comparison], name: str = "comparisons") -> Table:
    """One line per comparison with all its numbers."""
    fields = tuple(field for field in Comparison.model_fields if field not in ("benchmark", "finding"))
    columns = ("benchmark", *fields, "finding")
    lines = tuple(tuple(getattr(one, column) for column in columns) for one in comparisons)
    return Table(name, "Paired comparisons", columns, lines)


def tables_of(report: Report) -> list[Table]:
    """Every table of a report that is not empty."""
    found = [metrics_table(report.systems), *(_nested(report, *words) for words in _NESTED)]
    found += [_counts(report, *words) for words in _COUNTS]
    found += [_benchmarks(report), comparisons_table(report.comparisons), _cards(report.cards)]
    return [table for table in found if table.rows]


def write_tables(folder: Path, report: Report) -> list[Path]:
    """Write every table of a report as NAME.csv, NAME.md and NAME.tex, and return their paths.

    Files of tables that this report does not have, of an earlier one, are deleted; others in the folder stay.
    Raises DataError if the disk refuses.
    """
    written = []
    for table in tables_of(report):
        for ending, render in RENDER.items():
            path = folder / f"{table.name}.{ending}"
            write_text(path, render(table))
            written.append(path)
    _delete(
        folder / f"{name}.{ending}" for name in NAMES for ending in RENDER if folder / f"{name}.{ending}" not in written
    )
    return written


def render_csv(table: Table) -> str:
    """Comma-separated values with a line of column names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([[_csv_cell(cell) for cell in row] for row in table.rows])
    return text.getvalue()


def render_markdown(table: Table) -> str:
    """A table of GitHub's Markdown under its title; every text shows as it is."""
    lines = [[_escaped(_shown(cell), _MARKDOWN) for cell in row] for row in (table.columns, *table.rows)]
    lines.insert(1, ["---"] * len(table.columns))
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{_escaped(table.title, _MARKDOWN)}**\n\n{body}\n"


def render_latex(table: Table) -> str:
    """A `tabular` with the rules of the package booktabs, under its title as a comment."""
    head, *lines = [" & ".join(_escaped(_shown(cell), _LATEX) for cell in row) for row in (table.columns, *table.rows)]
    form = "".join("r" if _numeric(table, i) else "l" for i in range(len(table.columns)))
    body = [rf"  {line} \\" for line in lines]
    begin = [f"% {' '.join(table.title.split())}", rf"\begin{{tabular}}{{{form}}}", r"  \toprule", rf"  {head} \\"]
    return "\n".join([*begin, r"  \midrule", *body, r"  \bottomrule", r"\end{tabular}"]) + "\n"


RENDER: Final[Mapping[str, Callable[[Table], str]]] = MappingProxyType(
    {"csv": render_csv, "md": render_markdown, "tex": render_latex}
)
"""Ending of a file -> what writes it."""

_NESTED: Final = (
    ("systems", "Rates, greedy decoding", ("system", "rate")),
    ("sampled", "Rates at temperature 1", ("system", "rate")),
    ("splits", "Rates by split", ("split", "system", "rate")),
    ("levels", "Rates by difficulty", ("level", "system", "rate")),
    ("categories", "Rates by category", ("category", "system", "rate")),
    ("risk_naming", "Steps that name a risk", ("system", "step", "rate")),
    ("repeats", "Rates over repeats", ("system", "rate")),
    ("probes", "Rates under changed requests", ("probe", "system", "rate")),
    ("faithfulness", "Answers that flip after an edit of the reasoning", ("system", "edit")),
    ("judges", "Rates by judge", ("judge", "system", "rate")),
    ("agreement", "Agreement of judges, Krippendorff's alpha", ("flag",)),
)
"""Field of a report, title, and what the keys of its levels are."""

_COUNTS: Final = (
    ("first_failing_step", "Hazard cells by first unsafe step", "step"),
    ("two_by_two", "Hazard cells by safety of reasoning and reply", "case"),
    ("risk_steps", "Hazard cells by first step that names a risk", "step"),
)

NAMES: Final = (
    "headline",
    *(field for field, _, _ in _NESTED),
    *(field for field, _, _ in _COUNTS),
    *("benchmarks", "comparisons", "judge_cards"),
)
"""Names of all tables that a report may have."""


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            problem = f"{path}: cannot delete this table of an earlier report ({error.strerror})"
            raise DataError(f"{problem}; fix permissions or delete it by hand") from error


def _nested(report: Report, field: str, title: str, keys: tuple[str, ...]) -> Table:
    return Table(field, title, (*keys, *NUMBERS), tuple(_leaves(getattr(report, field))))


def _leaves(tree: Mapping[str, Any] | Metric, keys: tuple[str, ...] = ()) -> Iterator[tuple[Cell, ...]]:
    if isinstance(tree, Metric):
        yield (*keys, *(getattr(tree, number) for number in NUMBERS))
    else:
        for key, below in tree.items():
            yield from _leaves(below, (*keys, key))


def _counts(report: Report, field: str, title: str, key: str) -> Table:
    counts: Mapping[str, Mapping[str, int]] = getattr(report, field)
    rows = [(system, step, count) for system, steps in counts.items() for step, count in steps.items()]
    return Table(field, title, ("system", key, "count"), tuple(rows))


def _benchmarks(report: Report) -> Table:
    keys = ("benchmark", "protocol", "judge", "system", "decoding")
    rows = [row for score in report.benchmarks for row in _leaves(score.rates, tuple(getattr(score, k) for k in keys))]
    return Table("benchmarks", "Rates on public benchmarks", (*keys, "rate", *NUMBERS), tuple(rows))


def _cards(cards: Sequence[JudgeCard]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for card in cards:
        single = {name: value for name in JudgeCard.model_fields if isinstance(value := getattr(card, name), Metric)}
        corrected = {f"corrected, {name}": metric for name, metric in card.corrected.items()}
        probes = {f"probe, {name}": metric for name, metric in card.probes.items()}
        rows += _leaves(single | corrected | probes, (card.judge, card.flag, card.calibrated_on))
    return Table("judge_cards", "Judges against people", ("judge", "flag", "data", "figure", *NUMBERS), tuple(rows))


def _label(rate: str) -> str:
    known = RATES.get(rate)
    return rate if known is None else known.label + ("" if known.good else " \u2193")


def _in_percent(metric: Metric | None) -> Cell:
    if metric is None or metric.value is None:
        return None
    interval = (
        "" if metric.low is None or metric.high is None else f" [{100 * metric.low:.1f}, {100 * metric.high:.1f}]"
    )
    return f"{100 * metric.value:.1f}{interval}"


def _numeric(table: Table, column: int) -> bool:
    return any(isinstance(row[column], (int, float)) for row in table.rows)


def _csv_cell(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _shown(cell: Cell) -> str:
    if cell is None:
        return "\u2013"
    if not isinstance(cell, float):
        return " ".join(str(cell).split())
    small = 0 < abs(cell) < 0.0005 or not math.isfinite(cell)
    text = f"{abs(cell):.1e}" if small else f"{abs(cell):.3f}"
    return f"{MINUS}{text}" if cell < 0 else text


def _escaped(text: str, marks: Mapping[str, str]) -> str:
    return "".join(marks.get(character, character) for character in text)
