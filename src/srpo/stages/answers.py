"""Questions to answers: one system at a time, appended as they come, failures asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from srpo.models.base import Model, Request
from srpo.progress import Advance, Bars
from srpo.records import append_records
from srpo.runs import RunFolder
from srpo.stages.outages import check_outage, check_servers
from srpo.stages.questions import Evaluation, Question
from srpo.stages.rows import CHUNK, chunks, drop_rows, replace_rows, rows_if_there
from srpo.systems import load_system, spec_of
from srpo.types import Completion, Label, Result

if TYPE_CHECKING:
    from srpo.models.probe import Needs


class Ask(NamedTuple):
    """A question and its request, made when its turn comes; none if there is nothing to ask."""

    question: Question
    request: Callable[[], Request | None]


def answer_plain(task: Evaluation, system: str, bars: Bars) -> None:
    """Append one system's answers to all questions that do not hang on an answer."""

    def ask(question: Question) -> Ask:
        return Ask(question, lambda: task.request(system, question))

    answer_all(task, system, {q.answer_id(system): ask(q) for q in task.questions()}, bars)


def answer_all(
    task: Evaluation, system: str, asks: Mapping[str, Ask], bars: Bars, title: str = "answer", needs: Needs = "texts"
) -> None:
    """Append the answers that are not there yet; those that failed are replaced where they stand.

    In a function of its own, so that one model at a time is in memory; it is loaded if there is something to ask.
    """
    found = {answer.id: answer.finish for answer in answers_of(task) if answer.id in asks}
    new = {name: ask for name, ask in asks.items() if name not in found}
    failed = {name: ask for name, ask in asks.items() if found.get(name) == "error"}
    if all(ask.request() is None for ask in (*new.values(), *failed.values())):
        return
    # What was scored goes first: a kill in between leaves nothing that belongs to another answer.
    drop_rows(task.out.results, Result, lambda result: result.completion in new or result.completion in failed)
    drop_rows(task.out.labels, Label, lambda label: label.completion in new or label.completion in failed)
    model = load_system(task.run, task.config, system, bars)
    check_servers(spec_of(task.config, system), model, needs, pictures=task.has_pictures)
    with bars(f"{title} as {system}", len(asks), len(asks) - len(new) - len(failed)) as advance:
        for chunk in chunks(new.values(), CHUNK):
            answers = _ask(system, chunk, model, advance)
            check_outage(system, [a.error for a in answers if a.finish == "error"], len(answers))
            append_records(task.out.responses, answers)
        again = (a for chunk in chunks(failed.values(), CHUNK) for a in _ask(system, chunk, model, advance))
        replace_rows(task.out.responses, Completion, lambda answer: answer.id, again)


def answers_of(task: Evaluation) -> Iterator[Completion]:
    """Answers of this process, and those that the run has had before it was divided, as far as they are asked for."""
    settings = task.config.evaluate
    rows = rows_if_there(task.out.responses, Completion)
    if task.shard is not None:
        before = (row for row in rows_if_there(task.run.responses, Completion) if row.finish != "error")
        rows = chain(rows, before)
    for row in rows:
        if row.system in settings.systems and settings.asks(row.decoding, row.repeat, row.probe):
            yield row


def failed_answers(run: RunFolder) -> set[str]:
    """Ids of the run's own answers that failed: shards ask for them again, and their results count no more."""
    return {row.id for row in rows_if_there(run.responses, Completion) if row.finish == "error"}


def _ask(system: str, asks: Sequence[Ask], model: Model, advance: Advance) -> list[Completion]:
    """Answers with their labels; a continuation is put behind what was there before it."""
    made = [(ask.question, request) for ask in asks if (request := ask.request()) is not None]
    advance(len(asks) - len(made))
    if not made:
        return []
    answers = model.generate([request for _, request in made], advance)
    return [_labelled(a, system, q, request) for a, (q, request) in zip(answers, made, strict=True)]


def _labelled(answer: Completion, system: str, question: Question, request: Request) -> Completion:
    return answer.model_copy(
        update={
            "sample": question.subject,
            "system": system,
            "decoding": question.decoding,
            "repeat": question.repeat,
            "probe": question.probe,
            "text": "".join(request.prefix) + answer.text if answer.finish != "error" else answer.text,
        }
    )
