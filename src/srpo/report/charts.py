"""Plots as inline SVG, from plain numbers.

Horizontal positions are percentages of the width and vertical ones are pixels, so a plot fits a phone and a
desk alike while its letters keep their size.  Colours are classes of the page's style sheet.  All words pass
through `Markup.format`, which escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from markupsafe import Markup

from srpo.report.wording import shorten

NAME, LEFT, RIGHT = 0.0, 16.0, 71.0
"""Columns of a bar or dot plot in percent: names, then the plot, then the printed values."""
LABEL, BAR, GAP, AXIS = 21, 19, 12, 24
"""Heights in pixels: the label of a group, a row, the space below a group, the axis."""
SERIES: Final = 8
"""Colours, hatches and marks of the style sheet; a ninth series begins again with the first."""
_HEIGHT, _TOP = 190, 10
_MOST_POINTS: Final = 300


class Bar(NamedTuple):
    """One bar: a value of none is printed in words and draws nothing; `detail` gives way where space is short."""

    name: str
    value: float | None
    text: str
    low: float | None = None
    high: float | None = None
    detail: str = ""
    href: str | None = None


class BarGroup(NamedTuple):
    """Bars of one label, one per series."""

    label: str
    bars: tuple[Bar, ...]


class Stack(NamedTuple):
    """One column of parts, with a marked value on the same axis."""

    label: str
    parts: tuple[int, ...]
    marked: int


class Line(NamedTuple):
    """A curve; points that are not finite leave a gap."""

    name: str
    points: tuple[tuple[float, float], ...]


class Words(NamedTuple):
    """What a plot says to those who do not see it; `key` makes its ids unique."""

    key: str
    title: str
    description: str


def bar_chart(
    words: Words, groups: Sequence[BarGroup], maximum: float = 1.0, ticks: Sequence[tuple[float, str]] = ()
) -> Markup:
    """Grouped horizontal bars with interval whiskers."""
    top, parts = 4, []
    for group in groups:
        parts.append(svg_text(NAME, top + 14, shorten(group.label, 52), "label"))
        top += LABEL
        for series, bar in enumerate(group.bars):
            parts.append(_bar(top, series, bar, maximum))
            top += BAR
        top += GAP
    grid = [_tick(share(value, maximum), top, text) for value, text in ticks]
    return svg(words, top + AXIS, [*grid, *parts])


def stacked_chart(words: Words, stacks: Sequence[Stack], classes: Sequence[str]) -> Markup:
    """Stacked columns, and a line through the marked values."""
    maximum = nice_maximum(max((max(sum(s.parts), s.marked) for s in stacks), default=0))
    pitch = 90.0 / max(len(stacks), 1)
    parts = _horizontal_grid(maximum, lambda value: f"{value:g}")
    dots = []
    for index, stack in enumerate(stacks):
        middle = 9.0 + pitch * (index + 0.5)
        parts.append(_column(stack, middle, 0.62 * pitch, maximum, classes))
        parts.append(svg_text(middle, _TOP + _HEIGHT + 18, stack.label, "tick", "middle"))
        dots.append((middle, _TOP + _HEIGHT * (1 - share(stack.marked, maximum))))
    parts += [
        Markup('<line class="marked" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>').format(*a, *b)
        for a, b in pairwise(dots)
    ]
    parts += [Markup('<circle class="marked" cx="{:.2f}%" cy="{:.1f}" r="4"/>').format(*dot) for dot in dots]
    return svg(words, _TOP + _HEIGHT + 26, parts)


def line_chart(
    words: Words,
    lines: Sequence[Line],
    maximum: float | None = None,
    as_percent: bool = False,
    across: str = "update",
) -> Markup:
    """Curves over training steps, or what `across` names; the vertical axis starts at 0."""
    points = [p for line in lines for p in line.points if _finite(p)]
    top = maximum or nice_maximum(max((y for _, y in points), default=0.0))
    first, last = min((x for x, _ in points), default=0.0), max((x for x, _ in points), default=1.0)
    parts = _horizontal_grid(top, (lambda v: f"{100 * v:.0f} %") if as_percent else (lambda v: f"{v:g}"))
    parts.append(svg_text(10.0, _TOP + _HEIGHT + 18, f"{first:g}", "tick", "start"))
    parts.append(svg_text(55.0, _TOP + _HEIGHT + 18, across, "tick", "middle"))
    parts.append(svg_text(99.0, _TOP + _HEIGHT + 18, f"{last:g}", "tick", "end"))
    curves = [_curve(i, piece, (first, last), top) for i, line in enumerate(lines) for piece in _pieces(line.points)]
    box = '<svg x="10%" y="{}" width="89%" height="{}" viewBox="0 0 1000 1000" preserveAspectRatio="none">{}</svg>'
    parts.append(Markup(box).format(_TOP, _HEIGHT, Markup("").join(curves)))
    return svg(words, _TOP + _HEIGHT + 26, parts)


def share(value: float, maximum: float) -> float:
    """Position on an axis from 0 to 1; what lies outside is drawn at the edge."""
    if maximum <= 0 or not math.isfinite(value):
        return 0.0
    return min(max(value / maximum, 0.0), 1.0)


def nice_maximum(value: float) -> float:
    """The next round number up: quarters of it are short to print."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next((m * unit for m in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8) if m * unit >= value), 10 * unit)


