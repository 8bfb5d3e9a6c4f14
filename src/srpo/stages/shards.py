"""A stage in shares, each run by a process or machine of its own on the same folder, and put together afterwards.

A shard takes the samples whose hashed ids fall to it.  It writes to a folder of its own, `shards/STAGE/3-of-16`
beside the stage's files, and resumes there.  Merging moves all rows into the stage's files in the order of an
undivided run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from srpo.errors import ConfigError, DataError
from srpo.finished import places_of_samples
from srpo.progress import Bars
from srpo.records import iterate_places, iterate_records, read_record, write_records
from srpo.run_config import TRAINED, RunConfig
from srpo.runs import RunFolder, digest
from srpo.stage_files import StageFiles
from srpo.stages.answers import failed_answers
from srpo.stages.evaluate import check_model, evaluate_samples
from srpo.stages.explore import explore_round
from srpo.stages.judge import judge_round
from srpo.stages.questions import Evaluation
from srpo.stages.shard import Shard, files_of, parse_shard
from srpo.stages.watch import watched
from srpo.systems import open_rounds
from srpo.types import Completion, Label, Record, Result, Tree, Verdict

__all__ = ["SHARDED", "Shard", "count_shards", "merge_shards", "parse_shard", "run_shard", "shard_files"]

R = TypeVar("R", bound=Record)

SHARDED = ("explore", "judge", "evaluate")
"""Stages that can be divided."""


Place = tuple[Path, int]
"""A row: its file, and the byte where it begins."""

Found = dict[str, dict[str, dict[int, Place]]]
"""Judge, key and node of a row -> the row; nothing stands for a judge or node that a kind of rows does not have."""


class Wanted(NamedTuple):
    """Rows that a finished stage has: of so many nodes under a key, for a sample."""

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
    own = RunFolder(files.path)
    with run.lock(shared=True), _made(own).lock(), watched(own, stage):
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
    names = [re.fullmatch(r"\d+-of-(\d+)", path.name) for path in folder.glob("*")]
    counts = {int(name[1]) for name in names if name is not None}
    if not counts:
        raise DataError(f"{folder}: no shards; run `srpo {stage} {run.path} --shard 1/COUNT` and so on with one COUNT")
    if len(counts) > 1:
        found = f"shards of {' and of '.join(map(str, sorted(counts)))}"
        raise DataError(f"{folder}: {found}; delete the folders of the number that is not meant")
    return counts.pop()


def _made(shard: RunFolder) -> RunFolder:
    """The folder of a shard, made if it is not there; only for who holds the run, so that nobody else leaves one."""
    shard.path.mkdir(parents=True, exist_ok=True)
    return shard


def _whole(run: RunFolder, config: RunConfig, stage: str) -> StageFiles:
    """The files of an undivided stage, in the round that is being worked on."""
    if stage not in SHARDED:
        raise ConfigError(f"stage {stage}: cannot be divided; choose one of {', '.join(SHARDED)}")
    return run if stage == "evaluate" else run.round(open_rounds(run, config)[-1])


def _merge_trees(run: RunFolder, config: RunConfig, shards: Sequence[StageFiles]) -> None:
    files = _whole(run, config, "explore")
    wanted = [Wanted(sample, sample) for sample in places_of_samples(run)]
    found = _find(Tree, lambda tree: tree.sample, files.trees, [shard.trees for shard in shards])
    write_records(files.trees, _in_order(files.trees, Tree, found, {_last(found): wanted}, len(shards)))
    run.record_files(inputs=[run.samples], outputs=[files.trees])


def _merge_verdicts(run: RunFolder, config: RunConfig, shards: Sequence[StageFiles]) -> None:
    files = _whole(run, config, "judge")
    trees = iterate_records(files.trees, Tree)
    wanted = [Wanted(tree.id, tree.sample, len(tree.branches)) for tree in trees]
    found = _find(Verdict, lambda verdict: verdict.subject, files.verdicts, [shard.verdicts for shard in shards])
    write_records(files.verdicts, _in_order(files.verdicts, Verdict, found, {_last(found): wanted}, len(shards)))
    run.record_files(inputs=[files.trees], outputs=[files.verdicts])


def _merge_results(run: RunFolder, config: RunConfig, shards: Sequence[StageFiles]) -> None:
    trained = [run.round(config.rounds).trained] if TRAINED in config.evaluate.systems else []
    for model in map(digest, trained):
        for shard in shards:
            check_model(shard, model)
    task, count = Evaluation.of(run, config, None), len(shards)
    plain = [Wanted(q.answer_id(system), q.subject) for system in config.evaluate.systems for q in task.questions(())]
    answers = _find(Completion, lambda answer: answer.id, run.responses, [shard.responses for shard in shards])
    known = {item.key for item in plain}
    probed = [Wanted(key, key) for key in answers.get("", {}) if key not in known]
    stale, judges, labelled = failed_answers(run), *_judges_of(shards)
    of_samples = [item for item in plain if item.sample in task.samples]
    scores = _find(Result, lambda result: result.completion, run.results, [s.results for s in shards], stale)
    labels = _find(Label, lambda label: label.completion, run.labels, [s.labels for s in shards], stale)
    # All are whole before one is written; results go first, as the old answers tell which of the old ones count.
    responses = _in_order(run.responses, Completion, answers, {"": plain}, count, probed)
    results = _in_order(run.results, Result, scores, dict.fromkeys(judges or ("",), of_samples), count, probed)
    about = {item.id: item.benchmark for item in task.items.values()}
    owed: dict[str, list[Wanted]] = {}
    for benchmark, protocol, judge in labelled or [(name, "", "") for name in config.benchmarks]:
        owed.setdefault(judge + protocol, []).extend(i for i in plain if about.get(i.sample) == benchmark)
    merged = _in_order(run.labels, Label, labels, owed, count)
    if of_samples:
        write_records(run.results, results)
    if config.benchmarks:
        write_records(run.labels, merged)
    write_records(run.responses, responses)
    run.record_judges(judges, labelled)
    outputs = [path for path in (run.responses, run.results, run.labels) if path.exists()]
    run.record_files(inputs=[run.samples, *trained], outputs=outputs)


def _judges_of(shards: Sequence[StageFiles]) -> tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]]:
    """Judges of results and of labels: those of a shard that has finished; a shard may hold no sample, or no item."""
    manifests = [RunFolder(shard.path).read_manifest() for shard in shards]
    judges = max((manifest.judges for manifest in manifests), key=len)
    return judges, tuple(dict.fromkeys(key for manifest in manifests for key in manifest.labels))


def _last(found: Found) -> str:
    """The judge that has judged last."""
    return next(reversed(found), "")


def _find(
    kind: type[R], key: Callable[[R], str], own: Path, shards: Sequence[Path], stale: Collection[str] = ()
) -> Found:
    """Rows of the run and of its shards, without the run's own under `stale` keys.

    What a shard has asked again counts.  The judge with the last new row comes last, as in an undivided run.
    """
    found: Found = {}
    for path in (own, *shards):
        for place, row in iterate_places(path, kind) if path.exists() else ():
            if path == own and key(row) in stale:
                continue
            judge, node = getattr(row, "judge", "") + getattr(row, "protocol", ""), getattr(row, "node", None) or 0
            nodes = found.setdefault(judge, {}).setdefault(key(row), {})
            if node not in nodes:
                found[judge] = found.pop(judge)
            nodes[node] = path, place
    return found


def _in_order(
    out: Path,
    kind: type[R],
    found: Found,
    wanted: Mapping[str, Sequence[Wanted]],
    count: int,
    others: Sequence[Wanted] = (),
) -> Iterator[R]:
    """The wanted rows and what there is of others, judge by judge.

    `wanted` names the rows that a judge owes.  Raises DataError at once if one lacks some.
    """
    rows = list(dict.fromkeys(item for of_judge in wanted.values() for item in of_judge))
    missing = {
        item.sample
        for judge, of_judge in wanted.items()
        for item in of_judge
        if len(found.get(judge, {}).get(item.key, ())) < item.rows
    }
    if missing:
        left = [str(shard) for i in range(count) if any(map((shard := Shard(i + 1, count)).holds, missing))]
        raise DataError(f"{out}: {len(missing)} samples are left to do, of shard {', '.join(left)}; run these first")
    groups = (keys.get(item.key, {}) for keys in found.values() for item in (*rows, *others))
    return (read_record(*nodes[node], kind) for nodes in groups for node in sorted(nodes))
