"""What is left to do of a study, in which order, and doing it in several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from statistics import fmean
from typing import Final, Literal

from srpo.errors import SrpoError
from srpo.study.choice import chosen_rates
from srpo.study.places import Places
from srpo.study.results import Results
from srpo.study.settings import StudySettings
from srpo.study.tasks import Task, all_tasks
from srpo.study.wanted import EVERYTHING, Wanted
from srpo.study.work import config_of, do_run, make_base, make_trees

Kind = Literal["base", "trees", "run"]

_PAUSE: Final = 0.5
"""Seconds between two looks at the processes."""

TREES_SHARE: Final = 0.6
"""Time of shared branches, as a share of that of a run, before one has been measured."""

BASE_RUNS: Final = 10
"""The same of a base, in runs."""


@dataclass(frozen=True)
class Job:
    """A piece of work; `task` is the run it is, or the first one that needs it."""

    kind: Kind
    name: str
    task: Task


@dataclass(frozen=True)
class Study:
    """Settings and folders of a study."""

    settings: StudySettings
    places: Places
    results: Results

    def missing(self, wanted: Wanted = EVERYTHING) -> list[Task]:
        """Runs that are asked for, can be named and are not finished."""
        tasks = all_tasks(self.settings, chosen_rates(self.settings, self.results))
        return [task for task in tasks if wanted.has(self.settings, task) and not self.results.has(task)]

    def jobs(self, wanted: Wanted = EVERYTHING) -> Iterator[Job]:
        """What the missing runs need, in their order, each once; what waits for something else comes after it."""
        seen: set[str] = set()
        for task in self.missing(wanted):
            for job in self._needs(task):
                if job.name not in seen:
                    seen.add(job.name)
                    yield job

    def _needs(self, task: Task) -> Iterator[Job]:
        if not self.places.has_base(task.base):
            yield Job("base", task.base, task)
            return
        config = config_of(self.settings, task, self.places)
        if not self.places.has_trees(config):
            yield Job("trees", self.places.trees(config).name, task)
            return
        yield Job("run", task.id, task)

    def seconds(self, job: Job) -> float:
        """How long a job is likely to take: as runs like it did, those of its purpose before others, else a guess."""
        alike: dict[bool, list[float]] = {True: [], False: []}
        for task in all_tasks(self.settings, chosen_rates(self.settings, self.results)):
            if (task.method, task.updates) == (job.task.method, job.task.updates):
                found = self.results.read(task)
                if found is not None:
                    spent = found.cost.train_seconds + found.cost.evaluate_seconds
                    alike[task.purpose == job.task.purpose].append(spent)
        run = fmean(alike[True] or alike[False] or [self.settings.guess_seconds])
        return {"run": run, "trees": TREES_SHARE * run, "base": BASE_RUNS * run}[job.kind]


def do_job(study: Study, job: Job) -> None:
    """Do one piece of work in this process, with one thread."""
    import torch

    torch.set_num_threads(1)
    if job.kind == "base":
        make_base(study.settings, job.name, study.places)
    elif job.kind == "trees":
        make_trees(study.settings, job.task, study.places, study.results)
    else:
        do_run(study.settings, job.task, study.places, study.results)


def work_off(study: Study, jobs: int, minutes: float | None, wanted: Wanted, say: Callable[[str], None]) -> list[str]:
    """Do what is missing in `jobs` processes, and return the names of what failed.

    After `minutes` nothing new is begun, and what is likely to take longer is not begun before; what runs is finished.
    A run that fails is not begun again before the next call.
    """
    end = None if minutes is None else time.monotonic() + 60 * minutes
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    running: dict[str, BaseProcess] = {}
    failed: list[str] = []
    look = True  # reading what is finished takes time, and changes when a job ends
    try:
        while True:
            look = _collect(running, failed, say) or look
            if look and len(running) < jobs:
                job = _next(study, wanted, {*running, *failed}, end)
                if job is not None:
                    running[job.name] = _start(study, job)
                    say(f"begun: {job.kind} {job.name}")
                    continue
                look = False
            if not running:
                return failed
            time.sleep(_PAUSE)
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _next(study: Study, wanted: Wanted, taken: set[str], end: float | None) -> Job | None:
    """The first job that is not taken and fits into the time that is left."""
    for job in study.jobs(wanted):
        if job.name not in taken:
            fits = end is None or time.monotonic() + study.seconds(job) <= end
            return job if fits else None
    return None


def _start(study: Study, job: Job) -> BaseProcess:
    """A process of its own, begun anew: what a library keeps from one run must not reach the next."""
    process = multiprocessing.get_context("spawn").Process(target=_report, args=(study, job))
    process.start()
    return process


def _report(study: Study, job: Job) -> None:
    signal.signal(signal.SIGTERM, _stop)  # so that the time until a stop is counted
    try:
        do_job(study, job)
    except SrpoError as error:
        raise SystemExit(f"{job.name}: {error}") from None


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _collect(running: dict[str, BaseProcess], failed: list[str], say: Callable[[str], None]) -> bool:
    """Take out what has ended; returns whether anything has."""
    before = len(running)
    for name, process in list(running.items()):
        if process.exitcode is None:
            continue
        process.join()
        del running[name]
        if process.exitcode:
            failed.append(name)
        say(f"{'failed' if process.exitcode else 'done'}: {name}")
    return len(running) < before
