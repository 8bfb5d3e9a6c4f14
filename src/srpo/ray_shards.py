"""The shards of a stage as tasks of a Ray cluster, or of the processes of this machine.

A task calls `run_shard`, which resumes: a task whose process or machine dies is started again elsewhere, and does what
is left.  Rows travel through the run folder, which all machines must see under one path, and never through Ray.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from srpo.config import load_config
from srpo.errors import ConfigError, DataError, ModelError, SrpoError
from srpo.finished import places_of_samples
from srpo.progress import Bars, silent
from srpo.records import iterate_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stage_files import StageFiles
from srpo.stages.questions import Evaluation
from srpo.stages.shards import Shard, count_shards, merge_shards, run_shard, shard_files
from srpo.systems import open_rounds
from srpo.types import Tree

LOCAL: Final = "local"
"""Address of a cluster of this machine alone, which lives as long as the command."""

MAX_RETRIES: Final = 3
"""How often a shard is started again after its process or machine has died."""

_SECONDS_BETWEEN_LOOKS: Final = 1.0
_SECONDS_TO_CONNECT: Final = 5.0
_STORE_BYTES: Final = 80 * 2**20  # the smallest store that Ray takes with some room; we put nothing into it

_LAST_FILE: Final = {"explore": "trees", "judge": "verdicts", "evaluate": "results"}


@dataclass(frozen=True)
class RayPlan:
    """Where shards run, into how many a stage is divided, and what each reserves for itself."""

    address: str
    shards: int
    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.shards < 1 or self.cpus < 0 or self.gpus < 0:
            asked = f"--shards {self.shards} --cpus-per-shard {self.cpus} --gpus-per-shard {self.gpus}"
            raise ConfigError(f"{asked}: expected at least one shard, and no negative number")


class Task(NamedTuple):
    """One shard as a worker gets it."""

    run: Path
    stage: str
    shard: Shard
    folder: Path
    hub: Mapping[str, str]


def run_on_ray(run: RunFolder, config: RunConfig, stage: str, plan: RayPlan, bars: Bars) -> None:
    """Run all shards of a stage on Ray, then merge them.  Ends the local cluster, or leaves the given one.

    Raises ModelError if Ray is not installed, cannot be reached, or loses a shard too often; ConfigError if this
    machine has not what a shard asks for; DataError if the stage was divided otherwise before; and the error of a
    shard, after all others have ended.  What the shards have finished is kept.
    """
    _check_division(run, config, stage, plan.shards)
    with run.lock():
        pass  # the shards hold it together; if somebody else does, none need start
    stop = signal.getsignal(signal.SIGTERM)
    ray = _connected(plan)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)  # Ray has put its own in the place
    try:
        _run_all(ray, run, config, stage, plan, bars)
    finally:
        ray.shutdown()
    merge_shards(run, config, stage, plan.shards)


def _check_division(run: RunFolder, config: RunConfig, stage: str, count: int) -> None:
    first = shard_files(run, config, stage, Shard(1, count)).path
    if any(first.parent.glob("*-of-*")) and (before := count_shards(run, config, stage)) != count:
        mend = f"give --shards {before}, or delete the folder with what they have made"
        raise DataError(f"{first.parent}: {stage} is divided into {before} shards, not {count}; {mend}")


# --- The cluster ----------------------------------------------------------------------------------------------


def _connected(plan: RayPlan) -> Any:
    """The module `ray`, connected."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if plan.address == LOCAL:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        # Ray's name for "loopback only", which is its default on desktop systems.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ModelError(f'--ray needs {error.name}: pip install "srpo[ray]"') from None
    if plan.address == LOCAL:
        # Without an address, RAY_ADDRESS of the environment would count.
        ray.init("local", include_dashboard=False, object_store_memory=_STORE_BYTES, logging_level="error")
        _check_room(ray, plan)
    else:
        _check_reachable(plan.address)
        try:
            ray.init(plan.address, logging_level="warning")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ModelError(f"--ray {plan.address}: {error}; start one with `ray start --head`") from None
    return ray


def _check_room(ray: Any, plan: RayPlan) -> None:
    """Raises ConfigError if one shard alone would wait forever."""
    there = ray.cluster_resources()
    for name, option, asked in (("CPU", "--cpus-per-shard", plan.cpus), ("GPU", "--gpus-per-shard", plan.gpus)):
        if asked > there.get(name, 0):
            ray.shutdown()
            raise ConfigError(f"{option} {asked:g}: this machine has {there.get(name, 0):g}; give less")


