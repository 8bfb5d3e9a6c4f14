"""Branches to verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from srpo.finished import check_explored, places_of_samples, training_samples
from srpo.judge.base import JudgeItem
from srpo.pictures import any_picture
from srpo.progress import Bars
from srpo.records import append_records, iterate_records, read_record, repair
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages.outages import PASSING, check_judge, check_servers
from srpo.stages.rows import CHUNK, chunks, replace_rows, rows_if_there
from srpo.stages.shard import Shard, files_of, is_held
from srpo.stages.train import training_begun
from srpo.systems import load_judge, open_rounds
from srpo.types import Sample, Tree, Verdict


class Branches(NamedTuple):
    """Branches of one tree."""

    tree: Tree
    nodes: list[int]


class Nodes:
    """A set of branches: one bit each by the id of their tree, as millions of pairs would fill the memory."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._bits: dict[str, int] = {}
        for verdict in verdicts:
            if verdict.node is not None:
                self._bits[verdict.subject] = self._bits.get(verdict.subject, 0) | 1 << verdict.node

    def __contains__(self, branch: tuple[str, int]) -> bool:
        tree, node = branch
        return bool(self._bits.get(tree, 0) >> node & 1)


def judge_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Judge the final answer of every branch into `verdicts.jsonl`."""
    for number in open_rounds(run, config):
        files = run.round(number)
        judge_round(run, config, number, None, bars)
        run.record_files(inputs=[files.trees], outputs=[files.verdicts])


def judge_round(run: RunFolder, config: RunConfig, number: int, shard: Shard | None, bars: Bars) -> None:
    """Judge the branches of a round that have no verdict yet.

    Failures of an earlier start that may pass are asked for again, and replaced where they stand.
    """
    places, files = places_of_samples(run), run.round(number)
    out = files_of(files, "judge", shard)
    check_explored(run, places, number)
    judge = load_judge(config, config.judge, config.seed)
    # What training has begun with stays as it is.
    passing = PASSING if config.judge.kind == "model" and not training_begun(files) else ()
    repair(out.verdicts)
    failed = Nodes(v for v in _verdicts({out.verdicts}, judge.name) if v.failure in passing)
    kept = Nodes(v for v in _verdicts({out.verdicts, files.verdicts}, judge.name) if v.failure not in passing)

    def branches(wanted: Callable[[tuple[str, int]], bool]) -> Iterator[Branches]:
        for tree in iterate_records(files.trees, Tree):
            if is_held(shard, tree.sample):
                yield Branches(tree, [node for node in tree.branches if wanted((tree.id, node))])

    def ask(wanted: Callable[[tuple[str, int]], bool]) -> Iterator[list[Verdict]]:
        for chunk in chunks(_items(run, places, branches(wanted)), CHUNK):
            yield judge.judge(chunk, advance)

    total, left = (sum(len(b.nodes) for b in branches(w)) for w in (lambda _: True, lambda b: b not in kept))
    if left:
        check_servers(config.judge.model, judge, "texts", pictures=any_picture(training_samples(run)))
    with bars("judge branches", total, total - left) as advance:
        for verdicts in ask(lambda branch: branch not in kept and branch not in failed):
            check_judge(judge.name, config.judge, verdicts)
            append_records(out.verdicts, verdicts)
        again = (verdict for verdicts in ask(failed.__contains__) for verdict in verdicts)
        replace_rows(out.verdicts, Verdict, lambda v: (v.subject, v.node, v.judge), again)


def _items(run: RunFolder, places: dict[str, int], branches: Iterable[Branches]) -> Iterator[JudgeItem]:
    """What the judge sees of every branch."""
    for tree, nodes in branches:
        sample = read_record(run.samples, places[tree.sample], Sample) if nodes else None
        for node in nodes if sample else ():
            yield JudgeItem(
                subject=tree.id,
                node=node,
                sample=sample,
                folder=run.path,
                part="answer",
                text=tree.walk(node),
                truncated=tree.nodes[node].finish == "length",
            )


def _verdicts(paths: Iterable[Path], judge: str) -> Iterator[Verdict]:
    return (verdict for path in paths for verdict in rows_if_there(path, Verdict) if verdict.judge == judge)
