"""The page of all items of a run: each rate with the items that it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from srpo.answered import Answered
from srpo.benchmarks import benchmark_named
from srpo.benchmarks.rates import values
from srpo.evaluate import units
from srpo.rates import JOINT, RATES
from srpo.report.browser import render_items
from srpo.report.items import Answers, collect_items
from srpo.report.outcomes import Outcomes
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.systems import path_formats
from srpo.types import Label, Result


def items_page(run: RunFolder, config: RunConfig, answers: Answered) -> str:
    """Every judged answer as one page, beside the report."""
    alone = {} if len(answers.scores.by_judge) < 2 else answers.scores.by_judge
    outcomes = [
        *_of_samples(answers.scores.headline),
        *(one for judge, rows in alone.items() for one in _of_samples(rows, judge)),
        *_of_items(answers),
    ]
    shown = Answers(
        samples=answers.samples,
        completions=answers.completions,
        results=[*answers.scores.headline, *chain.from_iterable(alone.values())],
        items=tuple(answers.items.values()),
        labels=answers.labels,
    )
    return render_items(collect_items(shown, outcomes, path_formats(config)), run.path)


def _of_samples(results: Sequence[Result], judge: str | None = None) -> Iterator[Outcomes]:
    groups: dict[tuple[str, str, int, str | None], list[Result]] = {}
    for row in results:
        groups.setdefault((row.system, row.decoding, row.repeat, row.probe), []).append(row)
    for (system, decoding, repeat, probe), rows in groups.items():
        as_plain = [row.model_copy(update={"probe": None, "repeat": 0}) for row in rows]
        for name, rate in RATES.items():
            yield Outcomes(
                metric=name,
                system=system,
                decoding=decoding,
                values={unit.id: unit.value for unit in units(as_plain, name)},
                good=rate.good,
                by_group=name == JOINT,
                judge=judge,
                repeat=repeat,
                probe=probe,
            )


def _of_items(answers: Answered) -> Iterator[Outcomes]:
    groups: dict[tuple[str, str, str, str, str], list[Label]] = {}
    for row in answers.labels:
        key = (row.benchmark, row.protocol, row.judge, row.system, row.decoding)
        groups.setdefault(key, []).append(row)
    for (benchmark, protocol, judge, system, decoding), rows in groups.items():
        yield from _of_benchmark(answers, benchmark, protocol, judge, (system, decoding), rows)


def _of_benchmark(
    answers: Answered, benchmark: str, protocol: str, judge: str, asked: tuple[str, str], rows: Sequence[Label]
) -> Iterator[Outcomes]:
    items = [item for item in answers.items.values() if item.benchmark == benchmark]
    rules = benchmark_named(benchmark).protocols[rows[0].protocol]
    for name, rate in rules.rates.items():
        yield Outcomes(
            metric=name,
            system=asked[0],
            decoding=asked[1],
            values=values(rows, items, rules, name),
            good=rate.good,
            benchmark=benchmark,
            protocol=protocol,
            judge=judge,
            repeat=None,
        )