def _check_reachable(address: str) -> None:
    """Raises ModelError if nothing answers at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        return  # `auto`, or another form that Ray knows
    try:
        socket.create_connection((host, int(port)), _SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        problem = f"no Ray cluster answers there ({error})"
        raise ModelError(f"--ray {address}: {problem}; start one with `ray start --head`, or give `local`") from None


# --- The shards -----------------------------------------------------------------------------------------------


def _run_all(ray: Any, run: RunFolder, config: RunConfig, stage: str, plan: RayPlan, bars: Bars) -> None:
    """Start all shards, show their rows, and raise the first error once none is left."""
    remote = ray.remote(max_retries=MAX_RETRIES, num_cpus=plan.cpus, num_gpus=plan.gpus)(run_task)
    shards = [Shard(index, plan.shards) for index in range(1, plan.shards + 1)]
    hub = {name: value for name, value in os.environ.items() if name.startswith(("HF_HUB_", "TOKENIZERS_"))}
    home = run.path.resolve()
    tasks = {remote.remote(Task(home, stage, shard, Path.cwd(), hub)): shard for shard in shards}
    folders = [_whole(run, config, stage), *(shard_files(run, config, stage, shard) for shard in shards)]
    rows, total = Rows([_file(files, stage) for files in folders]), rows_in_all(run, config, stage)
    waiting, failed = list(tasks), list[SrpoError]()
    with bars(f"{stage} in {plan.shards} shards", total, min(rows.new(), total)) as advance:
        while waiting:
            time.sleep(_SECONDS_BETWEEN_LOOKS)  # not in Ray, which turns any end by a signal into status 1
            ended, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=0)
            advance(rows.new())
            failed += [error for task in ended if (error := _error(ray, task, stage, tasks[task]))]
    if failed:
        more = f" (the first of {len(failed)} shards that failed)" if len(failed) > 1 else ""
        raise type(failed[0])(f"{failed[0]}{more}")


def _error(ray: Any, task: Any, stage: str, shard: Shard) -> SrpoError | None:
    """What has gone wrong in a shard that has ended.  An error that is not ours rises with its stack."""
    try:
        error: SrpoError | None = ray.get(task)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as death:
        reason = str(death).strip().partition("\n")[0]
        problem = f"its process died {MAX_RETRIES + 1} times, last: {reason}"
        return ModelError(f"{stage} shard {shard}: {problem}; its rows are kept, run the command again")
    return error and type(error)(f"{stage} shard {shard}: {error}")


def run_task(task: Task) -> SrpoError | None:
    """In a worker: run a shard and return the error that a user can mend."""
    os.environ.update(task.hub)  # also on machines whose Ray was started without them
    if task.folder.is_dir():
        os.chdir(task.folder)  # paths in the settings may be relative
    try:
        run = RunFolder.open(task.run)
        run_shard(run, load_config(run.config, [], RunConfig), task.stage, task.shard, silent)
    except SrpoError as error:
        return error
    return None


# --- Progress -------------------------------------------------------------------------------------------------


class Rows:
    """Counts the rows that are added to files; each byte is read once."""

    def __init__(self, files: list[Path]) -> None:
        self._read = dict.fromkeys(files, 0)

    def new(self) -> int:
        """Rows since the last call."""
        return sum(self._new(path) for path in self._read)

    def _new(self, path: Path) -> int:
        try:
            with path.open("rb") as file:
                file.seek(self._read[path])
                added = file.read()
        except FileNotFoundError:
            return 0
        # Only whole rows; a resumed shard cuts a torn one off.
        whole = added.rfind(b"\n") + 1
        self._read[path] += whole
        return added.count(b"\n")


def rows_in_all(run: RunFolder, config: RunConfig, stage: str) -> int:
    """Rows that the finished stage has, in the round that is being worked on."""
    if stage == "explore":
        return len(places_of_samples(run))
    if stage == "judge":
        return sum(len(tree.branches) for tree in iterate_records(_whole(run, config, stage).trees, Tree))
    task = Evaluation.of(run, config, None)
    asked = sum(question.subject in task.samples for question in task.questions())
    return asked * len(config.evaluate.systems) * len(config.scoring_judges)


def _whole(run: RunFolder, config: RunConfig, stage: str) -> StageFiles:
    """Where the rows of all shards end."""
    return run if stage == "evaluate" else run.round(open_rounds(run, config)[-1])


def _file(files: StageFiles, stage: str) -> Path:
    """The file that a stage writes last."""
    path: Path = getattr(files, _LAST_FILE[stage])
    return path
