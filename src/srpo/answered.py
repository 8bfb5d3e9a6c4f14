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
    wanted = _asked(config, [sample.id for sample in of_splits(run, config.evaluate.splits)])
    left = max(sum(name not in scored for name in wanted) for scored in found.values())
    if left:
        count = f"{len(wanted) - left} of {len(wanted)} results"
        raise DataError(f"{run.results}: evaluate is not finished ({count}); run `srpo evaluate {run.path}` first")
    settings = config.evaluate
    by_judge = {
        judge: [r for r in of.values() if r.system in settings.systems and settings.asks(r.decoding, r.repeat, r.probe)]
        for judge, of in found.items()
    }
    return Scores(_votes(list(by_judge.values())), by_judge)


def labels_of(run: RunFolder, config: RunConfig) -> list[Label]:
    """One label per answer, protocol and judge, of the judges that labelled last.

    Raises DataError if one is missing.
    """
    if not config.benchmarks:
        return []
    rows, settings = read_records(run.labels, Label) if run.labels.exists() else [], config.evaluate
    last = {(row.benchmark, row.protocol): (row.benchmark, row.protocol, row.judge) for row in rows}
    found: dict[tuple[str, str, str], dict[str, Label]]
    found = {key: {} for key in run.read_manifest().labels or last.values()}
    for row in rows:
        if row.system in settings.systems and settings.asks(row.decoding, row.repeat):
            found.get((row.benchmark, row.protocol, row.judge), {})[row.completion] = row
    _check_labels(run, config, found)
    return [row for of_judge in found.values() for row in of_judge.values()]


def _check_labels(run: RunFolder, config: RunConfig, found: Mapping[tuple[str, str, str], Mapping[str, Label]]) -> None:
    items = items_of(run, config).values()
    for name, settings in config.benchmarks.items():
        wanted = _asked(config, [item.id for item in items if item.benchmark == name])
        for protocol in settings.protocols:
            judged = [rows for (of, under, _), rows in found.items() if (of, under) == (name, protocol)]
            left = max((sum(answer not in rows for answer in wanted) for rows in judged), default=len(wanted))
            if left:
                count = f"{len(wanted) - left} of {len(wanted)} labels of {name} under {protocol}"
                raise DataError(
                    f"{run.labels}: evaluate is not finished ({count}); run `srpo evaluate {run.path}` first"
                )


def items_of(run: RunFolder, config: RunConfig) -> dict[str, Item]:
    """Items of the public benchmarks of the run by id."""
    if not config.benchmarks:
        return {}
    return {item.id: item for item in iterate_records(run.items, Item) if item.benchmark in config.benchmarks}


def _asked(config: RunConfig, subjects: Sequence[str]) -> list[str]:
    """Ids of the plain answers of all systems to samples or items."""
    settings = config.evaluate
    return [
        answer_id(system, subject, name, repeat)
        for system in settings.systems
        for name, repeat in settings.draws()
        for subject in subjects
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