def svg(words: Words, height: float, parts: Iterable[Markup]) -> Markup:
    """An accessible, fluid SVG element of fixed height around escaped parts.

    With links inside it is a group: what is inside an image cannot be reached by a screen reader.
    """
    inside = Markup("").join(parts)
    return Markup(
        '<svg class="plot" role="{}" width="100%" height="{:.0f}" aria-labelledby="{key}-t {key}-d">'
        '<title id="{key}-t">{}</title><desc id="{key}-d">{}</desc>{}</svg>'
    ).format("group" if "<a " in inside else "img", height, words.title, words.description, inside, key=words.key)


def svg_text(x: float, y: float, text: str, css: str, anchor: str = "start") -> Markup:
    """Escaped words at x percent and y pixels."""
    return Markup('<text x="{:.2f}%" y="{:.1f}" class="{}" text-anchor="{}">{}</text>').format(x, y, css, anchor, text)


def row_words(y: float, bar: Bar) -> Markup:
    """The name of a row on the left and its value on the right, with a link to its items if there is one."""
    value = '<text x="100%" y="{:.1f}" class="value" text-anchor="end">{}<tspan class="detail">{}</tspan></text>'
    printed = Markup(value).format(y, bar.text, bar.detail and f" {bar.detail}")
    return svg_text(NAME, y, shorten(bar.name, 12), "name") + svg_link(printed, bar.href)


def svg_link(part: Markup, href: str | None) -> Markup:
    """A part that leads to items by mouse; the keyboard's way is the table of numbers below each plot."""
    return Markup('<a href="{}" tabindex="-1">{}</a>').format(href, part) if href else part


def _bar(top: float, series: int, bar: Bar, maximum: float) -> Markup:
    middle = top + BAR / 2
    parts = [row_words(middle + 4, bar)]
    if bar.value is not None and math.isfinite(bar.value):
        width = (RIGHT - LEFT) * share(bar.value, maximum)
        rect = '<rect class="s{}" x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{}" rx="2"/>'
        parts.append(Markup(rect).format(series % SERIES, LEFT, top + 2, width, BAR - 5))
        parts.append(_whisker(middle - 0.5, bar, maximum))
    return Markup("").join(parts)


def _whisker(y: float, bar: Bar, maximum: float) -> Markup:
    if bar.low is None or bar.high is None:
        return Markup("")
    low, high = (LEFT + (RIGHT - LEFT) * share(value, maximum) for value in (bar.low, bar.high))
    line = Markup('<line class="whisker" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>')
    spans = ((low, y, high, y), (low, y - 4, low, y + 4), (high, y - 4, high, y + 4))
    return Markup("").join(line.format(*span) for span in spans)


def _tick(position: float, height: float, text: str) -> Markup:
    x = LEFT + (RIGHT - LEFT) * position
    line = Markup('<line class="grid" x1="{:.2f}%" y1="22" x2="{:.2f}%" y2="{:.1f}"/>').format(x, x, height - 4)
    return line + svg_text(x, height + 12, text, "tick", "middle")


def _horizontal_grid(maximum: float, form: Callable[[float], str]) -> list[Markup]:
    parts = []
    for quarter in range(5):
        y = _TOP + _HEIGHT * (1 - quarter / 4)
        parts.append(Markup('<line class="grid" x1="9%" y1="{:.1f}" x2="100%" y2="{:.1f}"/>').format(y, y))
        parts.append(svg_text(8.0, y + 4, form(maximum * quarter / 4), "tick", "end"))
    return parts


def _column(stack: Stack, middle: float, width: float, maximum: float, classes: Sequence[str]) -> Markup:
    parts, below = [], 0
    for count, css in zip(stack.parts, classes, strict=True):
        height = _HEIGHT * share(count, maximum)
        top = _TOP + _HEIGHT * (1 - share(below + count, maximum))
        below += count
        rect = '<rect class="o-{}" x="{:.2f}%" y="{:.2f}" width="{:.2f}%" height="{:.2f}"><title>{} {}</title></rect>'
        if count > 0:
            parts.append(Markup(rect).format(css, middle - width / 2, top, width, height, count, css))
    return Markup("").join(parts)


def _pieces(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Runs of finite points, thinned to what a screen can show; the last point stays."""
    stride = max(1, math.ceil(len(points) / _MOST_POINTS))
    kept = [p for i, p in enumerate(points) if i % stride == 0 or i == len(points) - 1]
    runs: list[list[tuple[float, float]]] = [[]]
    for point in kept:
        if _finite(point):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _curve(series: int, points: Sequence[tuple[float, float]], span: tuple[float, float], maximum: float) -> Markup:
    first, last = span
    spots = ((share(x - first, (last - first) or 1.0), share(y, maximum)) for x, y in points)
    words = [f"{1000 * x:.1f},{1000 * (1 - y):.1f}" for x, y in spots]
    text = " ".join(words if len(words) > 1 else words * 2)  # a lone point still shows as a dot
    return Markup('<polyline class="c{}" points="{}"/>').format(series % 4, text)


def _finite(point: tuple[float, float]) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])
