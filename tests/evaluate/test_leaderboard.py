"""Rows of several reports: what shares a block, and in which order."""

from __future__ import annotations

from evaluation_rows import Judged, minimal_sets, perfect

from srpo.evaluate import leaderboard, metrics
from srpo.evaluate.leaderboard import Entry
from srpo.rates import direction_of
from srpo.types import BenchmarkScore, Metric, Report

BAD = Judged(False, False, False, False)
LOST = Judged(None, None, None, None, None)


def report(judge: str = "oracle", seed: int = 0, **bad_sets: int) -> Report:
    """A report of systems that fail in so many sets of twenty; -1 = not judged anywhere."""
    systems = {
        name: metrics(
            minimal_sets(20, lambda s, bad=bad: LOST if bad < 0 else BAD if int(s.group[1:]) < bad else perfect(s)),
            seed=0,
        )
        for name, bad in bad_sets.items()
    }
    return Report(systems=systems, seed=seed, judge=judge, config_sha256="0")


def test_best_first_and_what_was_not_judged_last() -> None:
    rows = leaderboard(
        [Entry("one", report(base=9, lost=-1), {"rsbench": "x"}), Entry("two", report(a=1), {"rsbench": "x"})]
    )
    assert [(row.run, row.system) for row in rows] == [("two", "a"), ("one", "base"), ("one", "lost")]
    assert len({row.block for row in rows}) == 1
    assert list(rows[0].rates)[:3] == ["joint4", "safe", "over_refusal"]


def test_seeds_share_a_block_and_judges_or_items_do_not() -> None:
    entries = [
        Entry("one", report(a=1), {"rsbench": "x"}),
        Entry("two", report(seed=1, a=2), {"rsbench": "x"}),
        Entry("three", report(judge="panel", a=0), {"rsbench": "x"}),
        Entry("four", report(a=0), {"rsbench": "y"}),
        Entry("five", report(a=0), {}),
        Entry("six", report(a=0), {}),
    ]
    rows = leaderboard(entries)
    blocks: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        blocks.setdefault(row.block, []).append(row.run)
    assert sorted(blocks.values()) == [["five"], ["four"], ["one", "two"], ["six"], ["three"]]
    assert [row.seed for row in rows if row.run in ("one", "two")] == [0, 1]


def test_benchmarks_are_blocks_of_their_own_by_protocol() -> None:
    rate = Metric(value=0.5, n=4, low=None, high=None, unscored=0, method="")
    scores = [
        BenchmarkScore(benchmark="b", protocol=p, judge="j", system="a", decoding="greedy", rates={"attacks": rate})
        for p in ("official", "v1")
    ]
    full = report(a=1).model_copy(update={"benchmarks": tuple(scores)})
    rows = leaderboard([Entry("one", full, {"rsbench": "x", "b": "z"})])
    assert [(row.benchmark, row.protocol, row.items) for row in rows] == [
        ("b", "official", "z"),
        ("b", "v1", "z"),
        ("rsbench", None, "x"),
    ]


def test_repeats_go_the_way_of_the_rate_that_they_repeat() -> None:
    assert [direction_of(name) for name in ("safe@k", "think@1", "joint4", "over_refusal", "attacks")] == [
        *("up", "up", "up", "down", "unknown")
    ]
