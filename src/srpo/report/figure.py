"""What a plot on the page is made of: words, legend, drawing, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from srpo.report.charts import SERIES, Bar, BarGroup, Words, bar_chart
from srpo.report.dots import SHARES, Axis, axis_of_changes, dot_chart
from srpo.report.links import Linked, items_link, linked
from srpo.report.wording import DASH, NOT_COMPARED, NOT_SCORED, bounds, known, many_unscored, percent, points
from srpo.types import Metric

PERCENT_TICKS: Final = ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %"))
_NARROW: Final = 0.03
"""Intervals below this width are printed with one more digit."""

Printed = str | Linked


class Figure(NamedTuple):
    """A plot with its words, its legend (style class and words) and the numbers behind it."""

    title: str
    caption: str
    svg: Markup
    legend: tuple[tuple[str, str], ...]
    header: tuple[str, ...]
    rows: tuple[tuple[Printed, ...], ...]
    beside: bool = False
    """Whether the table of numbers stands beside the plot, shown without being asked for."""


def metric_bar(name: str, metric: Metric | None, href: str | None = None) -> Bar:
    """A share with its interval, ready to draw; one with too many unscored items only prints its bounds."""
    if metric is None or metric.value is None or not known(metric.value):
        return Bar(name, None, NOT_SCORED, href=href)
    if many_unscored(metric) and (edges := bounds(metric)):
        return Bar(name, None, edges, detail="(bounds)", href=href)
    return Bar(name, metric.value, percent(metric.value), metric.low, metric.high, _detail(metric), href)


def change_bar(name: str, metric: Metric | None, href: str | None = None) -> Bar:
    """A difference of two shares with its interval, ready to draw."""
    if metric is None or metric.value is None or not known(metric.value):
        return Bar(name, None, NOT_SCORED, href=href)
    if many_unscored(metric):
        return Bar(name, None, f"{NOT_COMPARED}: {metric.unscored} of {metric.n + metric.unscored} unscored", href=href)
    text = points(metric.value).removesuffix(" points")
    return Bar(name, metric.value, text, metric.low, metric.high, _detail(metric, signed=True), href)


def group_of(
    label: str, metrics: Mapping[str, Metric | None], items: str | None = None, **keys: str | None
) -> BarGroup:
    """One row per system; `keys` say which items stand behind the numbers (`items_link`)."""
    return BarGroup(label, tuple(metric_bar(n, m, items_link(items, system=n, **keys)) for n, m in metrics.items()))


def bars_figure(key: str, title: str, caption: str, names: Sequence[str], groups: Sequence[BarGroup]) -> Figure | None:
    """Rates as bars; none if there is nothing to draw."""
    if not groups or not names:
        return None
    chart = bar_chart(Words(key, title, caption), groups, 1.0, PERCENT_TICKS)
    return Figure(title, caption, chart, legend_of(names), ("", *names), rows_of(groups))


def dots_figure(
    key: str, title: str, caption: str, names: Sequence[str], groups: Sequence[BarGroup], axis: Axis = SHARES
) -> Figure | None:
    """Rates as marks with intervals; none if nothing is known."""
    shown = [group for group in groups if any(bar.value is not None for bar in group.bars)]
    if not shown or not names:
        return None
    chart = dot_chart(Words(key, title, caption), shown, axis)
    return Figure(title, caption, chart, legend_of(names, "m"), ("", *names), rows_of(shown))


def changes_figure(
    key: str, title: str, caption: str, names: Sequence[str], groups: Sequence[BarGroup]
) -> Figure | None:
    """Differences as marks around zero; none if nothing is known."""
    axis = axis_of_changes([bar for group in groups for bar in group.bars])
    return dots_figure(key, title, caption, names, groups, axis)


def rows_of(groups: Iterable[BarGroup]) -> tuple[tuple[Printed, ...], ...]:
    """The numbers of a plot, one line per group, each with its items."""
    return tuple(
        (group.label, *(linked(f"{bar.text} {bar.detail}".strip(), bar.href) for bar in group.bars)) for group in groups
    )


def legend_of(names: Iterable[str], kind: str = "s") -> tuple[tuple[str, str], ...]:
    """Style class and words of each series: `s` for colours, `m` for marks."""
    return tuple((f"{kind}{i % SERIES}", name) for i, name in enumerate(names))


def _detail(metric: Metric, *, signed: bool = False) -> str:
    if metric.low is None or metric.high is None:
        return ""
    if signed:
        return f"({100 * metric.low:+.0f} to {100 * metric.high:+.0f})"
    digits = 1 if metric.high - metric.low < _NARROW else 0
    return f"({100 * metric.low:.{digits}f}{DASH}{100 * metric.high:.{digits}f})"
