"""A small study and figures of runs written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from srpo.study.places import Places
from srpo.study.results import Cost, Finished, Items, Results, settings_of
from srpo.study.schedule import Study
from srpo.study.settings import Method, StudySettings, Sweep
from srpo.study.tasks import Task

RIGHT = "we" + "he" * 3
"""A set of which everything is right."""

MISSED = "uu" + "he" * 3
"""A set of which the risk is missed."""

REFUSING = "ds" * 4
"""A set in which everything is refused."""

ITEMS = Items(
    groups={"test_rules": tuple(f"g{i}" for i in range(8))}, rules={"test_rules": tuple(f"r{i // 2}" for i in range(8))}
)
SWEEP_ITEMS = Items(groups={"val": ("a", "b")}, rules={"val": ("r1", "r2")})


def small_study(**changes: Any) -> StudySettings:
    """Base, SFT and SRPO on one base with two seeds."""
    given: dict[str, Any] = {
        "title": "Small",
        "run": {"train": {"per_device_train_batch_size": 2}},
        "seeds": (0, 1),
        "updates": 4,
        "splits": ("test_rules",),
        "sweep": Sweep(rates=(1e-4, 3e-4), seeds=(100,), splits=("val",)),
        "methods": {
            "base": Method(label="Base", trainer="none"),
            "sft": Method(label="SFT", trainer="own", run={"train": {"loss_type": "sft"}}),
            "srpo": Method(label="SRPO", trainer="own", samples=True),
        },
    }
    return StudySettings(**(given | changes))


def study_in(folder: Path, settings: StudySettings | None = None) -> Study:
    """A study whose figures are in a folder."""
    settings = settings or small_study()
    return Study(settings, Places(folder / "work"), Results(folder / "figures", settings))


def keep(study: Study, task: Task, greedy: list[str], sampled: list[str], train_seconds: float = 60.0) -> None:
    """Write the figures of a run, which took 20 seconds more than its training."""
    split, items = ("val", SWEEP_ITEMS) if task.purpose == "sweep" else ("test_rules", ITEMS)
    sets = {"greedy": {split: "".join(greedy)}, "sampled": {split: "".join(sampled)}}
    cost = Cost(updates=task.updates, trained_tokens=1000, train_seconds=train_seconds, evaluate_seconds=20.0)
    made = settings_of(study.settings, task)
    study.results.write(Finished(task=task, settings=made, cost=cost, items=items.digest, sets=sets), items)


def sweep_task(method: str, rate: float) -> Task:
    return Task(purpose="sweep", method=method, base="shipped", seed=100, rate=rate, updates=4)


def final_task(method: str, seed: int, rate: float = 1e-4, updates: int = 4) -> Task:
    if method == "base":
        rate, updates = 0.0, 0
    return Task(purpose="test", method=method, base="shipped", seed=seed, rate=rate, updates=updates)
