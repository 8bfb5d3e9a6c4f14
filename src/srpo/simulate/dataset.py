"""From nothing to a published dataset of the embedded world: pool, server, pipeline, people, publication, table.

pool/       pictures and their truth
build/      the dataset as `srpo build` makes it, over HTTP from a server in a process of its own
published/  what `srpo build export` makes of it
checks.json the table of checks
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
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

    Raises DataError if the folder holds another dataset or too few sets came out, and what the stages raise.
    """
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


def _draw(plan: WorldDataset, say: Callable[[str], None]) -> None:
    """The pool, unless it is there; what it was drawn for is kept beside it."""
    wanted = {"pictures": plan.wanted_pictures, "seed": plan.seed}
    note = plan.out / "pool.json"
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != wanted:
        raise DataError(f"{note}: the folder holds a dataset of other pictures or another seed; choose another folder")
    if PoolFolder(plan.pool).truth.exists():
        return
    write_text(note, json.dumps(wanted) + "\n")
    pictures = write_pool(plan.pool, wanted["pictures"], plan.seed)
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
    process = subprocess.Popen(
        [*command, *options, f"--seed={plan.seed}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "1000"},
    )
    try:
        yield _address(process)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    said = []
    for line in process.stdout or ():
        said.append(line.strip())
        if " at http://" in line:
            return line.split()[-1]
    raise ModelError(f"the server of the world did not start: {' '.join(said)[:500] or 'it said nothing'}")
