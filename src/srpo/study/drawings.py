"""Figures of the study as files of their own, drawn by the charts of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Final

from markupsafe import Markup

from srpo.report.charts import Bar, BarGroup, Line, Words, line_chart
from srpo.report.dots import dot_chart
from srpo.study.ablations import curves
from srpo.study.analysis import View, rate_of
from srpo.study.read import DECODINGS, HEADLINE, Read
from srpo.study.results import Finished

_WIDTH: Final = 760
_STYLE: Final = """<style>
.plot { font: 12px sans-serif; background: #fff; overflow: visible }
.plot text { fill: #1a1a1a } .plot .label { font-weight: 600 } .plot .name, .plot .tick { fill: #555 }
.plot .grid { stroke: #ddd } .plot line.whisker, .plot .whisker { stroke: #1a1a1a; stroke-width: 1.5 }
.s0 { fill: #0072b2; stroke: #0072b2 } .s1 { fill: #d55e00; stroke: #d55e00 }
.c0, .c1, .c2, .c3 { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke }
.c0 { stroke: #d55e00 } .c1 { stroke: #0072b2; stroke-dasharray: 6 4 } .c2 { stroke: #009e73; stroke-dasharray: 1 5 }
.c3 { stroke: #000 }
</style>"""
_STROKES: Final = ("orange, solid", "blue, dashed", "green, dotted", "black, solid")


def all_drawings(read: Read) -> Mapping[str, str]:
    """Name of a file -> SVG; only of what is computed."""
    found: dict[str, str] = {}
    if read.methods:
        found["methods.svg"] = _alone(_methods(read))
    lines = curves(read)
    if any(len(points) > 1 for points in lines.values()):
        for decoding in DECODINGS:
            found[f"updates-{decoding}.svg"] = _alone(_curve(read, decoding, "updates", lambda run: run.cost.updates))
            found[f"tokens-{decoding}.svg"] = _alone(_curve(read, decoding, "thousand tokens trained", _thousands))
    return found


def strokes(names: Sequence[str]) -> str:
    """Which line is which, in words."""
    return "; ".join(f"{name}: {stroke}" for name, stroke in zip(names, _STROKES, strict=False))


def _methods(read: Read) -> Markup:
    split = read.study.splits[0]
    groups = []
    for name, runs in read.on_first.items():
        bars = []
        for decoding in DECODINGS:
            rate = rate_of(runs, read.items, View(split, decoding, HEADLINE))
            value, interval = (rate.value, rate.interval) if rate else (None, None)
            text = "not measured" if value is None else f"{100 * value:.1f} %"
            bars.append(Bar(decoding, value, text, *(interval or (None, None))))
        groups.append(BarGroup(read.study.methods[name].label, tuple(bars)))
    how = f"with 95 % intervals by rule{read.first_alone}, greedy and at temperature 1"
    words = f"All four replies right on {split}, {how}."
    return dot_chart(Words("methods", "Methods", words), groups)


def _thousands(run: Finished) -> float:
    return round(run.cost.trained_tokens / 1000)


def _curve(read: Read, decoding: str, across: str, place: Callable[[Finished], float]) -> Markup:
    split, lines = read.study.splits[0], []
    for name, points in curves(read).items():
        view = View(split, decoding, HEADLINE)
        rates = [(fmean(map(place, runs)), rate_of(runs, read.items, view)) for runs in points.values()]
        dots = tuple((where, rate.value) for where, rate in rates if rate is not None)
        lines.append(Line(read.study.methods[name].label, dots))
    words = Words(decoding, DECODINGS[decoding], f"All four replies right on {split} over {across}.")
    return line_chart(words, lines, maximum=1.0, as_percent=True, across=across)


def _alone(plot: Markup) -> str:
    """A plot of a page as a file: with its name space, a width, and the styles that the page would give it."""
    text = str(plot).replace('width="100%"', f'xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}"', 1)
    end = text.index(">") + 1
    return f"{text[:end]}{_STYLE}{text[end:]}\n"
