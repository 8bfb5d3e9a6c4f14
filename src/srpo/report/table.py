"""The headline table: one list of rows, shown in the terminal, in Markdown and on the page."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from rich.table import Table
from rich.text import Text

from srpo.report.wording import (
    METRICS,
    NOT_COMPARED,
    NOT_SCORED,
    MetricWords,
    Reading,
    counted,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
    read_comparison,
    words_of,
)
from srpo.types import Comparison, Metric, Report

Decoding = Literal["greedy", "sampled"]
DECODINGS: Final[dict[Decoding, str]] = {"greedy": "Greedy decoding", "sampled": "Sampled, temperature 1"}
_STYLES: Final = {"better": "green", "worse": "red", "changed": "cyan", "same": "dim", "unknown": "dim"}


class Pair(NamedTuple):
    """The two systems of a before/after view."""

    baseline: str
    system: str


class HeadlineRow(NamedTuple):
    """One measure of two systems on the same items."""

    metric: str
    words: MetricWords
    before: Metric | None
    after: Metric | None
    comparison: Comparison | None
    reading: Reading


def pairs_of(report: Report) -> list[Pair]:
    """Baseline against every other system; the last pair is the one of the headline.

    The baseline is that of the comparisons; without any, the first system of the report.
    """
    names = list(report.systems)
    if not names:
        return []
    named = [c.baseline for c in report.comparisons if c.baseline in report.systems]
    baseline = named[0] if named else names[0]
    return [Pair(baseline, name) for name in names if name != baseline]


def headline_rows(report: Report, pair: Pair, decoding: Decoding) -> list[HeadlineRow]:
    """Rows of two systems under one decoding, known measures first."""
    systems = report.systems if decoding == "greedy" else report.sampled
    before, after = systems.get(pair.baseline, {}), systems.get(pair.system, {})
    found = {c.metric: c for c in report.comparisons if (c.baseline, c.system, c.decoding) == (*pair, decoding)}
    rows = []
    for metric in ordered_metrics([*before, *after]):
        comparison = found.get(metric)
        reading = read_comparison(comparison)
        rows.append(HeadlineRow(metric, words_of(metric), before.get(metric), after.get(metric), comparison, reading))
    return rows


def ordered_metrics(names: list[str]) -> list[str]:
    """Each name once: known measures in their fixed order, then the others as they come."""
    present = dict.fromkeys(names)
    return [name for name in METRICS if name in present] + [name for name in present if name not in METRICS]


def headline_table(report: Report) -> Table:
    """Before and after for the terminal, greedy and, where there is any, sampled."""
    pair = (pairs_of(report) or [Pair("before", "after")])[-1]
    table = Table(title="Before and after (95 % intervals)", title_justify="left")
    for heading in ("measure", pair.baseline, pair.system, "difference", "reading"):
        table.add_column(Text(heading), overflow="fold")
    for decoding, title in DECODINGS.items():
        rows = headline_rows(report, pair, decoding)
        if rows:
            table.add_row(Text(title, style="bold"))
        for row in rows:
            table.add_row(*(Text(cell) for cell in _terminal_cells(row)), _reading_text(row))
        table.add_section()
    return table


def markdown_table(report: Report) -> str:
    """The same rows as Markdown tables, one per decoding."""
    parts = []
    for decoding, title in DECODINGS.items():
        for pair in pairs_of(report):
            rows = headline_rows(report, pair, decoding)
            if rows:
                parts.append(_markdown(f"{title}: {pair.system} against {pair.baseline}", pair, rows))
    return "\n".join(parts)


def _markdown(title: str, pair: Pair, rows: list[HeadlineRow]) -> str:
    head = ("measure", pair.baseline, pair.system, "paired difference", "reading")
    lines = [f"**{_plain(title)}**", "", _line(head), _line(("---",) * len(head))]
    lines += [_line(_cells(row)) for row in rows]
    return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: names come from configuration files."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in "|`[]*\\" else c for c in text)


def _cells(row: HeadlineRow) -> tuple[str, ...]:
    name = f"{row.words.label} ({row.words.items})" if row.words.items else row.words.label
    return (name, _metric_cell(row.before), _metric_cell(row.after), _difference_cell(row.comparison), row.reading.text)


def _metric_cell(metric: Metric | None) -> str:
    if metric is None:
        return NOT_SCORED
    if metric.value is None:
        return f"{NOT_SCORED}; {counted(metric)}"
    return f"{percent(metric.value)} ({percent_interval(metric.low, metric.high)}; {counted(metric)})"


def _difference_cell(comparison: Comparison | None) -> str:
    if comparison is None:
        return NOT_COMPARED
    interval = points_interval(comparison.low, comparison.high)
    return f"{points(comparison.difference)} ({interval}; {p_value(comparison.p_value)})"


def _terminal_cells(row: HeadlineRow) -> tuple[str, ...]:
    """Two short lines per cell: a terminal is narrow."""
    counts = counted(row.before) if row.before else ""
    name = "\n".join(filter(None, (row.words.label, ", ".join(filter(None, (row.words.items, counts))))))
    compared = row.comparison is not None and row.comparison.difference is not None
    difference = points(row.comparison.difference) if row.comparison and compared else row.reading.text
    if row.comparison and compared:
        difference += "\n" + points_interval(row.comparison.low, row.comparison.high)
    return (name, _terminal_metric(row.before, counts), _terminal_metric(row.after, counts), difference)


def _terminal_metric(metric: Metric | None, counts: str) -> str:
    if metric is None:
        return NOT_SCORED
    interval = percent_interval(metric.low, metric.high) if metric.value is not None else ""
    own = counted(metric) if counted(metric) != counts else ""
    return "\n".join(filter(None, (percent(metric.value), interval, own)))


def _reading_text(row: HeadlineRow) -> Text:
    text = Text(row.reading.text, style=_STYLES[row.reading.kind])
    if row.comparison and row.comparison.p_value is not None:
        text.append("\n" + p_value(row.comparison.p_value), style="dim")
    return text
