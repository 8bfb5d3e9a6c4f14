"""Held-out samples to answers and scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from srpo.errors import DataError
from srpo.evaluate import score
from srpo.finished import check_responses, of_splits
from srpo.judge.base import Judge, JudgeItem
from srpo.models.base import Model, Request
from srpo.models.chat import render_messages
from srpo.progress import Advance, Bars
from srpo.records import append_records, repair, seed_of, write_text
from srpo.run_config import TRAINED, RunConfig
from srpo.runs import RunFolder, StageFiles, digest
from srpo.stages.outages import PASSING, check_judge, check_outage, check_servers
from srpo.stages.rows import CHUNK, chunks, drop_rows, replace_rows, rows_if_there
from srpo.stages.shard import Shard, files_of, is_held
from srpo.systems import check_trained, instruction_of, load_judge, load_system
from srpo.types import Completion, Result, Sample, Sampling, Verdict

_MODEL: Final = "model.sha256"
"""In a shard's folder: hash of the trained model that answered."""


@dataclass(frozen=True)
class Evaluation:
    """What one process answers and scores, and where its rows go."""

    run: RunFolder
    config: RunConfig
    out: StageFiles
    samples: Mapping[str, Sample]


def evaluate_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Let base and trained model answer the held-out samples, and score the answers."""
    evaluate_samples(run, config, None, bars)
    run.record_files(inputs=[run.samples], outputs=[run.responses, run.results])


def evaluate_samples(run: RunFolder, config: RunConfig, shard: Shard | None, bars: Bars) -> None:
    """Answer and score what is not there yet.

    Failures of an earlier start that may pass are asked for again, and replaced where they stand.
    """
    out = files_of(run, "evaluate", shard)
    repair(out.responses)
    repair(out.results)
    if TRAINED in config.evaluate.systems:
        trained = check_trained(run, config.rounds)
        check_responses(run, config, rows_if_there(run.responses, Completion))
        if shard is None:
            run.record_files(inputs=[trained])
        else:
            check_model(out, model := digest(trained))
            write_text(out.path / _MODEL, model)
    samples = {s.id: s for s in of_splits(run, config.evaluate.splits) if is_held(shard, s.id)}
    task = Evaluation(run, config, out, samples)
    for system in config.evaluate.systems:
        _answer(task, system, bars)
    _score(task, bars)


def check_model(shard: StageFiles, model: str) -> None:
    """Raises DataError if a shard has answers of another trained model than the one with this hash."""
    file = shard.path / _MODEL
    if file.exists() and file.read_text() != model:
        mend = f"delete {shard.path} and run this shard again"
        raise DataError(f"{file}: the shard answered with another trained model than there is now; {mend}")


def _answer(task: Evaluation, system: str, bars: Bars) -> None:
    """Append one system's answers; in a function of its own, so that one model at a time is in memory."""
    rows = {
        response_id(system, decoding, sample.id): (decoding, sample)
        for decoding in task.config.evaluate.decodings()
        for sample in task.samples.values()
    }
    found = {answer.id: answer.finish for answer in _answers(task)}
    todo = [row for name, row in rows.items() if name not in found]
    failed = {name: row for name, row in rows.items() if found.get(name) == "error"}
    if not todo and not failed:
        return
    model = load_system(task.run, task.config, system, bars)
    check_servers(task.config.model, model, "texts")
    with bars(f"answer as {system}", len(rows), len(rows) - len(todo) - len(failed)) as advance:
        for chunk in chunks(todo, CHUNK):
            answers = _ask(task, system, chunk, model, advance)
            check_outage(model.name, [a.error for a in answers if a.finish == "error"], len(answers))
            append_records(task.out.responses, answers)
        # Results go first: a kill in between leaves none that belongs to another answer.
        drop_rows(task.out.results, Result, lambda result: result.completion in failed)
        again = (a for chunk in chunks(failed.values(), CHUNK) for a in _ask(task, system, chunk, model, advance))
        replace_rows(task.out.responses, Completion, lambda answer: answer.id, again)


