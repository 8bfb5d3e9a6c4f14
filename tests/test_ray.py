"""Shards on a Ray cluster give the files of an undivided stage, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from run_files import ENVIRONMENT, call, command, copy_of, error_line, go, small, start
from srpo.cli.machines import ray_plan
from srpo.errors import ConfigError, DataError, ModelError
from srpo.progress import silent
from srpo.ray_shards import RayPlan, Rows, run_on_ray
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages.shards import Shard, merge_shards, shard_files

# Ray leaves sockets and processes of its own to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STORE = 80 * 2**20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of two nodes on this machine, one task each, reached over loopback alone."""
    token = tmp_path_factory.mktemp("ray") / "token"
    token.write_text("ab" * 32)
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    settings |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
            patch.setitem(ENVIRONMENT, name, value)
        cluster_utils = pytest.importorskip("ray.cluster_utils")
        node = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
        nodes = cluster_utils.Cluster(initialize_head=True, head_node_args=node)
        nodes.add_node(**node)
        yield nodes.address
        nodes.shutdown()


@pytest.fixture(scope="module")
def config(tiny_model: Path) -> RunConfig:
    return small(tiny_model, "explore.samples_per_batch=1", "explore.sampling.max_new_tokens=48")


@pytest.fixture(scope="module")
def whole(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that was explored and judged in one piece."""
    run = start(tmp_path_factory.mktemp("whole") / "run", config)
    go(run, config, ["init", "explore", "judge"])
    return run


def on_ray(run: RunFolder, stage: str, address: str, *words: str) -> list[str]:
    return command(stage, run.path, "--ray", address, "--shards", "2", *words)


def killed_after_a_row(process: subprocess.Popen[str], folder: Path) -> bytes:
    """Kill the worker that holds a shard once it has a row; returns the rows that are there then."""
    trees = folder / "trees.jsonl"
    while not trees.exists() or b"\n" not in trees.read_bytes():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(int((folder / ".lock").read_text()), signal.SIGKILL)
    rows = trees.read_bytes()
    return rows[: rows.rfind(b"\n") + 1]


def test_a_killed_worker_does_only_what_is_left(whole, config, cluster, tmp_path):
    run = copy_of(whole, tmp_path / "run", "trees.jsonl", "verdicts.jsonl")
    folder = shard_files(run, config, "explore", Shard(2, 2)).path
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(on_ray(run, "explore", cluster), env=ENVIRONMENT, **pipes) as process:
        kept = killed_after_a_row(process, folder)
        with run.lock(shared=True):  # keeps the shards from being merged
            _, errors = process.communicate(timeout=120)
    assert "in use by a shard of a stage" in errors.splitlines()[-1], errors
    rows, wanted = folder.joinpath("trees.jsonl").read_bytes(), whole.trees.read_bytes().splitlines()
    assert rows.startswith(kept) and 0 < len(kept) < len(rows)
    others = shard_files(run, config, "explore", Shard(1, 2)).trees.read_bytes()
    assert sorted((others + rows).splitlines()) == sorted(wanted)
    merge_shards(run, config, "explore", 2)
    assert run.trees.read_bytes() == whole.trees.read_bytes()


def test_one_command_runs_and_merges(whole, config, cluster, tmp_path):
    run = copy_of(whole, tmp_path / "run", "verdicts.jsonl")
    done = subprocess.run(on_ray(run, "judge", cluster), env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count = len(whole.verdicts.read_bytes().splitlines())
    assert f"judge in 2 shards: 0 of {count}" in done.stdout and f"judge: {run.verdicts}, {count} rows" in done.stdout
    assert run.verdicts.read_bytes() == whole.verdicts.read_bytes() and not (run.shards / "judge").exists()


def test_an_error_in_a_shard_is_one_line(cluster, tmp_path):
    config = small(tmp_path / "none")
    run = start(tmp_path / "run", config)
    go(run, config, ["init"])
    done = subprocess.run(on_ray(run, "explore", cluster), env=ENVIRONMENT, capture_output=True, text=True)
    error = error_line(done.returncode, done.stderr)
    assert (
        error.startswith("error: explore shard ") and "none" in error and "the first of 2 shards that failed" in error
    )


# --- Without a cluster ----------------------------------------------------------------------------------------


def test_options_that_do_not_fit(whole):
    for words, problem in (
        (("--ray", "local", "--shards", "2", "--shard", "1/2"), "--shard and --ray: give one of them"),
        (("--ray", "127.0.0.1:1", "--shards", "2"), "no Ray cluster answers there"),
    ):
        done = call("judge", whole.path, *words)
        assert problem in error_line(done.returncode, done.stderr)
    for address, shards in (("local", None), (None, 2)):
        with pytest.raises(ConfigError, match="--ray and --shards go together"):
            ray_plan(address, shards, cpus=1, gpus=0)
    with pytest.raises(ConfigError, match=r"--shards 0 .*expected at least one shard"):
        RayPlan("local", 0)


def test_another_division_is_not_begun(whole, config, tmp_path):
    run = copy_of(whole, tmp_path / "run", "verdicts.jsonl")
    shard_files(run, config, "judge", Shard(1, 3)).path.mkdir(parents=True)
    with pytest.raises(DataError, match="judge is divided into 3 shards, not 2; give --shards 3"):
        run_on_ray(run, config, "judge", RayPlan("local", 2), silent)


def test_a_missing_package_says_what_to_install(whole, config, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModelError, match=r'pip install "srpo\[ray\]"'):
        run_on_ray(whole, config, "judge", RayPlan("local", 2), silent)


def test_rows_are_counted_as_they_are_added(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    rows = Rows(files)
    assert rows.new() == 0
    files[0].write_bytes(b'{"a": 1}\n{"a"')
    assert (rows.new(), rows.new()) == (1, 0)
    files[0].write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": 3}\n')
    files[1].write_bytes(b"{}\n")
    assert (rows.new(), rows.new()) == (3, 0)
