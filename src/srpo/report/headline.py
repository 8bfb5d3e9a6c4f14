"""The headline tables of the page: two systems side by side, or one column per system."""

from __future__ import annotations

from typing import NamedTuple

from srpo.report.figure import Figure, Printed
from srpo.report.figures import overview_figure
from srpo.report.links import items_link, linked
from srpo.report.table import DECODINGS, Decoding, HeadlineRow, Pair, headline_rows, views_of
from srpo.report.wording import (
    NOT_COMPARED,
    NOT_SCORED,
    Reading,
    bounds,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
    typeset,
)
from srpo.types import Comparison, Metric, Report


class MetricCell(NamedTuple):
    """A value with all that is needed to trust it, ready to print."""

    value: Printed
    interval: str
    counts: str
    unscored: Printed | None
    bounds: str | None


class DifferenceCell(NamedTuple):
    """A paired difference, ready to print, with the items that make it."""

    value: str
    interval: str
    p: str
    fixed: Printed | None = None
    broken: Printed | None = None
    detectable: str | None = None


class RowView(NamedTuple):
    """One line of a table of two systems."""

    label: str
    items: str
    before: MetricCell
    after: MetricCell
    difference: DifferenceCell
    reading: Reading


class SystemCell(NamedTuple):
    """One system's place in a line of the wide table; the first system has no difference."""

    name: str
    metric: MetricCell
    difference: DifferenceCell | None
    reading: Reading | None


class WideRow(NamedTuple):
    """One line of the wide table."""

    label: str
    items: str
    cells: tuple[SystemCell, ...]


class TablePanel(NamedTuple):
    """Two systems side by side, or one alone."""

    pair: Pair
    rows: tuple[RowView, ...]


class WidePanel(NamedTuple):
    """One column per system, the baseline first."""

    names: tuple[str, ...]
    rows: tuple[WideRow, ...]


class DecodingPanel(NamedTuple):
    """Table and plot of one way of decoding; exactly one of the two tables is there."""

    key: Decoding
    title: str
    table: TablePanel | None
    wide: WidePanel | None
    figure: Figure | None


def panels(report: Report, items: str | None = None) -> list[DecodingPanel]:
    """One panel per way of decoding that has results."""
    return [panel for key in DECODINGS if (panel := _panel(report, key, items))]


def _panel(report: Report, decoding: Decoding, items: str | None) -> DecodingPanel | None:
    pairs = views_of(report)
    lines = [headline_rows(report, pair, decoding) for pair in pairs]
    if not any(lines):
        return None
    table = wide = None
    if len(pairs) == 1:
        table = TablePanel(pairs[0], tuple(_row(row, pairs[0], decoding, items) for row in lines[0]))
    else:
        wide = _wide(pairs, lines, decoding, items)
    return DecodingPanel(decoding, DECODINGS[decoding], table, wide, overview_figure(report, decoding, items))


def _row(row: HeadlineRow, pair: Pair, decoding: Decoding, items: str | None) -> RowView:
    before = _metric_cell(row.before, pair.baseline, row.metric, decoding, items)
    after = _metric_cell(row.after, pair.system, row.metric, decoding, items)
    difference = _difference_cell(row.comparison, items)
    return RowView(row.words.label, row.words.items, before, after, difference, row.reading)


def _wide(pairs: list[Pair], lines: list[list[HeadlineRow]], decoding: Decoding, items: str | None) -> WidePanel:
    """The rows of all pairs by measure; a measure that one pair lacks is not scored there."""
    by_pair = [{row.metric: row for row in rows} for rows in lines]
    measures = {row.metric: row for rows in lines for row in rows}
    names = (pairs[0].baseline, *(pair.system for pair in pairs))
    rows = []
    for metric, any_row in measures.items():
        before = _metric_cell(any_row.before, names[0], metric, decoding, items)
        cells = [SystemCell(names[0], before, None, None)]
        cells += [
            _system_cell(pair, found.get(metric), metric, decoding, items)
            for pair, found in zip(pairs, by_pair, strict=True)
        ]
        rows.append(WideRow(any_row.words.label, any_row.words.items, tuple(cells)))
    return WidePanel(names, tuple(rows))


def _system_cell(pair: Pair, row: HeadlineRow | None, metric: str, decoding: Decoding, items: str | None) -> SystemCell:
    if row is None:
        return SystemCell(pair.system, _metric_cell(None, pair.system, metric, decoding, items), None, None)
    cell = _metric_cell(row.after, pair.system, metric, decoding, items)
    return SystemCell(pair.system, cell, _difference_cell(row.comparison, items), row.reading)


def _metric_cell(metric: Metric | None, system: str, name: str, decoding: Decoding, items: str | None) -> MetricCell:
    if metric is None:
        return MetricCell(NOT_SCORED, "", "", None, None)
    edges = bounds(metric)
    href = items_link(items, system=system, metric=name, decoding=decoding)
    rest = items_link(items, system=system, metric=name, decoding=decoding, value="unscored")
    return MetricCell(
        value=linked(typeset(percent(metric.value)), href if metric.value is not None else None),
        interval=typeset(percent_interval(metric.low, metric.high)) if metric.value is not None else "",
        counts=f"n = {metric.n}",
        unscored=linked(f"{metric.unscored} unscored", rest) if metric.unscored else None,
        bounds=typeset(edges) if edges else None,
    )


def _difference_cell(comparison: Comparison | None, items: str | None) -> DifferenceCell:
    if comparison is None or comparison.difference is None:
        return DifferenceCell(NOT_COMPARED if comparison is None else NOT_SCORED, "", "")
    return DifferenceCell(
        value=typeset(points(comparison.difference)),
        interval=typeset(points_interval(comparison.low, comparison.high)),
        p=p_value(comparison.p_value, comparison.p_adjusted),
        fixed=_changed(comparison, "fixed", comparison.only_system, items),
        broken=_changed(comparison, "broken", comparison.only_baseline, items),
        detectable=_detectable(comparison),
    )


def _changed(comparison: Comparison, change: str, count: int, items: str | None) -> Printed:
    one = comparison
    keys = {"system": one.system, "baseline": one.baseline, "metric": one.metric, "decoding": one.decoding}
    return linked(f"{count} {change}", items_link(items, **keys, change=change) if count else None)


def _detectable(comparison: Comparison) -> str | None:
    if comparison.detectable is None:
        return None
    return typeset(f"detectable: {100 * comparison.detectable:.1f} points")
