"""Finished runs, and the systems of them that are to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from srpo.answered import items_of, labels_of, results_of
from srpo.config import load_config
from srpo.errors import ConfigError
from srpo.records import content_id, file_sha256, iterate_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.types import Item, Label, Result, Sample


@dataclass(frozen=True)
class Run:
    """What a finished run says of its systems.

    `samples` and `questions` hold, by id, a digest of what each sample of RSBench and each item of a public benchmark
    asks and is judged by: two runs may have drawn other ones under the same ids.
    """

    name: str
    systems: tuple[str, ...]
    results: Sequence[Result]
    labels: Sequence[Label]
    items: Mapping[str, Item]
    samples: Mapping[str, str]
    questions: Mapping[str, str]

    @cached_property
    def pictures(self) -> dict[str, str]:
        """Item -> digest of the bytes of its pictures; items with a picture that is not there any more are left out."""
        paths = {item.id: [Path(image) for image in item.images] for item in self.items.values()}
        return {
            name: content_id(*map(file_sha256, files))
            for name, files in paths.items()
            if all(f.is_file() for f in files)
        }


@dataclass(frozen=True)
class Side:
    """One system of a run, under the name that tables give it."""

    name: str
    run: Run
    system: str


def read_sides(arguments: Sequence[str]) -> list[Side]:
    """The systems that `RUN` (all of a run folder) or `RUN:SYSTEM` name, each once, in order.

    Systems of several runs are called `RUN:SYSTEM`.  Raises ConfigError if fewer than two systems are named or a
    run has no such system, and DataError if a run is not there or not evaluated to the end.
    """
    parts = [_run_and_system(argument) for argument in arguments]
    runs = {path: read_run(path) for path in dict.fromkeys(path for path, _ in parts)}
    chosen = dict.fromkeys((path, name) for path, system in parts for name in _systems(runs[path], system))
    if len(chosen) < 2:
        named = ", ".join(f"{path}:{system}" for path, system in chosen)
        raise ConfigError(f"a comparison needs two systems, got {named}; name another run, or RUN:SYSTEM twice")
    alone = len(runs) == 1
    return [Side(name if alone else f"{path}:{name}", runs[path], name) for path, name in chosen]


def read_run(path: Path) -> Run:
    """A finished run.  Raises DataError if it is not there, or not evaluated to the end."""
    folder = RunFolder.open(path)
    config = load_config(folder.config, [], RunConfig)
    results = results_of(folder, config).headline
    asked = {result.sample for result in results}
    samples = (s for s in iterate_records(folder.samples, Sample) if s.id in asked) if asked else ()
    items = items_of(folder, config)
    return Run(
        name=str(path),
        systems=config.evaluate.systems,
        results=results,
        labels=labels_of(folder, config),
        items=items,
        samples={s.id: _sample_digest(s) for s in samples},
        questions={item.id: _item_digest(item) for item in items.values()},
    )


def _sample_digest(sample: Sample) -> str:
    judged_by = (sample.cell, sample.group, sample.hypothesis, sample.reference.text)
    return content_id(sample.question, sample.image and sample.image.sha256, *judged_by)


def _item_digest(item: Item) -> str:
    return content_id(item.question, item.options, item.correct, item.reference, item.risk)


def _run_and_system(argument: str) -> tuple[Path, str | None]:
    run, _, system = argument.rpartition(":")
    return (Path(argument), None) if not run or Path(argument).is_dir() else (Path(run), system)


def _systems(run: Run, wanted: str | None) -> tuple[str, ...]:
    if wanted is None:
        return run.systems
    if wanted not in run.systems:
        raise ConfigError(f"{run.name}: no system {wanted!r}; it has {', '.join(run.systems)}")
    return (wanted,)
