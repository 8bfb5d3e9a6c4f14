"""Many runs on one page: a table and a plot per block of rows that may be ranked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from markupsafe import Markup

from srpo.rates import LeaderboardRow
from srpo.report.charts import BarGroup
from srpo.report.figure import Figure, dots_figure, metric_bar
from srpo.report.shell import content_policy, environment, show_hidden, style_sheet
from srpo.report.table import ordered_metrics
from srpo.report.wording import (
    NOT_SCORED,
    bounds,
    counted,
    many_unscored,
    percent,
    percent_interval,
    shorten,
    typeset,
    words_of,
)
from srpo.types import Metric

_DIGEST: Final = 24
"""Characters that are shown of the digest of items."""


class Value(NamedTuple):
    """One rate of one row; a rate with too many unscored items shows its bounds and has no rank."""

    text: str
    interval: str
    counts: str
    flawed: bool


class RowView(NamedTuple):
    """One system of one run."""

    place: str
    run: str
    system: str
    seed: int
    values: tuple[Value, ...]


class Block(NamedTuple):
    """Rows with the same benchmark, protocol, judge, decoding and items, best first."""

    title: str
    facts: tuple[tuple[str, str], ...]
    header: tuple[tuple[str, str], ...]
    rows: tuple[RowView, ...]
    figure: Figure | None


def render_leaderboard(rows: Sequence[LeaderboardRow], *, title: str = "Leaderboard") -> str:
    """One standalone page, a table per block.

    Rows of a block are ordered by its first rate, best first, and those without a value that can be ranked come
    last.  Rows of different judges, protocols, decodings or items never share a block.  Rows of several seeds stay
    apart: their spread is what training luck makes.
    """
    blocks = [_block(list(members), number) for number, (_, members) in enumerate(_grouped(rows))]
    sheet = Markup(style_sheet("evaluation.css"))
    template = environment().get_template("leaderboard.html.j2")
    page = template.render(title=title, blocks=blocks, style=sheet, policy=content_policy(sheet))
    return show_hidden(page)


def _grouped(rows: Sequence[LeaderboardRow]) -> groupby[tuple[str, ...], LeaderboardRow]:
    return groupby(sorted(rows, key=lambda row: row.block), key=lambda row: row.block)


def _block(rows: list[LeaderboardRow], number: int) -> Block:
    rates = ordered_metrics([name for row in rows for name in row.rates])
    first = rates[0] if rates else ""
    ranked = sorted(rows, key=lambda row: _key(row, first))
    one = ranked[0]
    facts = [("Judge", one.judge), ("Decoding", one.decoding), ("Items", shorten(one.items, _DIGEST))]
    return Block(
        title="RSBench" if one.benchmark == "rsbench" else one.benchmark,
        facts=tuple(([("Protocol", one.protocol)] if one.protocol else []) + facts),
        header=tuple((words_of(rate).label, _arrow(one, rate)) for rate in rates),
        rows=tuple(_row(row, place, rates) for place, row in zip(_places(ranked, first), ranked, strict=True)),
        figure=_figure(ranked, first, number),
    )


def _key(row: LeaderboardRow, rate: str) -> tuple[bool, float, str, str, int]:
    value = _ranked_value(row, rate)
    sign = 1.0 if row.direction(rate) == "down" else -1.0
    return value is None, sign * (value or 0.0), row.run, row.system, row.seed


def _ranked_value(row: LeaderboardRow, rate: str) -> float | None:
    """The value that a row is ranked by; none if it may not be, or if nobody knows which way is good."""
    metric = row.rates.get(rate)
    if metric is None or many_unscored(metric) or row.direction(rate) == "unknown":
        return None
    return metric.value


def _places(rows: Sequence[LeaderboardRow], rate: str) -> list[str]:
    """1, 2, 2, 4: equal values share a place; rows without a rank have none."""
    values = [_ranked_value(row, rate) for row in rows]
    return ["" if value is None else str(values.index(value) + 1) for value in values]


def _row(row: LeaderboardRow, place: str, rates: Sequence[str]) -> RowView:
    return RowView(place, row.run, row.system, row.seed, tuple(_value(row.rates.get(rate)) for rate in rates))


def _value(metric: Metric | None) -> Value:
    if metric is None or metric.value is None:
        return Value(NOT_SCORED, "", counted(metric) if metric else "", False)
    if many_unscored(metric):
        return Value(typeset(bounds(metric) or NOT_SCORED), "bounds, no headline", counted(metric), True)
    interval = percent_interval(metric.low, metric.high)
    return Value(typeset(percent(metric.value)), typeset(interval), counted(metric), False)


def _arrow(row: LeaderboardRow, rate: str) -> str:
    return {"up": "higher is better", "down": "lower is better", "unknown": ""}[row.direction(rate)]


def _figure(rows: Sequence[LeaderboardRow], rate: str, number: int) -> Figure | None:
    groups = [BarGroup(f"{r.run}, seed {r.seed}", (metric_bar(r.system, r.rates.get(rate)),)) for r in rows]
    words = words_of(rate)
    return dots_figure(f"board-{number}", words.label, words.items, ("value",), groups)
