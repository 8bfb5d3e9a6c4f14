"""Shapes that tell series apart where colour cannot."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from srpo.report.charts import SERIES

_SHAPES: Final = (
    "M0 -5a5 5 0 1 1 -.01 0z",
    "M-4.5 -4.5h9v9h-9z",
    "M0 -6l5.6 10h-11.2z",
    "M0 -6l6 6l-6 6l-6 -6z",
    "M0 6l5.6 -10h-11.2z",
    "M-2 -6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "M0 -6l5.7 4.1l-2.2 6.7h-7l-2.2 -6.7z",
    "M-5.5 -3l2.5 -2.5l3 3l3 -3l2.5 2.5l-3 3l3 3l-2.5 2.5l-3 -3l-3 3l-2.5 -2.5l3 -3z",
)
"""Circle, square, triangle, diamond, triangle on its tip, plus, pentagon, cross; pixels around the origin."""

assert len(_SHAPES) == SERIES


def shape(series: int) -> str:
    """Path of the mark of a series, about 12 pixels wide around the origin."""
    return _SHAPES[series % SERIES]


def mark(x: float, y: float, series: int, css: str = "") -> Markup:
    """The mark of a series at x percent and y pixels."""
    box = '<svg class="mark {}" x="{:.2f}%" y="{:.1f}" width="1" height="1" overflow="visible">{}</svg>'
    path = Markup('<path class="s{}" d="{}"/>').format(series % SERIES, shape(series))
    return Markup(box).format(css, x, y, path)
