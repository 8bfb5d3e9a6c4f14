"""The leaderboard of finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from srpo.comparing.runs import Run, read_run
from srpo.evaluate import leaderboard
from srpo.evaluate.leaderboard import Entry
from srpo.rates import LeaderboardRow
from srpo.records import content_id
from srpo.runs import RunFolder
from srpo.stages import read_report


def leaderboard_of(paths: Sequence[Path]) -> list[LeaderboardRow]:
    """Rows of all runs, each named by its folder.  Raises DataError if a run has no report."""
    return leaderboard(Entry(str(p), read_report(RunFolder.open(p)), _items(read_run(p))) for p in dict.fromkeys(paths))


def _items(run: Run) -> dict[str, str]:
    """Benchmark -> digest of the items that the run asked."""
    parts = {"rsbench": dict(run.samples)} if run.samples else {}
    for item in run.items.values():
        picture = run.pictures.get(item.id, "unknown")
        parts.setdefault(item.benchmark, {})[item.id] = f"{run.questions[item.id]} {picture}"
    return {name: content_id(part) for name, part in parts.items()}
