"""The headline table: one list of rows, shown in the terminal, in Markdown and on the page."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from rich.table import Table
from rich.text import Text

from srpo.rates import HEADLINE, RATES
from srpo.report.wording import (
    DASH,
    METRICS,
    NOT_COMPARED,
    NOT_SCORED,
    MetricWords,
    Reading,
    counted,
    known,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
    read_comparison,
    shorten,
    words_of,
)
from srpo.types import Comparison, Metric, Report

Decoding = Literal["greedy", "sampled"]
DECODINGS: Final[dict[Decoding, str]] = {"greedy": "Greedy decoding", "sampled": "Sampled, temperature 1"}
_SECTIONS: Final[dict[Decoding, str]] = {"greedy": "Greedy decoding", "sampled": "Sampled, T = 1"}
SIGNS: Final = {"better": "▲", "worse": "▼", "changed": "↕", "same": "≈", "unknown": ""}
"""What a comparison says, where there is no room for words."""

RSBENCH: Final = "rsbench"
_TERMINAL: Final = 80
_WIDTHS: Final = (24, 19, 19, 22, 11)
_LABELS: Final = {
    "safe_and_effective": "Safe, effective",
    "answer_safe_and_effective_hazard": "Safe & helpful",
    "path_effective": "Sound reasoning",
    "reasoning_gap": "Reasoning gap",
}
"""Labels for the terminal where the usual ones are long."""

_STYLES: Final = {"better": "green", "worse": "red", "changed": "cyan", "same": "dim", "unknown": "dim"}


class Pair(NamedTuple):
    """The two systems of a before/after view; one system beside itself, if there is no other."""

    baseline: str
    system: str

    @property
    def alone(self) -> bool:
        return self.baseline == self.system


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


def series_of(report: Report) -> list[str]:
    """Systems in the order of their colours: the baseline, then the others."""
    pairs = pairs_of(report)
    return [pairs[0].baseline, *(pair.system for pair in pairs)] if pairs else list(report.systems)


def views_of(report: Report) -> list[Pair]:
    """What tables show: the pairs, or the only system alone."""
    return pairs_of(report) or [Pair(name, name) for name in report.systems]


def headline_rows(report: Report, pair: Pair, decoding: Decoding) -> list[HeadlineRow]:
    """Rows of two systems under one decoding, known measures first."""
    systems = report.systems if decoding == "greedy" else report.sampled
    before, after = systems.get(pair.baseline, {}), systems.get(pair.system, {})
    own = [c for c in report.comparisons if c.benchmark == RSBENCH]
    found = {c.metric: c for c in own if (c.baseline, c.system, c.decoding) == (*pair, decoding)}
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
    """Before and after for the terminal, greedy and, where there is any, sampled: one line per measure.

    Percentages with 95 % intervals, differences in points.  It fits into 80 columns; details are on the page.  More
    than two systems are shown by their values, with a sign for what the comparison with the first one says.
    """
    pairs = views_of(report)
    if len(pairs) > 1:
        return _wide_table(report, pairs)
    pair = (pairs or [Pair("before", "after")])[-1]
    if pair.alone:
        return _alone_table(report, pair)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left", title_style="bold")
    table.title = "Percent [95 % interval], change in points"
    trained = bool(report.training)
    names = (f"before: {pair.baseline}", f"after: {pair.system}") if trained else pair
    headings = ("metric", *names, "change", "n")
    for heading, width in zip(headings, _WIDTHS, strict=True):
        table.add_column(Text(heading), no_wrap=True, overflow="ellipsis", max_width=width)
    for decoding, title in _SECTIONS.items():
        rows = _short_rows(report, pair, decoding)
        if rows:
            table.add_row(Text(title, style="bold"))
        for row in rows:
            change = Text(_terminal_change(row.comparison), style=_STYLES[row.reading.kind])
            cells = (_terminal_value(row.before), _terminal_value(row.after))
            table.add_row(Text(_terminal_label(row)), *map(Text, cells), change, Text(_terminal_count(row)))
    return table


def _short_rows(report: Report, pair: Pair, decoding: Decoding) -> list[HeadlineRow]:
    """The rows that a terminal has room for; the page has them all."""
    left_out = RATES.keys() - {*HEADLINE, "format_failure"}
    return [row for row in headline_rows(report, pair, decoding) if row.metric not in left_out]


def _wide_table(report: Report, pairs: list[Pair]) -> Table:
    names = [pairs[0].baseline, *(pair.system for pair in pairs)]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left", title_style="bold")
    table.title = Text(f"Percent; {_signs(names[0])}")
    widths = [_WIDTHS[0], *[max(6, (_TERMINAL - _WIDTHS[0] - len(names)) // len(names))] * len(names)]
    for heading, width in zip(("metric", *names), widths, strict=True):
        table.add_column(Text(heading), no_wrap=True, overflow="ellipsis", width=width)
    for decoding, title in _SECTIONS.items():
        rows = [{row.metric: row for row in _short_rows(report, pair, decoding)} for pair in pairs]
        metrics = ordered_metrics([metric for by_metric in rows for metric in by_metric])
        if metrics:
            table.add_row(Text(title, style="bold"))
        for metric in metrics:
            found = [by_metric.get(metric) for by_metric in rows]
            first = next(row for row in found if row)
            table.add_row(Text(_terminal_label(first)), Text(_bare_value(first.before)), *map(_signed_value, found))
    return table


def _signs(baseline: str) -> str:
    words = {"better": "better", "worse": "worse", "same": "no evidence"}
    return f"against {shorten(baseline, 16)}: " + ", ".join(f"{SIGNS[kind]} {text}" for kind, text in words.items())


def _signed_value(row: HeadlineRow | None) -> Text:
    if row is None:
        return Text(DASH)
    return Text(f"{_bare_value(row.after)} {SIGNS[row.reading.kind]}".strip(), style=_STYLES[row.reading.kind])


def _bare_value(metric: Metric | None) -> str:
    return DASH if metric is None or not known(metric.value) else _bare(percent(metric.value).removesuffix(" %"))


def _alone_table(report: Report, pair: Pair) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left", title_style="bold")
    table.title = "Percent [95 % interval]"
    for heading, width in zip(("metric", pair.system, "n"), (_WIDTHS[0], _WIDTHS[1], _WIDTHS[-1]), strict=True):
        table.add_column(Text(heading), no_wrap=True, overflow="ellipsis", max_width=width)
    for decoding, title in _SECTIONS.items():
        rows = _short_rows(report, pair, decoding)
        if rows:
            table.add_row(Text(title, style="bold"))
        for row in rows:
            table.add_row(*map(Text, (_terminal_label(row), _terminal_value(row.after), _terminal_count(row))))
    return table


def markdown_table(report: Report) -> str:
    """The same rows as Markdown tables, one per decoding."""
    parts = []
    for decoding, title in DECODINGS.items():
        for pair in views_of(report):
            rows = headline_rows(report, pair, decoding)
            against = "" if pair.alone else f" against {pair.baseline}"
            if rows:
                parts.append(_markdown(f"{title}: {pair.system}{against}", pair, rows))
    return "\n".join(parts)


def _markdown(title: str, pair: Pair, rows: list[HeadlineRow]) -> str:
    head = ("measure", pair.baseline, pair.system, "paired difference", "reading")
    width = 2 if pair.alone else len(head)
    lines = [f"**{_plain(title)}**", "", _line(head[:width]), _line(("---",) * width)]
    lines += [_line(_cells(row)[:width]) for row in rows]
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
    return f"{points(comparison.difference)} ({interval}; {p_value(comparison.p_value, comparison.p_adjusted)})"


def _terminal_label(row: HeadlineRow) -> str:
    return _LABELS.get(row.metric, row.words.label) + (" \u2193" if row.words.good == "down" else "")


def _terminal_value(metric: Metric | None) -> str:
    if metric is None or not known(metric.value):
        return DASH
    value = percent(metric.value).removesuffix(" %")
    return _bare(value) + _terminal_interval(metric.low, metric.high, "")


def _terminal_change(comparison: Comparison | None) -> str:
    if comparison is None or comparison.difference is None or not known(comparison.difference):
        return DASH
    return _bare(f"{100 * comparison.difference:+.1f}") + _terminal_interval(comparison.low, comparison.high, "+")


def _terminal_interval(low: float | None, high: float | None, sign: str) -> str:
    if low is None or high is None:
        return ""
    return f" [{_bare(f'{100 * low:{sign}.1f}')}, {_bare(f'{100 * high:{sign}.1f}')}]"


def _terminal_count(row: HeadlineRow) -> str:
    """Items scored on both sides, `of` all where some are not scored."""
    counted_by = row.comparison or row.before or row.after
    if counted_by is None:
        return DASH
    total = counted_by.n + counted_by.unscored
    return f"{counted_by.n}/{total}" if counted_by.unscored else f"{total}"


def _bare(number: str) -> str:
    """A number without what takes room and says nothing: `100.0` is `100`, `-0.0` is `0`."""
    text = number.removesuffix(".0") if number.lstrip("+-") in ("100.0", "0.0") else number
    return "0" if text in ("+0", "-0") else text
