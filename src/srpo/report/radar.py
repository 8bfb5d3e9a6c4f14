"""Several rates of several systems as closed lines around a centre.

Area and shape of such a line depend on the order of the axes, so it only gives a first impression; the values
stand in a table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import Final, NamedTuple

from markupsafe import Markup

from srpo.report.charts import SERIES, Words, share, svg
from srpo.report.marks import shape
from srpo.report.wording import known

_WIDTH, _HEIGHT, _RADIUS = 380.0, 310.0, 100.0
_LABEL: Final = 14.0
_LINE: Final = 13.0
_LONGEST: Final = 12


class Ring(NamedTuple):
    """One system: a share per axis, the outside being good; none where it is not known."""

    name: str
    values: tuple[float | None, ...]


def radar_chart(words: Words, axes: Sequence[str], rings: Sequence[Ring]) -> Markup:
    """One spoke per axis, 0 in the centre and 1 on the rim; an unknown value leaves a gap in the line."""
    parts = [_grid(len(axes), part) for part in (0.25, 0.5, 0.75, 1.0)]
    parts += [_spoke(i, len(axes), name) for i, name in enumerate(axes)]
    parts += [part for series, ring in enumerate(rings) for part in _ring(series, ring)]
    box = Markup('<svg class="radar" width="100%" height="{:.0f}" viewBox="0 0 {:.0f} {:.0f}">{}</svg>')
    return svg(words, _HEIGHT, [box.format(_HEIGHT, _WIDTH, _HEIGHT, Markup("").join(parts))])


def spot(axis: int, axes: int, value: float) -> tuple[float, float]:
    """Place of a share on an axis; the first axis points up and the others follow clockwise."""
    angle = 2 * math.pi * axis / axes - math.pi / 2
    reach = _RADIUS * value
    return _WIDTH / 2 + reach * math.cos(angle), _HEIGHT / 2 + reach * math.sin(angle)


def _grid(axes: int, value: float) -> Markup:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (spot(i, axes, value) for i in range(axes)))
    return Markup('<polygon class="net" points="{}"/>').format(points)


def _spoke(axis: int, axes: int, name: str) -> Markup:
    (x0, y0), (x1, y1) = spot(axis, axes, 0.0), spot(axis, axes, 1.0)
    tx, ty = spot(axis, axes, 1.0 + _LABEL / _RADIUS)
    anchor = "middle" if abs(tx - _WIDTH / 2) < _LABEL else "start" if tx > _WIDTH / 2 else "end"
    line = Markup('<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(x0, y0, x1, y1)
    lines = wrap(name, _LONGEST) or [name]
    lift = len(lines) - 1 if ty < _HEIGHT / 2 - _RADIUS else 0 if ty > _HEIGHT / 2 + _RADIUS else (len(lines) - 1) / 2
    text = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    drawn = [text.format(tx, ty + 4 + (i - lift) * _LINE, anchor, line) for i, line in enumerate(lines)]
    return line + Markup("").join(drawn)


def _ring(series: int, ring: Ring) -> list[Markup]:
    """Lines between neighbours that are both known, and a mark at each known value."""
    number, css = len(ring.values), series % SERIES
    spots = [spot(i, number, share(v, 1.0)) if v is not None and known(v) else None for i, v in enumerate(ring.values)]
    line = Markup('<line class="r{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    sides = zip(spots, [*spots[1:], *spots[:1]], strict=True)
    drawn = [line.format(css, *a, *b) for a, b in sides if a and b]
    dot = Markup('<path class="s{}" transform="translate({:.1f} {:.1f})" d="{}"/>')
    return drawn + [dot.format(css, *place, shape(series)) for place in spots if place]
