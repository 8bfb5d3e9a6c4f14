"""Exploration that is killed at twenty random moments ends with the files of one that was not."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from run_files import small, start
from srpo.models import Model
from srpo.progress import silent
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import run_stage
from srpo.stages.explore import explore_round
from srpo.systems import load_trained

KILLS = 20
SIZE = ("world={train: 6, test_scenes: 1}", "explore.samples_per_batch=1")


def explored_in_a_child(run: RunFolder, config: RunConfig, model: Model, seconds: float | None) -> bool:
    """Explore in a forked process, which has the model at once; kill it after some time.  Returns if it was killed."""
    child = os.fork()
    if not child:
        try:
            with run.lock():
                explore_round(run, config, 1, None, silent, model)
        except BaseException:
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_exploration_survives_twenty_kills(tiny_model: Path, tmp_path: Path) -> None:
    config = small(tiny_model, *SIZE)
    run = start(tmp_path / "run", config)
    run_stage(run, config, "init", silent)
    model = load_trained(run, config, 0, silent)
    begin = time.monotonic()
    explored_in_a_child(run, config, model, None)
    seconds, whole = time.monotonic() - begin, run.trees.read_bytes()
    run.trees.unlink()
    seed = time.time_ns() % 2**32
    print(f"seed of the kills: {seed}")
    delays, killed = random.Random(seed), 0
    while killed < KILLS:
        if explored_in_a_child(run, config, model, delays.uniform(0, seconds / 8)):
            killed += 1
        else:  # done before all kills: tear the file in two, and go on
            run.trees.write_bytes(whole[: len(whole) // 2])
    explored_in_a_child(run, config, model, None)
    assert run.trees.read_bytes() == whole
