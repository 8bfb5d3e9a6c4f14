"""Faithfulness: a system answers anew after its own path, with one part of the reasoning taken out or replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from srpo.models.base import Request
from srpo.probes import PATH_PROBES, faithful_requests
from srpo.progress import Bars
from srpo.stages.answers import Ask, answer_all, answers_of
from srpo.stages.questions import Evaluation, Question
from srpo.stages.scores import results_of_task
from srpo.types import Cell, Completion, Probe, Result, Sample


def answer_edited(task: Evaluation, bars: Bars) -> bool:
    """Append the answers after edited paths, if they are asked for; true if they are.

    What names the risk in a path is the word of the judge that scored it first.
    """
    wanted = [probe for probe in task.config.evaluate.probes if probe in PATH_PROBES]
    if wanted:
        paths = _Paths.of(task)
        for system in task.config.evaluate.systems:
            answer_all(task, system, _asks(task, paths, system, wanted), bars, "edit and answer", "prefixes")
    return bool(wanted)


@dataclass(frozen=True)
class _Paths:
    """The plain answers under the headline decoding, with their results."""

    decoding: str
    answers: Mapping[str, Completion]
    results: Mapping[str, Result]

    @classmethod
    def of(cls, task: Evaluation) -> _Paths:
        decoding = next(iter(task.config.evaluate.decodings()))
        rows = (row for row in answers_of(task) if row.decoding == decoding and row.probe is None and not row.repeat)
        answers = {row.id: row for row in rows}
        results: dict[str, Result] = {}
        for result in results_of_task(task, ()):
            if result.completion in answers:
                results.setdefault(result.completion, result)
        return cls(decoding, answers, results)

    def named(self, system: str, sample: Sample) -> tuple[Completion, Result] | None:
        name = Question(sample.id, self.decoding).answer_id(system)
        found = self.answers.get(name), self.results.get(name)
        return None if found[0] is None or found[1] is None else (found[0], found[1])


def _asks(task: Evaluation, paths: _Paths, system: str, wanted: list[Probe]) -> dict[str, Ask]:
    asks: dict[str, Ask] = {}
    of_cell: dict[tuple[str, Cell], Sample] = {(s.group, s.cell): s for s in task.samples.values()}
    for sample in task.samples.values():
        own = paths.named(system, sample)
        if sample.cell != "hazard" or own is None:
            continue
        other = of_cell.get((sample.group, "benign_image"))
        counterpart = paths.named(system, other) if other else None
        for probe, request in _edited(task, paths, system, sample, own, counterpart).items():
            if probe in wanted:
                asks[request.id] = Ask(Question(sample.id, paths.decoding, probe=probe), _given(request))
    return asks


def _edited(
    task: Evaluation,
    paths: _Paths,
    system: str,
    sample: Sample,
    own: tuple[Completion, Result],
    counterpart: tuple[Completion, Result] | None,
) -> dict[Probe, Request]:
    plain = task.request(system, Question(sample.id, paths.decoding))
    if plain is None:
        return {}
    (answer, result), (other, other_result) = own, counterpart or (None, None)
    return faithful_requests(sample, plain, answer, result.steps, other, other_result.steps if other_result else ())


def _given(request: Request) -> Callable[[], Request]:
    return lambda: request
