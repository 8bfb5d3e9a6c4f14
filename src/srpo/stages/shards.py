"""A stage in shares, each run by a process or machine of its own on the same folder, and put together afterwards.

A shard takes the samples whose hashed ids fall to it.  It writes to a folder of its own, `shards/STAGE/3-of-16`
beside the stage's files, and resumes there.  Merging moves all rows into the stage's files in the order of an
undivided run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from srpo.errors import ConfigError, DataError
from srpo.finished import of_splits, places_of_samples
from srpo.progress import Bars
from srpo.records import iterate_places, iterate_records, read_record, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder, StageFiles
from srpo.stages.evaluate import evaluate_samples, response_id
from srpo.stages.explore import explore_round
from srpo.stages.judge import judge_round
from srpo.stages.shard import Shard, files_of, parse_shard
from srpo.stages.watch import watched
from srpo.systems import open_rounds
from srpo.types import Completion, Record, Result, Tree, Verdict

__all__ = ["SHARDED", "Shard", "count_shards", "merge_shards", "parse_shard", "run_shard", "shard_files"]

R = TypeVar("R", bound=Record)

SHARDED = ("explore", "judge", "evaluate")
"""Stages that can be divided."""


Place = tuple[Path, int]
"""A row: its file, and the byte where it begins."""


class Wanted(NamedTuple):
    """Rows that a finished stage has: so many under a key, for a sample."""

    key: str
    sample: str
    rows: int = 1


def shard_files(run: RunFolder, config: RunConfig, stage: str, shard: Shard) -> StageFiles:
    """Files of a shard, in the round that is being worked on.  Raises ConfigError if the stage cannot be divided."""
    return files_of(_whole(run, config, stage), stage, shard)


def run_shard(run: RunFolder, config: RunConfig, stage: str, shard: Shard, bars: Bars) -> Path:
    """Run one shard of a stage and return its folder; what it has finished before is kept.

    Holds the shard alone and the run together with other shards.  Raises DataError if somebody else works on it.
    """
    files = shard_files(run, config, stage, shard)
    files.path.mkdir(parents=True, exist_ok=True)
    own = RunFolder(files.path)
    with run.lock(shared=True), own.lock(), watched(own, stage):
        number = open_rounds(run, config)[-1]
        if stage == "explore":
            explore_round(run, config, number, shard, bars)
        elif stage == "judge":
            judge_round(run, config, number, shard, bars)
        else:
            evaluate_samples(run, config, shard, bars)
    return files.path


def merge_shards(run: RunFolder, config: RunConfig, stage: str, count: int) -> None:
    """Move the rows of `count` shards into the stage's files.  Holds the run alone.

    Raises DataError that names the shards which are not finished; then nothing is changed.
    """
    folders = [shard_files(run, config, stage, Shard(index, count)) for index in range(1, count + 1)]
    with run.lock(), watched(run, f"merge {stage}"):
        {"explore": _merge_trees, "judge": _merge_verdicts, "evaluate": _merge_results}[stage](run, config, folders)
        for folder in folders:
            for name, seconds in RunFolder(folder.path).read_manifest().seconds.items():
                run.record_seconds(name, seconds)
        shutil.rmtree(_whole(run, config, stage).shards / stage)


def count_shards(run: RunFolder, config: RunConfig, stage: str) -> int:
    """Into how many shards a stage was divided.  Raises DataError if it was not, or in more than one way."""
    folder = _whole(run, config, stage).shards / stage
    counts = {int(path.name.rpartition("-")[2]) for path in folder.glob("*-of-*")}
    if len(counts) != 1:
        found = f"shards of {' and of '.join(map(str, sorted(counts)))}" if counts else "no shards"
        raise DataError(f"{folder}: {found}; run `srpo {stage} {run.path} --shard 1/COUNT` and so on with one COUNT")
    return counts.pop()


def _whole(run: RunFolder, config: RunConfig, stage: str) -> StageFiles:
    """The files of an undivided stage, in the round that is being worked on."""
    if stage not in SHARDED:
        raise ConfigError(f"stage {stage}: cannot be divided; choose one of {', '.join(SHARDED)}")
    return run if stage == "evaluate" else run.round(open_rounds(run, config)[-1])


def _merge_trees(run: RunFolder, config: RunConfig, shards: Sequence[StageFiles]) -> None:
    files = _whole(run, config, "explore")
    sources = [*(shard.trees for shard in shards), files.trees]
    wanted = [Wanted(sample, sample) for sample in places_of_samples(run)]
    _merge(files.trees, sources, Tree, lambda tree: tree.sample, wanted, len(shards))
    run.record_files(inputs=[run.samples], outputs=[files.trees])


def _merge_verdicts(run: RunFolder, config: RunConfig, shards: Sequence[StageFiles]) -> None:
    files = _whole(run, config, "judge")
    sources = [*(shard.verdicts for shard in shards), files.verdicts]
    trees = iterate_records(files.trees, Tree)
    wanted = [Wanted(tree.id, tree.sample, len(tree.branches)) for tree in trees]
    _merge(files.verdicts, sources, Verdict, lambda verdict: verdict.subject, wanted, len(shards))
    run.record_files(inputs=[files.trees], outputs=[files.verdicts])


def _merge_results(run: RunFolder, config: RunConfig, shards: Sequence[StageFiles]) -> None:
    samples = [sample.id for sample in of_splits(run, config.evaluate.splits)]
    names = [(system, name) for system in config.evaluate.systems for name in config.evaluate.decodings()]
    wanted = [Wanted(response_id(*name, sample), sample) for name in names for sample in samples]
    responses, results = ([*(getattr(f, n) for f in (*shards, run))] for n in ("responses", "results"))
    _merge(run.responses, responses, Completion, lambda response: response.id, wanted, len(shards))
    _merge(run.results, results, Result, lambda result: result.completion, wanted, len(shards))
    trained = run.round(config.rounds).trained
    run.record_files(inputs=[run.samples, trained], outputs=[run.responses, run.results])


def _merge(
    out: Path, sources: Sequence[Path], kind: type[R], key: Callable[[R], str], wanted: Sequence[Wanted], count: int
) -> None:
    """Write the wanted rows in their order.  Raises DataError if some are missing."""
    found: dict[str, list[Place]] = {}
    for path in sources:
        for place, row in iterate_places(path, kind) if path.exists() else ():
            found.setdefault(key(row), []).append((path, place))
    missing = {item.sample for item in wanted if len(found.get(item.key, ())) < item.rows}
    if missing:
        left = [str(shard) for i in range(count) if any(map((shard := Shard(i + 1, count)).holds, missing))]
        raise DataError(f"{out}: {len(missing)} samples are left to do, of shard {', '.join(left)}; run these first")
    write_records(out, (row for item in wanted for row in _rows(found.get(item.key, ()), kind)))


def _rows(places: Iterable[Place], kind: type[R]) -> Iterator[R]:
    """The rows of one key by their node; what a shard has asked again comes before the run's own and counts."""
    rows: dict[tuple[int, str], R] = {}
    for path, place in places:
        row = read_record(path, place, kind)
        rows.setdefault((getattr(row, "node", None) or 0, getattr(row, "judge", "")), row)
    yield from (rows[name] for name in sorted(rows))
