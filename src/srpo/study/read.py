"""Finished runs as tables read them, and how a table and its figures are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from srpo.evaluate import Paired
from srpo.study.analysis import Rate
from srpo.study.choice import chosen_rates
from srpo.study.results import Finished, Items, Results
from srpo.study.settings import StudySettings
from srpo.study.tasks import Task, main_tasks

DECODINGS: Final = {"greedy": "Greedy decoding", "sampled": "Sampled at temperature 1"}
HEADLINE: Final = "joint_reply"
"""What decides a verdict: defined for methods that do not reason, too; reasoning has columns of its own."""


@dataclass(frozen=True)
class Table:
    """A titled table."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As it stands on a page."""
        lines = [self.header, ("---",) * len(self.header), *self.rows]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"### {self.title}\n\n{self.note}\n\n{body}\n"


@dataclass(frozen=True)
class Read:
    """All finished runs of a study, by what they are for."""

    study: StudySettings
    results: Results

    @cached_property
    def rates(self) -> dict[str, float]:
        """The chosen learning rates."""
        return chosen_rates(self.study, self.results)

    @cached_property
    def items(self) -> Items:
        """The tests' items."""
        return self.results.items("test")

    @cached_property
    def methods(self) -> dict[str, list[Finished]]:
        """Method -> its finished runs, all bases and seeds; methods without any are left out."""
        return self.grouped(main_tasks(self.study, self.rates), lambda task: task.method)

    @cached_property
    def bases(self) -> list[str]:
        """Bases with a finished run, in their order."""
        found = {run.task.base for runs in self.methods.values() for run in runs}
        return [base for base in self.study.bases if base in found]

    @cached_property
    def on_first(self) -> dict[str, list[Finished]]:
        """The runs on the first base alone: there all methods are, so their rates may stand side by side."""
        first = next(iter(self.study.bases))
        found = {name: [run for run in runs if run.task.base == first] for name, runs in self.methods.items()}
        return {name: runs for name, runs in found.items() if runs}

    @property
    def first_alone(self) -> str:
        """What a table of these says of it, if there are others."""
        return ", on the first base" if len(self.bases) > 1 else ""

    def grouped(self, tasks: Iterable[Task], key: Callable[[Task], str]) -> dict[str, list[Finished]]:
        """Finished runs of tasks, by a name of the task."""
        found: dict[str, list[Finished]] = {}
        for task in tasks:
            run = self.results.read(task)
            if run is not None:
                found.setdefault(key(task), []).append(run)
        return found


def percent(rate: Rate | None) -> str:
    if rate is None:
        return "not measured"
    if rate.interval is None:
        return f"{100 * rate.value:.1f} (no interval: one rule)"
    return f"{100 * rate.value:.1f} [{100 * rate.interval.low:.1f}, {100 * rate.interval.high:.1f}]"


def points(paired: Paired | None) -> str:
    if paired is None or paired.difference is None or paired.interval is None:
        return "not compared"
    low, high = paired.interval
    return f"{100 * paired.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def noted(runs: Sequence[Finished], name: str) -> str:
    """Mean of a figure of the log over the runs that have it; empty if none has."""
    values = [run.notes[name] for run in runs if name in run.notes]
    return f"{sum(values) / len(values):.4f}" if values else ""
