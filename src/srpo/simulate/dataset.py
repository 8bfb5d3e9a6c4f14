"""From nothing to a published dataset of the embedded world: pool, server, pipeline, people, publication, table.

pool/       pictures and their truth
build/      the dataset as `srpo build` makes it, over HTTP from a server in a process of its own
published/  what `srpo build export` makes of it
checks.json the table of checks
begun.json  what it was begun with: other rates are refused
server.log  what the server said
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from srpo.building import BuildOptions, build_dataset
from srpo.config import load_config
from srpo.data.config import BuildConfig
from srpo.errors import DataError, ModelError
from srpo.progress import Bars
from srpo.publish import PublishPlan, publish
from srpo.records import write_text
from srpo.simulate.checks import ChecksReport, measure_checks
from srpo.simulate.reviewers import SimulatedReviewers, review_run
from srpo.simulate.settings import AGENT
from srpo.world.dataset import LICENCE
from srpo.world.pool import PoolFolder, write_pool

_MODELS: Final = {"agent": AGENT, "judge": "world-judge", "judge_b": "world-judge-b"}
_MOMENT: Final = 0.05
"""Seconds between looks at what the server has said."""


@dataclass(frozen=True)
class WorldDataset:
    """What is to be made."""

    out: Path
    sets: int
    agent_errors: float
    judge_errors: float
    failures: float
    seed: int
    pictures: int | None = None
    """Pictures with a hazard; none = as many as should do."""

    @property
    def pool(self) -> Path:
        return self.out / "pool"

    @property
    def wanted_pictures(self) -> int:
        """Pictures with a hazard.  At the default rates 4.5 to 5.5 of them make a set (`docs/ssui_world.md`)."""
        return self.pictures or round(5.6 * self.sets + 10 * math.sqrt(self.sets))

    @property
    def note(self) -> Path:
        return self.out / "begun.json"

    @property
    def log(self) -> Path:
        return self.out / "server.log"

    @property
    def build(self) -> Path:
        return self.out / "build"

    @property
    def published(self) -> Path:
        return self.out / "published"

    @property
    def checks(self) -> Path:
        return self.out / "checks.json"


def make_dataset(
    plan: WorldDataset, reviewers: SimulatedReviewers, bars: Bars, say: Callable[[str], None]
) -> ChecksReport:
    """Make all of it; the same call goes on where an earlier one was stopped.

    Raises DataError if the folder was begun with other settings or too few sets came out, and what the stages raise.
    """
    _hold(plan, reviewers)
    _draw(plan, say)
    with serving(plan) as url:
        built = build_dataset(build_config(plan, url), plan.build, BuildOptions(), bars)
    if built.waiting:
        raise DataError(f"{plan.build}: {built.waiting} sets wait for calls that failed; run the same command again")
    say(f"built: {built.samples} samples in {plan.build}")
    reviewed = review_run(plan.build, plan.pool, reviewers)
    say(f"reviewed: {reviewed.decisions} decisions, {reviewed.settled} of them settle a disagreement")
    done = publish(PublishPlan(run=plan.build, out=plan.published), bars)
    say(f"published: {done.publication.sets} sets in {plan.published}")
    report = measure_checks(plan.build, plan.pool)
    write_text(plan.checks, report.model_dump_json(indent=1) + "\n")
    if done.publication.sets < plan.sets:
        missing = f"{done.publication.sets} sets came out instead of {plan.sets}"
        raise DataError(f"{plan.out}: {missing}; choose another folder and more --pictures")
    return report


def _hold(plan: WorldDataset, reviewers: SimulatedReviewers) -> None:
    """Note what the folder is begun with: finished stages and reviews are kept, and would be those of other rates.

    Raises DataError if it was begun with something else.
    """
    rates = {"agent_errors": plan.agent_errors, "judge_errors": plan.judge_errors, "failures": plan.failures}
    people = {f"reviewers.{name}": value for name, value in reviewers.model_dump().items()}
    wanted = {"pictures": plan.wanted_pictures, "seed": plan.seed, **rates, **people}
    if not plan.note.exists():
        # A start that was killed may have left half of the note.
        left = [path.name for path in _inside(plan.out) if not path.name.startswith(f".{plan.note.name}.")]
        if left:
            raise DataError(f"{plan.out}: holds {min(left)!r}, but no {plan.note.name}; choose another folder")
        write_text(plan.note, json.dumps(wanted, indent=1) + "\n")
        return
    begun = json.loads(plan.note.read_text(encoding="utf-8"))
    for name, value in wanted.items():
        if begun.get(name) != value:
            problem = f"the folder was begun with {name} {begun.get(name)}, now it is {value}"
            raise DataError(f"{plan.note}: {problem}; take that again, or choose another folder")


def _inside(folder: Path) -> list[Path]:
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; choose another folder")
    return list(folder.iterdir()) if folder.exists() else []


def _draw(plan: WorldDataset, say: Callable[[str], None]) -> None:
    """The pool, unless it is there."""
    if PoolFolder(plan.pool).truth.exists():
        return
    pictures = write_pool(plan.pool, plan.wanted_pictures, plan.seed)
    say(f"drawn: {len(pictures)} pictures in {plan.pool}")


def build_config(plan: WorldDataset, url: str) -> BuildConfig:
    """Settings of the pipeline: one agent, and two judges that vote in turn."""
    folder = PoolFolder(plan.pool)
    server = {"base_url": url, "max_concurrency": 32}
    models = {name: {"model": f"openai:{model}", **server} for name, model in _MODELS.items()}
    settings = {
        "name": "ssui-world",
        "seed": plan.seed,
        "images": {"folder": str(folder.pictures), "table": str(folder.table), "licence": LICENCE},
        "models": models,
        "roles": {"judges": ["judge", "judge_b"]},
    }
    return load_config(None, [f"{key}={json.dumps(value)}" for key, value in settings.items()], BuildConfig)


@contextmanager
def serving(plan: WorldDataset) -> Iterator[str]:
    """The address of a server of the world in a process of its own.  Raises ModelError if it does not start."""
    rates = {"agent-errors": plan.agent_errors, "judge-errors": plan.judge_errors, "failures": plan.failures}
    options = [f"--{name}={value}" for name, value in rates.items()]
    command = [sys.executable, "-m", "srpo", "world", "serve", "--pool", str(plan.pool), "--port=0", "--until-eof"]
    # Into a file: a pipe that nobody empties would stop a server that warns a lot.  Into a new one: the server of a
    # start that was killed may still write its address to the old one.
    plan.log.unlink(missing_ok=True)
    with plan.log.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, *options, f"--seed={plan.seed}"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "1000"},
        )
    try:
        yield _address(process, plan.log)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """The one that the server says, once it has said it."""
    while True:
        ended = process.poll() is not None
        said = log.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r" at (http://\S+)\n", said):
            return found[1]
        if ended:
            raise ModelError(f"the server of the world did not start: {said.strip()[-500:] or 'it said nothing'}")
        time.sleep(_MOMENT)
