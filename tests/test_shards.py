"""A stage done in shares gives the files of one that was not divided."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from run_files import call, copy_of, error_line, rows_of, small
from srpo.errors import ConfigError, DataError
from srpo.finished import of_splits
from srpo.progress import silent
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import run_stage
from srpo.stages.shards import Shard, count_shards, merge_shards, parse_shard, run_shard, shard_files
from srpo.types import Completion, Result, Verdict

WRITTEN = {
    "explore": ("trees.jsonl",),
    "judge": ("verdicts.jsonl",),
    "evaluate": ("responses.jsonl", "results.jsonl"),
}


@pytest.fixture
def config(tiny_model: Path) -> RunConfig:
    return small(tiny_model)


def before(finished: RunFolder, path: Path, stage: str) -> RunFolder:
    """A copy of the finished run from before a stage."""
    return copy_of(finished, path, *WRITTEN[stage], *(() if stage == "evaluate" else ("checkpoint",)))


def rows_in(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


# --- Names ----------------------------------------------------------------------------------------------------


def test_shards_are_counted_from_1():
    assert parse_shard("3/16") == Shard(3, 16) and str(Shard(3, 16)) == "3/16"
    for text in ("0/4", "5/4", "1", "1/0", "-1/4", "a/b", "1/4/4", ""):
        with pytest.raises(ConfigError, match="shard"):
            parse_shard(text)


def test_every_sample_falls_to_one_shard():
    names = [f"sample-{number}" for number in range(4000)]
    held = [sum(Shard(index, 4).holds(name) for name in names) for index in (1, 2, 3, 4)]
    assert sum(held) == 4000 and all(900 < count < 1100 for count in held)
    assert all(sum(Shard(index, 4).holds(name) for index in (1, 2, 3, 4)) == 1 for name in names)


# --- Running and merging --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", WRITTEN)
def test_merged_shards_equal_an_undivided_stage(finished, config, tmp_path, stage):
    run = before(finished, tmp_path / "run", stage)
    # The last one first: the order of shards has no part in the result.
    folders = [run_shard(run, config, stage, Shard(index, 3), silent) for index in (3, 1, 2)]
    assert all(rows_in(folder / WRITTEN[stage][0]) for folder in folders)
    assert not (run.path / WRITTEN[stage][0]).exists() and count_shards(run, config, stage) == 3
    merge_shards(run, config, stage, 3)
    assert rows_of(run) == rows_of(finished) and not (run.shards / stage).exists()
    run_stage(run, config, stage, silent)
    assert rows_of(run) == rows_of(finished) and run.read_manifest().outputs == finished.read_manifest().outputs
    assert run.read_manifest().seconds[stage] > finished.read_manifest().seconds[stage]


@pytest.mark.parametrize("stage", WRITTEN)
def test_what_was_done_undivided_is_not_done_again(finished, config, tmp_path, stage):
    run = before(finished, tmp_path / "run", stage)
    whole, kept = {}, {}
    for name in WRITTEN[stage]:
        whole[name] = rows_in(finished.path / name)
        kept[name] = len(whole[name]) // (3 if name != "results.jsonl" else 4)
        (run.path / name).write_bytes(b"".join(whole[name][: kept[name]]))
    folders = [run_shard(run, config, stage, Shard(index, 2), silent) for index in (1, 2)]
    for name in WRITTEN[stage]:
        assert sum(len(rows_in(folder / name)) for folder in folders) == len(whole[name]) - kept[name]
    merge_shards(run, config, stage, 2)
    assert rows_of(run) == rows_of(finished)


@pytest.mark.parametrize("stage", WRITTEN)
def test_a_torn_shard_resumes(finished, config, tmp_path, stage):
    run = before(finished, tmp_path / "run", stage)
    folder = run_shard(run, config, stage, Shard(2, 2), silent)
    rows = {name: rows_in(folder / name) for name in WRITTEN[stage]}
    for name in WRITTEN[stage]:
        (folder / name).write_bytes(b"".join(rows[name][: len(rows[name]) // 2]) + b'{"schema": "srpo/1", "rec')
    run_shard(run, config, stage, Shard(2, 2), silent)
    assert {name: rows_in(folder / name) for name in WRITTEN[stage]} == rows


def test_merging_names_unfinished_shards_and_changes_nothing(finished, config, tmp_path):
    run = before(finished, tmp_path / "run", "explore")
    for index in (1, 3):
        run_shard(run, config, "explore", Shard(index, 3), silent)
    torn = shard_files(run, config, "explore", Shard(3, 3)).trees
    torn.write_bytes(b"".join(rows_in(torn)[:-1]))
    with pytest.raises(DataError, match="samples are left to do, of shard 2/3, 3/3; run these first"):
        merge_shards(run, config, "explore", 3)
    assert not run.trees.exists() and rows_in(torn)


def test_shards_of_two_divisions_are_not_mixed(finished, config, tmp_path):
    run = before(finished, tmp_path / "run", "explore")
    with pytest.raises(DataError, match="no shards; run `srpo explore"):
        count_shards(run, config, "explore")
    run_shard(run, config, "explore", Shard(1, 8), silent)
    run_shard(run, config, "explore", Shard(1, 9), silent)
    with pytest.raises(DataError, match="shards of 8 and of 9"):
        count_shards(run, config, "explore")


def test_training_cannot_be_divided(finished, config):
    with pytest.raises(ConfigError, match="stage train: cannot be divided; choose one of explore"):
        run_shard(finished, config, "train", Shard(1, 2), silent)


def test_a_shard_of_another_model_is_not_merged(finished, config, tmp_path):
    run = before(finished, tmp_path / "run", "evaluate")
    run_shard(run, config, "evaluate", Shard(1, 2), silent)
    weights = run.trained / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x55")
    run_shard(run, config, "evaluate", Shard(2, 2), silent)
    other = "1-of-2/model.sha256: the shard answered with another trained model than there is now; delete .*1-of-2"
    with pytest.raises(DataError, match=other):
        merge_shards(run, config, "evaluate", 2)
    with pytest.raises(DataError, match=other):
        run_shard(run, config, "evaluate", Shard(1, 2), silent)
    assert not run.responses.exists() and not run.results.exists()


def test_the_base_alone_is_measured_in_shards(finished, tiny_model, tmp_path):
    run = before(finished, tmp_path / "run", "evaluate")
    shutil.rmtree(run.checkpoint)
    config = small(tiny_model, "evaluate.systems=[base]")
    run_shard(run, config, "evaluate", Shard(1, 1), silent)
    merge_shards(run, config, "evaluate", 1)
    assert {r.system for r in read_records(run.results, Result)} == {"base"}


def test_results_of_an_answer_that_is_asked_again_count_no_more(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run")
    answers, results = read_records(run.responses, Completion), read_records(run.results, Result)
    gone = {"text": "", "finish": "error", "error": "the server is gone", "token_ids": None}
    write_records(run.responses, [answers[0].model_copy(update=gone), *answers[1:]])
    stale = [r for r in results if r.completion == answers[0].id]
    assert len(stale) == 1
    # Of this judge, and of one that nobody asks again.
    unscored = {"failure": "unparsed", "answer_safe": None}
    lost = [stale[0].model_copy(update={**unscored, "judge": judge}) for judge in ("x", stale[0].judge)]
    write_records(run.results, [*lost, *(r for r in results if r not in stale)])
    run_shard(run, config, "evaluate", Shard(1, 1), silent)
    merge_shards(run, config, "evaluate", 1)
    assert read_records(run.responses, Completion) == answers and read_records(run.results, Result) == results


def test_a_verdict_asked_twice_stands_for_no_other(finished, config, tmp_path):
    run = before(finished, tmp_path / "run", "judge")
    folder = run_shard(run, config, "judge", Shard(1, 1), silent)
    rows = rows_in(folder / "verdicts.jsonl")
    (folder / "verdicts.jsonl").write_bytes(b"".join([*rows[:-1], rows[-2]]))
    with pytest.raises(DataError, match="1 samples are left to do, of shard 1/1"):
        merge_shards(run, config, "judge", 1)


@pytest.mark.parametrize("name", ["a judge", "z judge"])
def test_who_judged_last_stays_last_and_has_to_finish(finished, config, tmp_path, name):
    run = before(finished, tmp_path / "run", "judge")
    other = [v.model_copy(update={"judge": name}) for v in read_records(finished.verdicts, Verdict)]
    write_records(run.verdicts, other)
    folder = run_shard(run, config, "judge", Shard(1, 2), silent)
    with pytest.raises(DataError, match="of shard 2/2"):
        merge_shards(run, config, "judge", 2)
    run_shard(run, config, "judge", Shard(2, 2), silent)
    merge_shards(run, config, "judge", 2)
    assert read_records(run.verdicts, Verdict) == [*other, *read_records(finished.verdicts, Verdict)]
    assert not folder.exists()


# --- Side by side ---------------------------------------------------------------------------------------------


def test_shards_run_together_and_nothing_else_does(finished, config, tmp_path):
    run = before(finished, tmp_path / "run", "judge")
    with run.lock(shared=True):
        run_shard(run, config, "judge", Shard(1, 2), silent)
        with pytest.raises(DataError, match="in use by a shard of a stage"), run.lock():
            pass
    with RunFolder(shard_files(run, config, "judge", Shard(1, 2)).path).lock():
        with pytest.raises(DataError, match="1-of-2: in use by process"):
            run_shard(run, config, "judge", Shard(1, 2), silent)
        run_shard(run, config, "judge", Shard(2, 2), silent)


def test_by_command(finished, config, tmp_path):
    run = before(finished, tmp_path / "run", "judge")
    assert "expected INDEX/COUNT" in error_line(
        (done := call("judge", run.path, "--shard", "3")).returncode, done.stderr
    )
    for shard in ("1/2", "2/2"):
        done = call("judge", run.path, "--shard", shard)
        assert done.returncode == 0 and done.stdout.strip().endswith(f"shards/judge/{shard.replace('/', '-of-')}")
    done = call("merge", run.path, "judge")
    assert done.returncode == 0 and f"judge: {run.verdicts}, " in done.stdout
    assert rows_of(run) == rows_of(finished)
    assert len(of_splits(run, ("train",))) == 16


def test_folders_that_are_no_shards_are_passed_over_and_two_numbers_are_named(finished, tiny_model, tmp_path):
    run = copy_of(finished, tmp_path / "run", "trees.jsonl")
    config = small(tiny_model)
    shards = run.path / "shards" / "explore"
    for name in ("1-of-2", "foo-of-bar", "notes"):
        (shards / name).mkdir(parents=True)
    assert count_shards(run, config, "explore") == 2
    (shards / "1-of-3").mkdir()
    with pytest.raises(DataError, match="shards of 2 and of 3; delete the folders of the number that is not meant"):
        count_shards(run, config, "explore")


def test_a_shard_that_is_refused_leaves_no_folder(finished, tiny_model, tmp_path):
    run = copy_of(finished, tmp_path / "run", "trees.jsonl")
    with run.lock(), pytest.raises(DataError, match="in use"):
        run_shard(RunFolder(run.path), small(tiny_model), "explore", Shard(1, 2), silent)
    assert not (run.path / "shards" / "explore" / "1-of-2").exists()
