"""A run that was stopped, by whatever, ends up with the files of one that was not."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from run_files import (
    ENVIRONMENT,
    ROWS,
    call,
    copy_of,
    demo,
    error_line,
    go,
    report_of,
    rows_of,
    small,
)
from srpo.errors import DataError
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import run_stage
from srpo.training import last_checkpoint
from srpo.types import Tree

STAGE_OF = {
    "trees.jsonl": "explore",
    "verdicts.jsonl": "judge",
    "responses.jsonl": "evaluate",
    "results.jsonl": "evaluate",
}


@pytest.fixture
def config(tiny_model: Path) -> RunConfig:
    return small(tiny_model)


def weights(run: RunFolder) -> bytes:
    return (run.checkpoint / "final" / "model.safetensors").read_bytes()


# --- Lost and torn rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("torn", [False, True], ids=["whole-rows", "torn-row"])
@pytest.mark.parametrize("name", STAGE_OF)
def test_lost_rows_come_back_as_they_were(finished, config, tmp_path, name, torn):
    run = copy_of(finished, tmp_path / "run", "checkpoint-*")
    path = run.path / name
    rows = path.read_bytes().splitlines(keepends=True)
    kept = len(rows) // 3
    path.write_bytes(b"".join(rows[:kept]) + (rows[kept][:-20] if torn else b""))
    go(run, config, [STAGE_OF[name]])
    assert rows_of(run) == rows_of(finished)


def test_a_file_that_is_gone_is_made_again(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", *ROWS[1:], "report.*", "manifest.json", "checkpoint-*")
    go(run, config)
    assert rows_of(run) == rows_of(finished) and report_of(run) == report_of(finished)


# --- Training -------------------------------------------------------------------------------------------------


class Stop(BaseException):
    pass


def stop_training_after(run: RunFolder, config: RunConfig, updates: int) -> None:
    """Interrupt the training stage as a signal would."""

    @contextmanager
    def bars(title: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
        count = done

        def advance(more: int) -> None:
            nonlocal count
            count += more
            if title.startswith("train") and count == updates:
                raise Stop

        yield advance

    with pytest.raises(Stop):
        run_stage(run, config, "train", bars)


def test_training_goes_on_from_its_checkpoint(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    stop_training_after(run, config, updates=4)
    assert last_checkpoint(run.checkpoint) == run.checkpoint / "checkpoint-2"
    assert run.read_manifest().seconds["train"] > finished.read_manifest().seconds["train"]
    titles = []

    @contextmanager
    def bars(title: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
        titles.append((title, total, done))
        yield lambda count: None

    run_stage(run, config, "train", bars)
    assert ("train srpo", 4, 2) in titles
    assert weights(run) == weights(finished)
    assert training_log(run) == training_log(finished)


def training_log(run: RunFolder) -> list[dict[str, float]]:
    return json.loads((run.checkpoint / "final" / "log.json").read_text())


@pytest.mark.parametrize("state", [None, "", '{"global_step"'], ids=["no-state", "empty-state", "torn-state"])
def test_a_checkpoint_that_was_being_written_is_passed_over(finished, config, tmp_path, state):
    run = copy_of(finished, tmp_path / "run", "final")
    broken = run.checkpoint / "checkpoint-4"
    (broken / "model.safetensors").write_bytes(b"half")
    (broken / "trainer_state.json").unlink()
    if state is not None:
        (broken / "trainer_state.json").write_text(state)
    assert last_checkpoint(run.checkpoint) is None
    go(run, config, ["train"])
    assert weights(run) == weights(finished)


def test_a_kill_between_the_last_update_and_the_end_adds_no_update(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", "final")
    (run.checkpoint / "final.part").mkdir()
    go(run, config, ["train"])
    assert weights(run) == weights(finished) and training_log(run) == training_log(finished)


def test_a_last_checkpoint_with_cut_weights_is_not_published(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", "final")
    cut = run.checkpoint / "checkpoint-4" / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-100])
    assert last_checkpoint(run.checkpoint) is None
    go(run, config, ["train"])
    assert weights(run) == weights(finished)


@pytest.mark.parametrize("size", [0, 5000])
def test_a_cut_optimizer_is_named(finished, config, tmp_path, size):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    stop_training_after(run, config, updates=4)
    optimizer = run.checkpoint / "checkpoint-2" / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:size])
    with pytest.raises(DataError, match=r"checkpoint-2: cannot go on from this checkpoint .*; delete this folder"):
        go(run, config, ["train"])


# --- Signals --------------------------------------------------------------------------------------------------


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, "ended before it could be stopped"
        time.sleep(0.002)


def started(words: list[str], log: Path) -> subprocess.Popen[str]:
    with log.open("w") as out:
        return subprocess.Popen(words, stdout=out, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def stopped(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_a_demo_that_is_killed_and_interrupted_equals_one_that_is_not(finished, tiny_model, tmp_path):
    run, log = RunFolder(tmp_path / "run"), tmp_path / "log"
    with started(demo(tiny_model, run.path), log) as process:
        wait_for(lambda: run.trees.exists() and run.trees.read_bytes().count(b"\n") >= 2, process)
        status, _ = stopped(process, signal.SIGKILL)
    some = [line for line in run.trees.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    whole = finished.trees.read_bytes()
    assert status == -signal.SIGKILL and len(some) < 16 and whole.startswith(b"".join(some))

    with started(demo(tiny_model, run.path, "--resume"), log) as process:
        wait_for(lambda: "answer as srpo: 0 of" in log.read_text(), process)
        status, errors = stopped(process, signal.SIGINT)
    assert status == 130 and errors.count("\n") == 1 and errors.startswith("stopped; what is finished is kept")
    assert run.trees.read_bytes() == whole and not run.report_json.exists()
    assert finished.responses.read_bytes().startswith(run.responses.read_bytes()) and run.responses.stat().st_size > 0

    done = subprocess.run(demo(tiny_model, run.path, "--resume"), capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert rows_of(run) == rows_of(finished) and report_of(run) == report_of(finished)
    assert weights(run) == weights(finished)
    assert "before: base" in done.stdout and "srpo against base, greedy: no comparison of" in done.stdout


def test_a_polite_kill_is_an_interrupt(finished, tiny_model, tmp_path):
    run = copy_of(finished, tmp_path / "run", "trees.jsonl", "checkpoint")
    with started([sys.executable, "-m", "srpo", "explore", str(run.path)], tmp_path / "log") as process:
        wait_for(run.trees.exists, process)
        status, errors = stopped(process, signal.SIGTERM)
    assert status == 143 and errors.startswith("stopped;") and errors.count("\n") == 1
    assert all(tree.nodes for tree in read_records(run.trees, Tree))
    assert finished.trees.read_bytes().startswith(run.trees.read_bytes())


def test_a_second_run_in_the_folder_names_the_first(finished, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    with run.lock():
        done = call("judge", run.path)
    assert f"in use by process {os.getpid()}" in error_line(done.returncode, done.stderr)


# --- Full disks -----------------------------------------------------------------------------------------------


def limited(size: int, *words: str | Path) -> str:
    """Run a command that may write no file beyond `size` bytes; returns its error."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    done = call(*words, preexec_fn=limit)
    return error_line(done.returncode, done.stderr)


def test_a_full_disk_while_judging_loses_nothing(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    whole = run.verdicts.read_bytes()
    kept = whole[: whole.index(b"\n", len(whole) // 4) + 1]
    run.verdicts.write_bytes(kept)
    error = limited(len(whole) // 2, "judge", run.path)
    assert "verdicts.jsonl: cannot write (File too large); free space" in error
    assert run.verdicts.read_bytes().startswith(kept)
    go(run, config, ["judge"])
    assert run.verdicts.read_bytes() == whole


def test_a_full_disk_while_drawing_pictures(tmp_path):
    error = limited(5000, "init", tmp_path / "run", "world={train: 1, test_scenes: 1}")
    assert f"{tmp_path / 'run'}: init stopped (File too large" in error and "then resume" in error


def test_a_full_disk_while_saving_a_checkpoint(finished, config, tmp_path):
    run = copy_of(finished, tmp_path / "run", "checkpoint")
    assert "cannot write a checkpoint" in limited(3_000_000, "train", run.path)
    go(run, config, ["train"])
    assert weights(run) == weights(finished)
