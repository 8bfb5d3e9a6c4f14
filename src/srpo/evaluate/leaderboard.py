"""Reports of many runs to rows that can be ranked, in blocks that may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from srpo.rates import HEADLINE, LeaderboardRow, ranked
from srpo.types import Report


class Entry(NamedTuple):
    """A report with the name of its run and the digest of the items of each benchmark that it answered."""

    run: str
    report: Report
    items: dict[str, str]


def leaderboard(entries: Iterable[Entry]) -> list[LeaderboardRow]:
    """One row per run, system and benchmark, ranked (`srpo.rates.ranked`).

    Rows of different judges, protocols or items never share a block (`LeaderboardRow.block`), and neither do
    rows whose items are not known.
    """
    return ranked(row for entry in entries for row in (*_rsbench(entry), *_benchmarks(entry)))


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
