"""Held-out samples to answers and scores."""

from __future__ import annotations

from collections.abc import Sequence

from srpo.evaluate import score
from srpo.finished import check_responses, of_splits
from srpo.judge.base import JudgeItem
from srpo.models.base import Request
from srpo.models.chat import render_messages
from srpo.progress import Bars
from srpo.records import append_records, read_records, repair, seed_of
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages.outages import PASSING, check_outage, judged
from srpo.stages.rows import CHUNK, chunks, drop_rows, rows_if_there
from srpo.systems import SYSTEMS, check_trained, instruction_of, load_judge, load_system, trained_folder
from srpo.types import Completion, Result, Sample, Sampling


def evaluate_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Let base and trained model answer the held-out samples, and score the answers."""
    check_trained(run)
    samples = of_splits(run, config.evaluate.splits)
    _forget_failures(run)
    check_responses(run, rows_if_there(run.responses, Completion))
    run.record_files(inputs=[trained_folder(run)])
    for system in SYSTEMS:
        _answer(run, config, samples, system, bars)
    _score_responses(run, config, {sample.id: sample for sample in samples}, bars)
    run.record_files(inputs=[run.samples], outputs=[run.responses, run.results])


def _forget_failures(run: RunFolder) -> None:
    """Take out answers that a failure of the backend left empty, so that they are asked for again."""
    repair(run.responses)
    failed = {r.id for r in rows_if_there(run.responses, Completion) if r.finish == "error"}
    # Results go first: a kill in between leaves nothing that would be taken for done.
    drop_rows(run.results, Result, lambda result: result.completion in failed)
    drop_rows(run.responses, Completion, lambda response: response.id in failed)


def _answer(run: RunFolder, config: RunConfig, samples: Sequence[Sample], system: str, bars: Bars) -> None:
    """Append one system's answers; in a function of its own, so that one model at a time is in memory."""
    done = {completion.id for completion in rows_if_there(run.responses, Completion)}
    decodings = config.evaluate.decodings()
    rows = [(name, sample) for name in decodings for sample in samples]
    todo = [(name, sample) for name, sample in rows if _response_id(system, name, sample) not in done]
    if not todo:
        return
    model = load_system(run, config, system, bars)
    with bars(f"answer as {system}", len(rows), len(rows) - len(todo)) as advance:
        for chunk in chunks(todo, CHUNK):
            asked = [_answer_request(run, config, system, n, s, decodings[n]) for n, s in chunk]
            answers = model.generate(asked, advance)
            check_outage(model.name, [a.error for a in answers if a.finish == "error"], len(answers))
            labels = [{"sample": s.id, "system": system, "decoding": name} for name, s in chunk]
            pairs = zip(answers, labels, strict=True)
            append_records(run.responses, [answer.model_copy(update=label) for answer, label in pairs])


def _answer_request(
    run: RunFolder, config: RunConfig, system: str, decoding: str, sample: Sample, sampling: Sampling
) -> Request:
    """The request of one answer; both systems draw with the same seed."""
    return Request(
        id=_response_id(system, decoding, sample),
        messages=render_messages(sample, run.path, instruction_of(config)),
        sampling=sampling,
        seed=seed_of("evaluate", config.seed, sample.id),
    )


def _score_responses(run: RunFolder, config: RunConfig, samples: dict[str, Sample], bars: Bars) -> None:
    settings = config.evaluate.judge or config.judge
    judge = load_judge(config, settings, config.seed)
    again = settings.kind == "model"
    drop_rows(run.results, Result, lambda r: again and r.judge == judge.name and r.failure in PASSING)
    done = {(r.completion, r.judge) for r in rows_if_there(run.results, Result)}
    responses = [r for r in read_records(run.responses, Completion) if r.sample in samples]
    todo = [r for r in responses if (r.id, judge.name) not in done]
    with bars("judge answers", 2 * len(responses), 2 * (len(responses) - len(todo))) as advance:
        for chunk in chunks(todo, CHUNK):
            items = [_judge_item(run, samples[r.sample], r) for r in chunk]
            paths = judged(judge, settings, [item.model_copy(update={"part": "path"}) for item in items], advance)
            answers = judged(judge, settings, items, advance)
            rows = zip(chunk, paths, answers, strict=True)
            append_records(run.results, [score(r, samples[r.sample], path, answer) for r, path, answer in rows])


def _judge_item(run: RunFolder, sample: Sample, completion: Completion) -> JudgeItem:
    return JudgeItem(
        subject=completion.id,
        sample=sample,
        folder=run.path,
        part="answer",
        text=completion.text,
        truncated=completion.finish == "length",
    )


def _response_id(system: str, decoding: str, sample: Sample) -> str:
    return f"{system}:{decoding}:{sample.id}"
