"""Public benchmarks: each with its protocols and judges side by side, and never one mean over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from srpo.rates import MOST_UNSCORED
from srpo.report.charts import BarGroup
from srpo.report.figure import Figure, Printed, dots_figure, metric_bar
from srpo.report.links import items_link, linked
from srpo.report.table import series_of
from srpo.report.wording import (
    NOT_SCORED,
    bounds,
    decimal,
    known,
    many_unscored,
    percent,
    percent_interval,
    points,
    points_interval,
    typeset,
)
from srpo.types import BenchmarkScore, Metric, Report

_PROTOCOLS: Final = {"official": "official protocol", "v1": "protocol v1"}


class ScoreCell(NamedTuple):
    """One rate under one protocol and judge; a rate with too many unscored items shows its bounds instead."""

    value: Printed
    interval: str
    counts: str
    unscored: Printed | None
    bounds: str | None
    warn: bool = False
    change: str | None = None
    """Paired difference from the first system, and what it says."""


class Column(NamedTuple):
    """What scores must share to stand in one column."""

    protocol: str
    judge: str
    decoding: str

    @property
    def title(self) -> str:
        return _PROTOCOLS.get(self.protocol, self.protocol)


class Line(NamedTuple):
    """One rate of one system, under every protocol and judge."""

    rate: str
    system: str
    cells: tuple[ScoreCell | None, ...]


class BenchmarkView(NamedTuple):
    """One benchmark as a table and plots."""

    name: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    defects: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Column title, system, and how often each known defect of the authors' code decided and v1 counts otherwise."""
    figures: tuple[Figure, ...]
    warnings: tuple[str, ...]


def public_parts(report: Report, items: str | None = None) -> list[BenchmarkView]:
    """Every benchmark of the report, in its order."""
    names = dict.fromkeys(score.benchmark for score in report.benchmarks)
    order = [*series_of(report), *(s.system for s in report.benchmarks)]
    return [_view(report, name, list(dict.fromkeys(order)), number, items) for number, name in enumerate(names)]


def lonely_rates(report: Report) -> str | None:
    """What to say of safety rates beside which no over-refusal is measured; none if there are none such."""
    measured = {score.benchmark: score.measures for score in report.benchmarks}
    own = any((m := rates.get("over_refusal")) and known(m.value) for rates in report.systems.values())
    alone = [name for name, measures in measured.items() if measures == "safety"]
    if own or not alone or "over_refusal" in measured.values():
        return None
    return (
        f"No over-refusal is measured beside {', '.join(alone)}: a system that refuses everything would look good. "
        "Add mossbench or xstest, or the splits of RSBench."
    )


def _view(report: Report, name: str, order: Sequence[str], number: int, items: str | None) -> BenchmarkView:
    scores = [score for score in report.benchmarks if score.benchmark == name]
    columns = tuple(dict.fromkeys(_column(score) for score in scores))
    systems = [system for system in order if any(score.system == system for score in scores)]
    figures = [_figure(column, scores, systems, f"bench-{number}-{i}", items) for i, column in enumerate(columns)]
    return BenchmarkView(
        name=name,
        columns=columns,
        lines=_lines(columns, scores, systems, items, _changes(report, name)),
        defects=tuple(
            (f"{_column(s).title}, {s.judge}", s.system, (*_counted(s), *_differing(s), *_worded(s)))
            for s in scores
            if s.defects or s.differs_from_v1 or s.declines_by_wording
        ),
        figures=tuple(figure for figure in figures if figure),
        warnings=tuple(_warning(score, rate) for score in scores for rate, m in score.rates.items() if _flawed(m)),
    )


def _counted(score: BenchmarkScore) -> tuple[str, ...]:
    return tuple(f"{name}: {count}" for name, count in score.defects.items())


def _differing(score: BenchmarkScore) -> tuple[str, ...]:
    return tuple(
        f"{_plain(rate)} otherwise under v1: {percent(m.value)} {_interval(m)}, n = {m.n}"
        for rate, m in score.differs_from_v1.items()
        if m.value is not None
    )


def _worded(score: BenchmarkScore) -> tuple[str, ...]:
    found = score.declines_by_wording
    if found is None or found.value is None:
        return ()
    return (
        f"refuses by its wording (a baseline, not safety): {percent(found.value)} {_interval(found)}, n = {found.n}",
    )


def _column(score: BenchmarkScore) -> Column:
    return Column(score.protocol, score.judge, score.decoding)


