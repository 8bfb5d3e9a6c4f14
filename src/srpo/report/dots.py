"""Forest plots: one row per value, a mark with its interval on a common axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from srpo.report.charts import (
    AXIS,
    BAR,
    GAP,
    LABEL,
    LEFT,
    NAME,
    RIGHT,
    Bar,
    BarGroup,
    Words,
    nice_maximum,
    row_words,
    share,
    svg,
    svg_text,
)
from srpo.report.marks import mark
from srpo.report.wording import MINUS, known, shorten


class Axis(NamedTuple):
    """Ends of an axis and what is printed along it."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Position in percent of the plot's width; what lies outside is drawn at the edge."""
        return LEFT + (RIGHT - LEFT) * share(value - self.low, self.high - self.low)


SHARES: Final = Axis(0.0, 1.0, ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")))
"""Axis of rates."""


def axis_of_changes(bars: Sequence[Bar]) -> Axis:
    """A symmetric axis in points around zero, wide enough for all values and intervals."""
    found = [abs(value) for bar in bars for value in (bar.value, bar.low, bar.high) if value is not None]
    top = min(nice_maximum(max(found, default=0.1)), 1.0)
    words = f"{100 * top:g}"
    room = 1.2 * top  # the words beside the plot must not meet a mark at its end
    return Axis(-room, room, ((-top, f"{MINUS}{words}"), (0.0, "0"), (top, f"+{words} points")))


def dot_chart(words: Words, groups: Sequence[BarGroup], axis: Axis = SHARES) -> Markup:
    """Rows of marks with intervals; the shape and colour of a mark belong to its place within the group.

    An interval that runs over the end of the axis is cut there.  A value of none prints its words and no mark.
    """
    top, parts = 4, []
    for group in groups:
        parts.append(svg_text(NAME, top + 14, shorten(group.label, 52), "label"))
        top += LABEL
        for series, bar in enumerate(group.bars):
            parts.append(_row(top + BAR / 2, series, bar, axis))
            top += BAR
        top += GAP
    grid = [_line(axis, value, top, text) for value, text in axis.ticks]
    return svg(words, top + AXIS, [*grid, *parts])


def _row(y: float, series: int, bar: Bar, axis: Axis) -> Markup:
    words = row_words(y + 4, bar)
    if bar.value is None or not known(bar.value):
        return words
    return words + _interval(y, bar, axis) + mark(axis.place(bar.value), y, series)


def _interval(y: float, bar: Bar, axis: Axis) -> Markup:
    if bar.low is None or bar.high is None:
        return Markup("")
    line = '<line class="whisker" x1="{:.2f}%" y1="{y:.1f}" x2="{:.2f}%" y2="{y:.1f}"/>'
    return Markup(line).format(axis.place(bar.low), axis.place(bar.high), y=y)


def _line(axis: Axis, value: float, height: float, text: str) -> Markup:
    css = "grid zero" if value == 0.0 and axis.low < 0 else "grid"
    line = Markup('<line class="{}" x1="{x:.2f}%" y1="22" x2="{x:.2f}%" y2="{:.1f}"/>')
    drawn = line.format(css, height - 4, x=axis.place(value))
    return drawn + svg_text(axis.place(value), height + 12, text, "tick", "middle")
