"""Exploration that is killed at twenty random moments ends with the files of one that was not."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from run_files import copy_of, small
from srpo.progress import silent
from srpo.runs import RunFolder
from srpo.stages import run_stage
from srpo.stages.explore import explore_round
from srpo.systems import load_trained

KILLS = 20


def explored_in_a_child(run: RunFolder, work, seconds: float | None) -> int:
    """Work in a forked process, which has the model at once; kill it after some time.  Returns its status."""
    child = os.fork()
    if not child:
        try:
            with run.lock():
                work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_exploration_survives_twenty_kills(finished: RunFolder, tiny_model: Path, tmp_path: Path) -> None:
    config = small(tiny_model)
    run = copy_of(finished, tmp_path / "run", "checkpoint", "trees.jsonl")
    model = load_trained(run, config, 0, silent)
    seed = time.time_ns() % 2**32
    print(f"seed of the kills: {seed}")
    delays = random.Random(seed)
    killed = 0
    while killed < KILLS:
        run.trees.unlink(missing_ok=True) if killed % 5 == 0 else None
        status = explored_in_a_child(
            run, lambda: explore_round(run, config, 1, None, silent, model), delays.uniform(0, 0.3)
        )
        killed += 1
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    assert explored_in_a_child(run, lambda: explore_round(run, config, 1, None, silent, model), None) == 0
    assert run.trees.read_bytes() == finished.trees.read_bytes()
    run_stage(run, config, "explore", silent)
    assert run.trees.read_bytes() == finished.trees.read_bytes()
