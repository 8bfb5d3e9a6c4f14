"""Two rates against each other, and which systems no other beats in both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from markupsafe import Markup

from srpo.report.charts import Words, share, svg, svg_link, svg_text
from srpo.report.marks import mark
from srpo.report.wording import shorten
from srpo.types import Metric

_LEFT, _RIGHT, _TOP, _HEIGHT = 10.0, 97.0, 24, 270
_LINE: Final = 14
"""Least distance of two printed names in pixels."""
_TURN: Final = 0.75
"""From here on names stand on the left of their marks."""
_TICKS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


class Spot(NamedTuple):
    """One system: a rate along each axis."""

    name: str
    x: Metric
    y: Metric
    href: str | None = None


def front_of(points: Sequence[tuple[float, float]]) -> set[int]:
    """Indices of the points that no other point beats: at least as good in both, and better in one."""

    def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
        return a[0] >= b[0] and a[1] >= b[1] and a != b

    return {i for i, point in enumerate(points) if not any(beats(other, point) for other in points)}


def front_chart(words: Words, spots: Sequence[Spot], across: str, up: str) -> Markup:
    """Marks with intervals both ways, 0 to 1 on both axes; the front as steps, what it beats lighter.

    Both values of every spot must be known.
    """
    values = [(spot.x.value or 0.0, spot.y.value or 0.0) for spot in spots]
    front = front_of(values)
    parts = [*_axes(across, up), _steps([values[i] for i in front])]
    # Names first: where there is no room, a mark lies over a name and not the other way round.
    parts += [_name(spot, *place) for spot, place in zip(spots, _name_places(values), strict=True)]
    for series, (spot, value) in enumerate(zip(spots, values, strict=True)):
        faint = "" if series in front else "beaten"
        parts.append(_cross(spot, faint) + mark(_x(value[0]), _y(value[1]), series, faint))
    return svg(words, _TOP + _HEIGHT + 40, parts)


def _name(spot: Spot, x: float, y: float) -> Markup:
    right = (spot.x.value or 0.0) < _TURN
    name = svg_text(x + (1.4 if right else -1.4), y, shorten(spot.name, 16), "name halo", "start" if right else "end")
    return svg_link(name, spot.href)


def _x(value: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * share(value, 1.0)


def _y(value: float) -> float:
    return _TOP + _HEIGHT * (1 - share(value, 1.0))


def _axes(across: str, up: str) -> list[Markup]:
    line = Markup('<line class="grid" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>')
    parts = []
    for value in _TICKS:
        text = f"{100 * value:.0f} %"
        parts.append(
            line.format(_LEFT, _y(value), _RIGHT, _y(value)) + svg_text(8.5, _y(value) + 4, text, "tick", "end")
        )
        parts.append(line.format(_x(value), _TOP, _x(value), _TOP + _HEIGHT))
        parts.append(svg_text(_x(value), _TOP + _HEIGHT + 16, text, "tick", "middle"))
    parts.append(svg_text(0.0, 12, f"↑ {up}", "label"))
    return [*parts, svg_text(_RIGHT, _TOP + _HEIGHT + 34, f"{across} →", "label", "end")]


def _steps(front: Iterable[tuple[float, float]]) -> Markup:
    """The edge of what the front reaches: from the left rim over its corners down to the axis."""
    corners: list[tuple[float, float]] = []
    below = 0.0
    for x, y in sorted(set(front), reverse=True):
        corners += [(x, below), (x, y)]
        below = y
    corners.append((0.0, below))
    line = Markup('<line class="front" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>')
    places = [(_x(x), _y(y)) for x, y in corners]
    return Markup("").join(line.format(*a, *b) for a, b in pairwise(places) if a != b)


def _cross(spot: Spot, faint: str) -> Markup:
    line = Markup('<line class="whisker {}" x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}"/>')
    x, y = _x(spot.x.value or 0.0), _y(spot.y.value or 0.0)
    drawn = Markup("")
    if spot.x.low is not None and spot.x.high is not None:
        drawn += line.format(faint, _x(spot.x.low), y, _x(spot.x.high), y)
    if spot.y.low is not None and spot.y.high is not None:
        drawn += line.format(faint, x, _y(spot.y.low), x, _y(spot.y.high))
    return drawn


def _name_places(values: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where the names stand: above each mark, moved down where two would touch, and below the name of the axis."""
    order = sorted(range(len(values)), key=lambda i: _y(values[i][1]))
    places = [(0.0, 0.0)] * len(values)
    last = float("-inf")
    for index in order:
        last = max(_y(values[index][1]) - 7, last + _LINE, _TOP + 4)
        places[index] = (_x(values[index][0]), last)
    return places
