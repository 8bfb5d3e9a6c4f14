"""Reports of many runs to rows that can be ranked, in blocks that may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from srpo.rates import HEADLINE, LeaderboardRow, many_unscored
from srpo.types import Report


class Entry(NamedTuple):
    """A report with the name of its run and the digest of the items of each benchmark that it answered."""

    run: str
    report: Report
    items: dict[str, str]


def leaderboard(entries: Iterable[Entry]) -> list[LeaderboardRow]:
    """One row per run, system and benchmark, sorted by block, then from best to worst in the first rate.

    Rows of different judges, protocols or items never share a block (`LeaderboardRow.block`), and neither do
    rows whose items are not known.  A row with too many unscored items in its first rate comes last; where it is
    not known which way the rate should go, rows are not ranked.
    """
    rows = [row for entry in entries for row in (*_rsbench(entry), *_benchmarks(entry))]
    return sorted(rows, key=lambda row: (row.block, _place(row), row.run, row.system))


def _rsbench(entry: Entry) -> Iterator[LeaderboardRow]:
    for system, rates in entry.report.systems.items():
        yield LeaderboardRow(
            run=entry.run,
            system=system,
            seed=entry.report.seed,
            judge=entry.report.judge,
            decoding="greedy",
            items=_items(entry, "rsbench"),
            rates={name: rates[name] for name in HEADLINE if name in rates},
        )


def _benchmarks(entry: Entry) -> Iterator[LeaderboardRow]:
    for score in entry.report.benchmarks:
        yield LeaderboardRow(
            run=entry.run,
            system=score.system,
            seed=entry.report.seed,
            benchmark=score.benchmark,
            protocol=score.protocol,
            judge=score.judge,
            decoding=score.decoding,
            items=_items(entry, score.benchmark),
            rates=score.rates,
            lower_is_better=score.lower_is_better,
        )


def _items(entry: Entry, benchmark: str) -> str:
    """Digest of the items; unknown ones are like those of no other run."""
    return entry.items.get(benchmark, f"unknown, of {entry.run}")


def _place(row: LeaderboardRow) -> tuple[bool, float]:
    """Sort key within a block: the first rate, best first."""
    name, first = next(iter(row.rates.items()), ("", None))
    if first is None or first.value is None or many_unscored(first.n, first.unscored):
        return True, 0.0
    return False, first.value * {"up": -1, "down": 1, "unknown": 0}[row.direction(name)]
