"""Many runs on one page: a table and a plot per block of rows that may be ranked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from markupsafe import Markup

from srpo.rates import LeaderboardRow, ranked
from srpo.report.charts import BarGroup
from srpo.report.figure import Figure, dots_figure, metric_bar
from srpo.report.shell import content_policy, environment, show_hidden, style_sheet
from srpo.report.wording import (
    NOT_SCORED,
    MetricWords,
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

    Rows are ranked by their first rate, best first, and those that have no rank come last.  Rows of different judges,
    protocols, decodings or items never share a block.  Rows of several seeds stay apart: their spread is what
    training luck makes.
    """
    blocks = [_block(list(members), number) for number, (_, members) in enumerate(_grouped(rows))]
    sheet = Markup(style_sheet("evaluation.css"))
    template = environment().get_template("leaderboard.html.j2")
    page = template.render(title=title, blocks=blocks, style=sheet, policy=content_policy(sheet))
    return show_hidden(page)


def _grouped(rows: Sequence[LeaderboardRow]) -> groupby[tuple[str, ...], LeaderboardRow]:
    return groupby(ranked(rows), key=lambda row: row.block)


def _block(rows: list[LeaderboardRow], number: int) -> Block:
    one = rows[0]
    rates = list(dict.fromkeys(name for row in rows for name in row.rates))
    facts = [("Judge", one.judge), ("Decoding", one.decoding), ("Items", shorten(one.items, _DIGEST))]
    return Block(
        title="RSBench" if one.benchmark == "rsbench" else one.benchmark,
        facts=tuple(([("Protocol", one.protocol)] if one.protocol else []) + facts),
        header=tuple((_words(one, rate).label, _arrow(one, rate)) for rate in rates),
        rows=tuple(_row(row, place, rates) for place, row in zip(_places(rows), rows, strict=True)),
        figure=_figure(rows, next(iter(one.rates), ""), number),
    )


def _words(row: LeaderboardRow, rate: str) -> MetricWords:
    """A rate of a public benchmark keeps its own name, whatever RSBench calls so."""
    return words_of(rate) if row.protocol is None else MetricWords(rate.replace("_", " "), "items", "")


def _places(rows: Sequence[LeaderboardRow]) -> list[str]:
    """1, 2, 2, 4: equal values share a place; rows without a rank have none."""
    merits = [row.merit for row in rows]
    return ["" if merit is None else str(merits.index(merit) + 1) for merit in merits]


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
    words = _words(rows[0], rate)
    return dots_figure(f"board-{number}", words.label, words.items, ("value",), groups)
