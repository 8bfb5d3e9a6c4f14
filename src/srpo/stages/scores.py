"""Answers to results and labels, judge by judge; scoring again with another judge asks no system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from srpo.benchmarks import BenchmarkJudge, benchmark_named
from srpo.judge.base import Judge
from srpo.models.base import Model
from srpo.own_items import prompts_of
from srpo.pictures import any_picture
from srpo.progress import Advance, Bars
from srpo.records import append_records
from srpo.run_config import JudgeSettings
from srpo.scoring import Judged, Written, judge_answers
from srpo.stages.answers import answers_of, failed_answers
from srpo.stages.outages import PASSING, check_judge, check_labels, check_servers
from srpo.stages.questions import Evaluation
from srpo.stages.rows import CHUNK, chunks, replace_rows, rows_if_there
from srpo.systems import judge_model, load_judge
from srpo.types import Completion, Label, Protocol, Result


def score_samples(task: Evaluation, settings: JudgeSettings, bars: Bars) -> str:
    """Append one judge's results of all answers to samples, and return the judge's name."""
    judge = load_judge(task.config, settings, task.config.seed, labels_branches=False)
    passing = PASSING if settings.kind == "model" else ()
    found = {row.completion: row.failure for row in results_of_task(task, passing) if row.judge == judge.name}
    answers = [row for row in answers_of(task) if row.sample in task.samples]
    todo = [row for row in answers if row.id not in found]
    failed = [row for row in answers if found.get(row.id) in passing]
    left = len(todo) + len(failed)
    if left:
        check_servers(settings.model, judge, "texts", pictures=any_picture(task.samples.values()))
    with bars("judge answers", 2 * len(answers), 2 * (len(answers) - left)) as advance:
        for chunk in chunks(todo, CHUNK):
            judged = _judge(task, judge, chunk, advance)
            check_judge(judge.name, settings, judged.paths)
            check_judge(judge.name, settings, judged.replies)
            append_records(task.out.results, judged.results)
        again = (result for c in chunks(failed, CHUNK) for result in _judge(task, judge, c, advance).results)
        replace_rows(task.out.results, Result, lambda result: (result.completion, result.judge), again)
    return judge.name


def label_items(
    task: Evaluation, benchmark: str, settings: JudgeSettings | None, bars: Bars
) -> list[tuple[str, str, str]]:
    """Append labels of all answers to a benchmark's items, under every protocol that is asked for.

    `settings` are those of a judge of kind model, or none where rules suffice.  Returns (benchmark, protocol, judge).
    """
    model = None if settings is None else judge_model(task.config, settings)
    protocols = task.config.benchmarks[benchmark].protocols
    return [(benchmark, protocol, _label(task, benchmark, protocol, model, settings, bars)) for protocol in protocols]


def results_of_task(task: Evaluation, passing: Sequence[str]) -> Iterator[Result]:
    """Results of this process, and those that the run has had before it was divided, if they still count."""
    yield from rows_if_there(task.out.results, Result)
    if task.shard is not None:
        asked_again = failed_answers(task.run)
        own = (row for row in rows_if_there(task.run.results, Result) if row.completion not in asked_again)
        yield from (row for row in own if row.failure not in passing)


def _judge(task: Evaluation, judge: Judge, answers: Sequence[Completion], advance: Advance) -> Judged:
    return judge_answers(judge, [_written(task, row) for row in answers], task.run.path, advance)


def _written(task: Evaluation, answer: Completion) -> Written:
    own = task.config.systems.get(answer.system)
    return Written(answer, task.samples[answer.sample], own.path_format if own else "six_steps")


def _label(
    task: Evaluation, name: str, protocol: Protocol, model: Model | None, settings: JudgeSettings | None, bars: Bars
) -> str:
    prompts = prompts_of(name, protocol, task.config)
    judge = BenchmarkJudge(benchmark_named(name).protocols[protocol], model, prompts=prompts)
    rows = [row for row in _labels(task) if row.protocol == protocol and row.judge == judge.name]
    found = {row.completion: row.failure for row in rows if row.benchmark == name}
    pairs = [(item, row) for row in answers_of(task) if (item := task.items.get(row.sample)) and item.benchmark == name]
    todo = [pair for pair in pairs if pair[1].id not in found]
    failed = [pair for pair in pairs if found.get(pair[1].id) in PASSING]
    left = len(todo) + len(failed)
    if left and model is not None and settings is not None:
        pictures = any(item.images for item, _ in pairs)
        check_servers(settings.model, model, "texts", pictures=pictures)
    with bars(f"judge {name}, {protocol}", len(pairs), len(pairs) - left) as advance:
        for chunk in chunks(todo, CHUNK):
            labels = judge.label(chunk, advance)
            check_labels(judge.name, labels)
            append_records(task.out.labels, labels)
        again = (label for chunk in chunks(failed, CHUNK) for label in judge.label(chunk, advance))
        replace_rows(task.out.labels, Label, lambda label: (label.completion, label.protocol, label.judge), again)
    return judge.name


def _labels(task: Evaluation) -> Iterator[Label]:
    yield from rows_if_there(task.out.labels, Label)
    if task.shard is not None:
        asked_again = failed_answers(task.run)
        own = (row for row in rows_if_there(task.run.labels, Label) if row.completion not in asked_again)
        yield from (row for row in own if row.failure not in PASSING)
