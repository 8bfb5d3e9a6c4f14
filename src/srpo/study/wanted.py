"""Which runs of a study are asked for, by names on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from srpo.errors import DataError
from srpo.study.settings import METHODS, RATES, UPDATES, StudySettings
from srpo.study.tasks import Task


class Wanted(NamedTuple):
    """Names of methods, of parts and of bases; without any of a kind all of that kind are asked for."""

    methods: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()

    def has(self, study: StudySettings, task: Task) -> bool:
        """Whether a run is asked for."""
        asked = ((self.methods, task.method), (self.parts, part_of(task)), (self.bases, task.base))
        return all(not names or name in names for names, name in asked)

    def check(self, study: StudySettings) -> None:
        """Raises DataError if a name is none of the study's."""
        _check("--only", "method", self.methods, study.methods)
        _check("--part", "part", self.parts, parts_of(study))
        _check("--base", "base", self.bases, study.bases)


EVERYTHING: Final = Wanted()


def part_of(task: Task) -> str:
    """The part of the study that a run belongs to: its ablation, or one of the three others."""
    if task.ablation:
        return task.ablation
    if task.purpose == "sweep":
        return RATES
    return UPDATES if task.purpose == "ablation" else METHODS


def parts_of(study: StudySettings) -> tuple[str, ...]:
    """All parts, in the order of the tables."""
    return (RATES, METHODS, UPDATES, *study.ablations)


def _check(option: str, kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise DataError(f"{option} {name}: no such {kind}; there are: {', '.join(known)}")