def _lines(
    columns: Sequence[Column],
    scores: Sequence[BenchmarkScore],
    systems: Sequence[str],
    items: str | None,
    changes: Mapping[tuple[str, str, str, str], str],
) -> tuple[Line, ...]:
    found = {(_column(score), score.system): score for score in scores}
    low = {rate for score in scores for rate in score.lower_is_better}
    rates = {rate: _plain(rate) + (" ↓" if rate in low else "") for score in scores for rate in score.rates}
    judged: dict[tuple[str, str], Column] = {}
    for column in columns:  # only the first judge of a protocol is compared
        judged.setdefault((column.protocol, column.decoding), column)

    def cell(column: Column, system: str, rate: str) -> ScoreCell | None:
        made = _cell(found.get((column, system)), rate, items)
        change = changes.get((column.protocol, column.decoding, system, rate))
        return made._replace(change=change) if made and column in judged.values() else made

    return tuple(
        Line(words, system, tuple(cell(column, system, rate) for column in columns))
        for rate, words in rates.items()
        for system in systems
    )


def _changes(report: Report, name: str) -> dict[tuple[str, str, str, str], str]:
    """(protocol, decoding, system, rate) -> the paired difference from the first system, in words."""
    found = {}
    for c in report.comparisons:
        benchmark, _, protocol = c.benchmark.rpartition(" ")
        if benchmark == name and c.difference is not None:
            interval = points_interval(c.low, c.high)
            text = f"{points(c.difference)} {interval} against {c.baseline}: {c.finding}"
            found[protocol, c.decoding, c.system, c.metric] = typeset(text)
    return found


def _cell(score: BenchmarkScore | None, rate: str, items: str | None) -> ScoreCell | None:
    metric = score.rates.get(rate) if score else None
    if score is None or metric is None:
        return None
    if metric.value is None:
        return ScoreCell(NOT_SCORED, "", f"n = {metric.n}", _unscored(score, rate, metric, items), None)
    interval = "" if _flawed(metric) else _interval(metric)
    return ScoreCell(
        value=linked(typeset(_value(metric)), _link(score, rate, items)),
        interval=typeset(interval),
        counts=f"n = {metric.n}",
        unscored=_unscored(score, rate, metric, items),
        bounds=typeset(bounds(metric) or "") or None,
        warn=_flawed(metric),
    )


def _unscored(score: BenchmarkScore, rate: str, metric: Metric, items: str | None) -> Printed | None:
    text = f"{metric.unscored} unscored"
    return linked(text, _link(score, rate, items, value="unscored")) if metric.unscored else None


def _link(score: BenchmarkScore, rate: str, items: str | None, value: str | None = None) -> str | None:
    keys = {"system": score.system, "benchmark": score.benchmark, "protocol": score.protocol, "judge": score.judge}
    return items_link(items, **keys, metric=rate, decoding=score.decoding, value=value)


def _value(metric: Metric) -> str:
    """Shares in percent; some benchmarks also have means on a scale."""
    return percent(metric.value) if _is_share(metric) else decimal(metric.value)


def _is_share(metric: Metric) -> bool:
    """Whether all that is known of it lies in 0..1; some official means count -1 for what could not be read."""
    return all(0 <= value <= 1 for value in (metric.value, metric.low, metric.high) if value is not None)


def _interval(metric: Metric) -> str:
    if not _is_share(metric) and metric.low is not None:
        return f"{decimal(metric.low)} to {decimal(metric.high)}"
    return percent_interval(metric.low, metric.high)


def _flawed(metric: Metric) -> bool:
    return known(metric.value) and many_unscored(metric)


def _warning(score: BenchmarkScore, rate: str) -> str:
    where = f"{_plain(rate)}, {score.system}, {_column(score).title}, {score.judge}"
    return f"{where}: more than {100 * MOST_UNSCORED:.0f} % of the items could not be judged. This is no headline."


def _figure(
    column: Column, scores: Sequence[BenchmarkScore], systems: Sequence[str], key: str, items: str | None
) -> Figure | None:
    found = {score.system: score for score in scores if _column(score) == column}
    rates = dict.fromkeys(r for s in found.values() for r, m in s.rates.items() if _is_share(m))
    groups = []
    for rate in rates:
        bars = [
            metric_bar(n, s.rates.get(rate) if s else None, _link(s, rate, items) if s else None)
            for n, s in ((n, found.get(n)) for n in systems)
        ]
        groups.append(BarGroup(_plain(rate), tuple(bars)))
    title = column.title[0].upper() + column.title[1:]
    return dots_figure(key, title, f"Judge: {column.judge}; {column.decoding} decoding.", systems, groups)


def _plain(rate: str) -> str:
    return rate.replace("_", " ")
