"""Working off jobs, with processes that only pretend."""

from __future__ import annotations

from typing import Any

import pytest
from study_files import RIGHT, keep, study_in

from srpo.errors import DataError
from srpo.study import schedule
from srpo.study.schedule import Job, Study, work_off
from srpo.study.wanted import EVERYTHING, Wanted
from srpo.study.work import config_of


class Pretended:
    """A process that has done its job at once, or has failed."""

    def __init__(self, study: Study, job: Job, fails: bool) -> None:
        self.exitcode = int(fails)
        if not fails and job.kind == "trees":
            mark = study.places.mark(study.places.trees(config_of(study.settings, job.task, study.places)))
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        elif not fails:
            sets = [RIGHT] * (2 if job.task.purpose == "sweep" else 8)
            keep(study, job.task, sets, sets)

    def join(self) -> None:
        """It has ended."""


def pretend(monkeypatch: Any, failing: str = "") -> None:
    monkeypatch.setattr(schedule, "_PAUSE", 0)
    monkeypatch.setattr(
        schedule, "_start", lambda study, job: Pretended(study, job, bool(failing) and failing in job.name)
    )


def test_all_is_done_in_its_order(tmp_path, monkeypatch):
    pretend(monkeypatch)
    study, said = study_in(tmp_path), []
    assert work_off(study, 1, None, EVERYTHING, said.append) == []
    assert study.missing() == []
    begun = [line.split()[1] for line in said if line.startswith("begun")]
    assert begun[:5] == ["trees", "run", "run", "run", "run"]  # the sweep, on one set of branches
    assert begun.count("trees") == 3 and begun.count("run") == 4 + 6
    assert work_off(study, 1, None, EVERYTHING, said.append) == [] and len(said) == 2 * len(begun)


def test_only_some_methods(tmp_path, monkeypatch):
    pretend(monkeypatch)
    study = study_in(tmp_path)
    work_off(study, 2, None, Wanted(methods=("sft",)), lambda line: None)
    assert {task.method for task in study.missing()} == {"base", "srpo"}
    with pytest.raises(DataError, match="no such method"):
        Wanted(methods=("ppo",)).check(study.settings)


def test_what_fails_is_named_and_the_rest_goes_on(tmp_path, monkeypatch):
    pretend(monkeypatch, failing="test-sft-shipped-seed0")
    study = study_in(tmp_path)
    assert work_off(study, 2, None, EVERYTHING, lambda line: None) == ["test-sft-shipped-seed0-rate1e-04-updates4"]
    assert [task.id for task in study.missing()] == ["test-sft-shipped-seed0-rate1e-04-updates4"]


def test_without_branches_nothing_that_needs_them_is_begun(tmp_path, monkeypatch):
    pretend(monkeypatch, failing="seed100-")
    study = study_in(tmp_path)
    failed = work_off(study, 1, None, EVERYTHING, lambda line: None)
    assert len(failed) == 1 and failed[0].startswith("seed100-")
    assert {task.purpose for task in study.missing()} == {"sweep"}  # the base alone needs no rate
