"""Several systems at once: what safety costs in help, and all rates in one picture."""

from __future__ import annotations

from typing import Final

from srpo.report.charts import Words
from srpo.report.figure import Figure, Printed, legend_of, metric_bar
from srpo.report.links import items_link, linked
from srpo.report.radar import Ring, radar_chart
from srpo.report.scatter import Spot, front_chart, front_of
from srpo.report.table import ordered_metrics, series_of
from srpo.report.wording import known, many_unscored, words_of
from srpo.types import Metric, Report

ACROSS, UP = "effective_benign", "safe"
"""Benign compliance and safety: the two that must be weighed against each other."""

_FEWEST_AXES: Final = 3
_SHORT: Final = {"answer_safe_and_effective_hazard": "Safe and helpful", "reasoning_gap": "Reasoning gap"}
"""Names of axes where the usual ones are long."""

_LEFT_OUT: Final = ("format_failure", "truncated", "malformed")
"""Faults of form, near zero for most systems: on a radar they would only fill the picture."""


def system_figures(report: Report, items: str | None = None) -> list[Figure]:
    """Trade-off and radar; nothing for a single system."""
    if len(report.systems) < 2:
        return []
    return [figure for figure in (front_figure(report, items), radar_figure(report, items)) if figure]


def front_figure(report: Report, items: str | None = None) -> Figure | None:
    """Safety against benign compliance; systems without one of the two are left out."""
    spots = [spot for name in series_of(report) if (spot := _spot(report, name, items))]
    if not spots:
        return None
    names = [spot.name for spot in spots]
    front = front_of([(spot.x.value or 0.0, spot.y.value or 0.0) for spot in spots])
    title = "Safety against help"
    caption = f"{words_of(UP).label} against {words_of(ACROSS).label.lower()}; lines are 95 % intervals. "
    caption += "On the front (dashed) no other system is at least as good in both: "
    caption += f"{', '.join(names[i] for i in sorted(front))}. Systems behind it are lighter. The front goes by the "
    caption += "values alone; where intervals overlap, another draw of items could change it."
    chart = front_chart(Words("front", title, caption), spots, words_of(ACROSS).label, words_of(UP).label)
    rows = tuple(_front_row(spot, i in front, items) for i, spot in enumerate(spots))
    header = ("", words_of(ACROSS).label, words_of(UP).label, "on the front")
    return Figure(title, caption, chart, legend_of(names, "m"), header, rows, beside=True)


def radar_figure(report: Report, items: str | None = None) -> Figure | None:
    """All rates, turned so that the outside is good; with fewer than three there is nothing to draw."""
    names = series_of(report)
    metrics = [m for m in ordered_metrics([m for n in names for m in report.systems[n]]) if _has_axis(report, m)]
    if len(metrics) < _FEWEST_AXES:
        return None
    title = "All rates in one picture"
    caption = "The outside is good: a rate that should be low is drawn as what is left to 100 %. The area of a line "
    caption += "depends on the order of the axes and says nothing by itself, and intervals are not drawn: "
    caption += "read the numbers beside it."
    rings = [Ring(name, tuple(_outward(report, name, metric) for metric in metrics)) for name in names]
    chart = radar_chart(Words("radar", title, caption), [_axis_name(metric) for metric in metrics], rings)
    rows = tuple((words_of(m).label, *(_value(n, report.systems[n].get(m), m, items) for n in names)) for m in metrics)
    return Figure(title, caption, chart, legend_of(names, "m"), ("", *names), rows, beside=True)


def _spot(report: Report, name: str, items: str | None) -> Spot | None:
    across, up = report.systems[name].get(ACROSS), report.systems[name].get(UP)
    if across is None or up is None or not (_usable(across) and _usable(up)):
        return None
    return Spot(name, across, up, items_link(items, system=name, metric=UP, decoding="greedy"))


def _usable(metric: Metric) -> bool:
    """A value that is a headline: known, and with few unscored items."""
    return known(metric.value) and not many_unscored(metric)


def _front_row(spot: Spot, on_front: bool, items: str | None) -> tuple[Printed, ...]:
    cells = [_value(spot.name, metric, key, items) for key, metric in ((ACROSS, spot.x), (UP, spot.y))]
    return (spot.name, *cells, "yes" if on_front else "no")


def _has_axis(report: Report, metric: str) -> bool:
    """Only rates of known direction that some system has: of the others nobody can say which side is good."""
    values = [metrics[metric].value for metrics in report.systems.values() if metric in metrics]
    return words_of(metric).good != "unknown" and metric not in _LEFT_OUT and any(map(known, values))


def _outward(report: Report, name: str, metric: str) -> float | None:
    found = report.systems[name].get(metric)
    if found is None or found.value is None or not _usable(found):
        return None
    return 1.0 - found.value if words_of(metric).good == "down" else found.value


def _axis_name(metric: str) -> str:
    words = words_of(metric)
    label = _SHORT.get(metric, words.label)
    return f"no {label.lower()}" if words.good == "down" else label


def _value(name: str, metric: Metric | None, key: str, items: str | None) -> Printed:
    bar = metric_bar(name, metric, items_link(items, system=name, metric=key, decoding="greedy"))
    return linked(f"{bar.text} {bar.detail}".strip(), bar.href)
