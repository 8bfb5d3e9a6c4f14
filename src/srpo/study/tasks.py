"""The runs of a study: which there are, in which order, and what each is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from operator import itemgetter
from typing import Final

from srpo.study.settings import Elsewhere, Purpose, StudySettings
from srpo.types import Record

UNTUNED: Final = 0.0
"""Learning rate of what is not trained."""


class Task(Record):
    """One run: a method on a base with a seed."""

    purpose: Purpose
    method: str
    base: str
    seed: int
    rate: float
    updates: int
    ablation: str = ""
    variant: str = ""

    @property
    def id(self) -> str:
        """Name of its file, without its ending."""
        what = f"{self.method}+{self.ablation}={self.variant}" if self.ablation else self.method
        return f"{self.purpose}-{what}-{self.base}-seed{self.seed}-rate{self.rate:.0e}-updates{self.updates}"


def sweep_tasks(study: StudySettings) -> Iterator[Task]:
    """The same learning rates for every method that is trained, on the first base."""
    base = next(iter(study.bases))
    for seed in study.sweep.seeds:
        for rate in study.sweep.rates:
            for name, method in study.methods.items():
                if method.tuned and not method.rate_of:
                    yield Task(purpose="sweep", method=name, base=base, seed=seed, rate=rate, updates=study.updates)


def main_tasks(study: StudySettings, chosen: Mapping[str, float]) -> Iterator[Task]:
    """Every method whose rate is chosen, base by base and seed by seed, so that early stops leave whole comparisons."""
    first = next(iter(study.bases))
    for base in study.bases:
        own = study.elsewhere if base != first else Elsewhere()
        names = own.methods or tuple(study.methods)
        for seed in own.seeds or study.seeds:
            yield from (_test(study, name, base, seed, chosen) for name in names if name in chosen)


def curve_tasks(study: StudySettings, chosen: Mapping[str, float]) -> Iterator[Task]:
    """Methods over numbers of updates, on the first base; the point of the study's own number is a main run."""
    base = next(iter(study.bases))
    for seed in study.curve.seeds:
        for updates in study.curve.updates:
            for name in study.curve.methods:
                if name in chosen and updates != study.updates:
                    own = {"updates": updates, "purpose": "ablation"}
                    yield _test(study, name, base, seed, chosen).model_copy(update=own)


def ablation_tasks(study: StudySettings, chosen: Mapping[str, float]) -> Iterator[Task]:
    """Variants of methods, on the first base, with the rate of the method itself; all with one seed come first."""
    base, tasks = next(iter(study.bases)), []
    for title, ablation in study.ablations.items():
        purpose = "sweep" if ablation.development else "ablation"
        for place, seed in enumerate(study.sweep.seeds if ablation.development else ablation.seeds):
            for variant, name in product(ablation.variants, ablation.methods):
                if name in chosen:
                    own = {"ablation": title, "variant": variant, "purpose": purpose}
                    tasks.append((place, _test(study, name, base, seed, chosen).model_copy(update=own)))
    yield from (task for _, task in sorted(tasks, key=itemgetter(0)))


def all_tasks(study: StudySettings, chosen: Mapping[str, float]) -> list[Task]:
    """All runs that can be named now, each once; what is chosen on development splits comes before the tests."""
    ablations = list(ablation_tasks(study, chosen))
    parts: Sequence[Iterable[Task]] = (
        sweep_tasks(study),
        (task for task in ablations if task.purpose == "sweep"),
        main_tasks(study, chosen),
        curve_tasks(study, chosen),
        (task for task in ablations if task.purpose == "ablation"),
    )
    return list({task.id: task for part in parts for task in part}.values())


def _test(study: StudySettings, name: str, base: str, seed: int, chosen: Mapping[str, float]) -> Task:
    updates = study.updates if study.methods[name].tuned else 0
    return Task(purpose="test", method=name, base=base, seed=seed, rate=chosen[name], updates=updates)