def _ask(
    task: Evaluation, system: str, rows: Sequence[tuple[str, Sample]], model: Model, advance: Advance
) -> list[Completion]:
    """Answers to (name of the decoding, sample)."""
    sampling = task.config.evaluate.decodings()
    answers = model.generate([_request(task, system, name, s, sampling[name]) for name, s in rows], advance)
    labels = [{"sample": s.id, "system": system, "decoding": name} for name, s in rows]
    return [answer.model_copy(update=label) for answer, label in zip(answers, labels, strict=True)]


def _request(task: Evaluation, system: str, decoding: str, sample: Sample, sampling: Sampling) -> Request:
    """The request of one answer; both systems draw with the same seed."""
    return Request(
        id=response_id(system, decoding, sample.id),
        messages=render_messages(sample, task.run.path, instruction_of(task.config)),
        sampling=sampling,
        seed=seed_of("evaluate", task.config.seed, sample.id),
    )


def _score(task: Evaluation, bars: Bars) -> None:
    settings = task.config.evaluate.judge or task.config.judge
    judge = load_judge(task.config, settings, task.config.seed)
    passing = PASSING if settings.kind == "model" else ()
    found = {row.completion: row.failure for row in _results(task, passing) if row.judge == judge.name}
    answers = [row for row in _answers(task) if row.sample in task.samples]
    todo = [row for row in answers if row.id not in found]
    failed = [row for row in answers if found.get(row.id) in passing]
    left = len(todo) + len(failed)
    if left:
        check_servers(settings.model, judge, "texts")
    with bars("judge answers", 2 * len(answers), 2 * (len(answers) - left)) as advance:
        for chunk in chunks(todo, CHUNK):
            paths, replies = _judge(task, judge, chunk, advance)
            check_judge(judge.name, settings, paths)
            check_judge(judge.name, settings, replies)
            append_records(task.out.results, _scored(task, chunk, paths, replies))
        again = (r for c in chunks(failed, CHUNK) for r in _scored(task, c, *_judge(task, judge, c, advance)))
        replace_rows(task.out.results, Result, lambda result: (result.completion, result.judge), again)


def _judge(
    task: Evaluation, judge: Judge, answers: Sequence[Completion], advance: Advance
) -> tuple[list[Verdict], list[Verdict]]:
    """Verdicts on the paths and on the replies."""
    items = [_judge_item(task.run, task.samples[str(row.sample)], row) for row in answers]
    paths = judge.judge([item.model_copy(update={"part": "path"}) for item in items], advance)
    return paths, judge.judge(items, advance)


def _scored(
    task: Evaluation, answers: Sequence[Completion], paths: Sequence[Verdict], replies: Sequence[Verdict]
) -> list[Result]:
    rows = zip(answers, paths, replies, strict=True)
    return [score(answer, task.samples[str(answer.sample)], path, reply) for answer, path, reply in rows]


def _answers(task: Evaluation) -> Iterator[Completion]:
    """Answers of this process, and those that the run has had before it was divided."""
    yield from rows_if_there(task.out.responses, Completion)
    if task.out is not task.run:
        yield from (row for row in rows_if_there(task.run.responses, Completion) if row.finish != "error")


def _results(task: Evaluation, passing: Sequence[str]) -> Iterator[Result]:
    yield from rows_if_there(task.out.results, Result)
    if task.out is not task.run:
        asked_again = failed_answers(task.run)
        own = (row for row in rows_if_there(task.run.results, Result) if row.completion not in asked_again)
        yield from (row for row in own if row.failure not in passing)


def failed_answers(run: RunFolder) -> set[str]:
    """Ids of the run's own answers that failed: shards ask for them again, and their results count no more."""
    return {row.id for row in rows_if_there(run.responses, Completion) if row.finish == "error"}


def _judge_item(run: RunFolder, sample: Sample, completion: Completion) -> JudgeItem:
    return JudgeItem(
        subject=completion.id,
        sample=sample,
        folder=run.path,
        part="answer",
        text=completion.text,
        truncated=completion.finish == "length",
    )


def response_id(system: str, decoding: str, sample: str) -> str:
    """Id of the answer to a sample, named by its id."""
    return f"{system}:{decoding}:{sample}"
