"""Comparisons as tables: compact for people, and with every digit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from srpo.comparing.lines import Line
from srpo.rates import MOST_UNSCORED, many_unscored
from srpo.tables import NUMBERS, Table, comparisons_table
from srpo.types import Comparison, Metric

DASH: Final = "\u2013"
DOWN: Final = "\u2193"


def tables_of(lines: Sequence[Line]) -> list[Table]:
    """One table per system and benchmark: percent, differences in points, a dash for what is not known."""
    return [_table(list(part)) for _, part in groupby(lines, lambda line: (line.comparison.system, line.benchmark))]


def csv_table(lines: Sequence[Line]) -> Table:
    """One row per line: the comparison, then the value of either side with its interval and counts, in 0..1."""
    plain = comparisons_table([line.comparison for line in lines])
    columns = tuple(f"{side}_{number}" for side in ("baseline", "system") for number in NUMBERS)
    rows = [
        (*row, line.judge, *(getattr(metric, number) for metric in (line.before, line.after) for number in NUMBERS))
        for row, line in zip(plain.rows, lines, strict=True)
    ]
    return Table(plain.name, plain.title, (*plain.columns, "judge", *columns), tuple(rows))


def _table(lines: Sequence[Line]) -> Table:
    first = lines[0]
    one = first.comparison
    what = f"{first.benchmark}, {one.decoding} decoding, judge {first.judge}"
    columns = ("rate", one.baseline, one.system, "difference [95 %]", "n", "p (Holm)", "detectable", "finding")
    title = f"{one.system} against {one.baseline}: {what}; percent, differences in points, {DOWN} lower is better"
    return Table("comparison", title, columns, tuple(_row(line) for line in lines))


def _row(line: Line) -> tuple[str, ...]:
    one = line.comparison
    return (
        line.label if line.good else f"{line.label} {DOWN}",
        _percent(line.before),
        _percent(line.after),
        _difference(one),
        f"{one.n}/{one.n + one.unscored}" if one.unscored else str(one.n),
        _p_value(one.p_adjusted),
        DASH if one.detectable is None else f"{100 * one.detectable:.1f}",
        _finding(one),
    )


def _percent(metric: Metric) -> str:
    return DASH if metric.value is None else f"{100 * metric.value:.1f}"


def _difference(one: Comparison) -> str:
    if one.difference is None:
        return DASH
    interval = "" if one.low is None or one.high is None else f" [{_points(one.low)}, {_points(one.high)}]"
    return f"{_points(one.difference)}{interval}"


def _points(share: float) -> str:
    text = f"{100 * share:+.1f}"
    return "0.0" if float(text) == 0 else text


def _p_value(p: float | None) -> str:
    return DASH if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _finding(one: Comparison) -> str:
    if one.finding != "not compared":
        return str(one.finding)
    if one.difference is None:
        return "not compared: nothing scored"
    if many_unscored(one.n, one.unscored):
        return f"not compared: over {100 * MOST_UNSCORED:.0f} % unscored"
    return "not compared: no exact test, see the interval"
