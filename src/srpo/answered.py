"""What a finished evaluation holds: answers, results of every judge, and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from srpo.errors import DataError
from srpo.finished import answer_id, of_splits
from srpo.judge.vote import vote_results
from srpo.records import iterate_records, read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.types import Completion, Item, Label, Result, Sample


class Scores(NamedTuple):
    """Results of every answer to a sample."""

    headline: list[Result]
    """Those of the judge, or the votes of the panel."""
    by_judge: dict[str, list[Result]]
    """Judge -> its results, in the order of the panel."""


@dataclass(frozen=True)
class Answered:
    """All rows of a finished evaluation."""

    samples: Sequence[Sample]
    completions: Sequence[Completion]
    scores: Scores
    items: Mapping[str, Item]
    labels: Sequence[Label]

    @cached_property
    def plain(self) -> list[Result]:
        """Results of unchanged requests, the first draw of each."""
        return [row for row in self.scores.headline if row.probe is None and not row.repeat]


def answered(run: RunFolder, config: RunConfig) -> Answered:
    """The answers of a run and what was said of them.  Raises DataError if evaluation is not finished."""
    splits = config.evaluate.splits
    return Answered(
        samples=of_splits(run, splits) if splits else [],
        completions=read_records(run.responses, Completion),
        scores=results_of(run, config),
        items=items_of(run, config),
        labels=labels_of(run, config),
    )


def results_of(run: RunFolder, config: RunConfig) -> Scores:
    """One result per answer and judge, of the judges that scored last.

    Raises DataError if one is missing of what every system is asked; answers to probes may be missing.
    """
    if not config.evaluate.splits:
        return Scores([], {})
    rows = read_records(run.results, Result)
    if not rows:
        raise DataError(f"{run.results}: holds no result; run `srpo evaluate {run.path}` first")
    judges = run.read_manifest().judges or (rows[-1].judge,)
    found: dict[str, dict[str, Result]] = {judge: {} for judge in judges}
    for row in rows:
        if row.judge in found:
            found[row.judge][row.completion] = row
    wanted = _wanted_results(run, config)
    left = max(sum(name not in scored for name in wanted) for scored in found.values())
    if left:
        count = f"{len(wanted) - left} of {len(wanted)} results"
        raise DataError(f"{run.results}: evaluate is not finished ({count}); run `srpo evaluate {run.path}` first")
    systems = config.evaluate.systems
    by_judge = {judge: [row for row in of.values() if row.system in systems] for judge, of in found.items()}
    return Scores(_votes(list(by_judge.values())), by_judge)


def labels_of(run: RunFolder, config: RunConfig) -> list[Label]:
    """Labels of the benchmarks and systems of the run.  Raises DataError if a benchmark has none."""
    if not config.benchmarks:
        return []
    systems, benchmarks = config.evaluate.systems, config.benchmarks
    found = read_records(run.labels, Label) if run.labels.exists() else []
    rows = [row for row in found if row.system in systems and row.benchmark in benchmarks]
    missing = sorted(benchmarks.keys() - {row.benchmark for row in rows})
    if missing:
        raise DataError(f"{run.labels}: holds no label of {missing[0]}; run `srpo evaluate {run.path}` first")
    return rows


def items_of(run: RunFolder, config: RunConfig) -> dict[str, Item]:
    """Items of the public benchmarks of the run by id."""
    if not config.benchmarks:
        return {}
    return {item.id: item for item in iterate_records(run.items, Item) if item.benchmark in config.benchmarks}


def _wanted_results(run: RunFolder, config: RunConfig) -> list[str]:
    samples, settings = of_splits(run, config.evaluate.splits), config.evaluate
    return [
        answer_id(system, sample.id, name, repeat)
        for system in settings.systems
        for name, repeat in settings.draws()
        for sample in samples
    ]


def _votes(judges: Sequence[Sequence[Result]]) -> list[Result]:
    """The results of one judge as they are, those of several put together."""
    if len(judges) == 1:
        return list(judges[0])
    by_answer: dict[str, list[Result]] = {}
    for row in chain.from_iterable(judges):
        by_answer.setdefault(row.completion, []).append(row)
    # Probes of an earlier start may have been scored by some judges only; those are no votes of the panel.
    return [vote_results(rows) for rows in by_answer.values() if len(rows) == len(judges)]
