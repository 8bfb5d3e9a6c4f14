"""The stages of a run, and the only place where the packages meet.

Every stage reads finished files of the run folder and appends its own, item by item, so that it can be killed
at any moment and started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from srpo.errors import DataError, JudgeError, ModelError
from srpo.evaluate import score
from srpo.explore import Exploration, branch_requests, explore
from srpo.finished import check_contrasts, check_responses, contrasts_of, of_splits, samples_of, trees_of
from srpo.inputs import check_splits
from srpo.judge.base import Judge, JudgeItem
from srpo.models.base import Request
from srpo.models.chat import render_messages
from srpo.own_samples import read_own_samples
from srpo.progress import Advance, Bars
from srpo.records import append_records, read_records, repair, seed_of, write_records
from srpo.run_config import JudgeSettings, RunConfig
from srpo.runs import RunFolder
from srpo.systems import (
    BASE,
    SYSTEMS,
    base_path,
    check_trainable,
    check_trained,
    instruction_of,
    load_judge,
    load_system,
    trained_folder,
)
from srpo.types import Completion, Record, Report, Result, Sample, Sampling, Tree, Verdict
from srpo.world import build_samples

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_CHUNK: Final = 256
"""Requests between two appends to a file: what a kill may cost."""

_OUTAGE: Final = 8
"""So many requests that fail together mean that a server is down, not that the items are bad."""

_PASSING: Final = ("timeout", "error")
"""Failures of a judge that may be gone when it is asked again; the others hang on the text."""

_AGAIN: Final = "nothing of them is kept, resume when it works again"
_AGAIN_JUDGE: Final = {
    "oracle": "nothing of them is kept; it reads drawn scenes only, so start a run with a judge of kind model",
    "simulated": "nothing of them is kept; start a run with a lower failure_rate",
    "model": _AGAIN,
}
"""What to do about a judge of some kind that fails throughout."""


def run_stage(run: RunFolder, config: RunConfig, name: str, bars: Bars) -> None:
    """Run one stage and add its wall-clock time to the manifest, also when it is interrupted.

    Raises DataError when the disk refuses; what a stage has finished before an error is kept.
    """
    try:
        with _timed(run, name):
            STAGES[name](run, config, bars)
    except BrokenPipeError:
        raise
    except OSError as error:
        problem = f"{name} stopped ({error.strerror or error}: {error.filename or 'no file named'})"
        raise DataError(f"{run.path}: {problem}; free space or fix permissions, then resume") from error


@contextmanager
def _timed(run: RunFolder, stage: str) -> Iterator[None]:
    start = time.monotonic()
    try:
        yield
    finally:
        run.record_seconds(stage, time.monotonic() - start)


def build(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Draw the embedded world, or take over the user's samples, into `samples.jsonl`."""
    inputs = []
    if not run.samples.exists():
        instruction_of(config)
        samples = _samples(run, config, bars)
        check_splits((sample.split for sample in samples), config)
        write_records(run.samples, samples)
        inputs = [] if config.samples is None else [Path(config.samples)]
    elif config.samples is None and not all((run.path / s.image.path).is_file() for s in samples_of(run)):
        _samples(run, config, bars)  # draws the same pictures again
    run.record_files(inputs=inputs, outputs=[run.samples])


def _samples(run: RunFolder, config: RunConfig, bars: Bars) -> list[Sample]:
    if config.samples is not None:
        return read_own_samples(Path(config.samples), config)
    with bars("draw scenes", 4 * sum(config.world.sizes().values()), 0) as advance:
        return [_counted(sample, advance) for sample in build_samples(config.world, run.path)]


def explore_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Sample branches from every prefix of every training sample into `trees.jsonl`."""
    repair(run.trees)
    samples = of_splits(run, ("train",))
    done = {tree.sample for tree in _read_if_there(run.trees, Tree)}
    todo = [sample for sample in samples if sample.id not in done]
    if todo:
        _explore(run, config, samples, todo, bars)
    run.record_files(inputs=[run.samples], outputs=[run.trees])


def _explore(run: RunFolder, config: RunConfig, samples: Sequence[Sample], todo: Sequence[Sample], bars: Bars) -> None:
    plan = Exploration(**dict(config.explore), seed=config.seed, instruction=instruction_of(config))
    total, left = (sum(len(branch_requests(s, run.path, plan)) for s in some) for some in (samples, todo))
    model = load_system(run, config, BASE, bars)
    with bars("explore branches", total, total - left) as advance:
        failures = explore(todo, model, run.path, plan, lambda tree: _append(run.trees, tree), advance)
    if failures:
        raise ModelError(
            f"{run.trees}: {len(failures)} branches failed, first: {failures[0].error}; "
            "whole trees are kept, resume for the rest"
        )


def judge_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Judge the final answer of every branch into `verdicts.jsonl`."""
    samples = {sample.id: sample for sample in of_splits(run, ("train",))}
    trees = trees_of(run, samples.values())
    judge = load_judge(config, config.judge, config.seed)
    # What training has begun with stays as it is.
    again = config.judge.kind == "model" and not _training_begun(run)
    _drop(run.verdicts, Verdict, lambda v: again and v.judge == judge.name and v.failure in _PASSING)
    done = {(v.subject, v.node) for v in _read_if_there(run.verdicts, Verdict) if v.judge == judge.name}
    items = [
        JudgeItem(
            subject=tree.id,
            node=node,
            sample=samples[tree.sample],
            folder=run.path,
            part="answer",
            text=tree.walk(node),
            truncated=tree.nodes[node].finish == "length",
        )
        for tree in trees
        for node in tree.branches
    ]
    todo = [item for item in items if (item.subject, item.node) not in done]
    with bars("judge branches", len(items), len(items) - len(todo)) as advance:
        for chunk in _chunks(todo, _CHUNK):
            append_records(run.verdicts, _judged(judge, config.judge, chunk, advance))
    run.record_files(inputs=[run.trees], outputs=[run.verdicts])


def train_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Train from the base model on references and contrasts into `checkpoint/`; resumes from its last step."""
    check_trainable(config)
    contrasts, _ = contrasts_of(run, config)
    if _training_begun(run):
        check_contrasts(run, contrasts)
    else:
        write_records(run.contrasts, contrasts)
    if trained_folder(run).exists():
        check_trained(run)
    else:
        samples = of_splits(run, ("train",))
        trees = trees_of(run, samples)
        with bars("load trainer", 1, 0) as advance:  # torch and transformers load only here
            from srpo.train import TreeDataset
            from srpo.training import train

            advance(1)
        dataset = TreeDataset(samples, trees, contrasts, run.path, instruction_of(config))
        train(run, config, dataset, bars, base_path(config))
    run.record_files(inputs=[run.samples, run.trees, run.contrasts], outputs=[trained_folder(run)])


def _training_begun(run: RunFolder) -> bool:
    return run.contrasts.exists() and any(run.checkpoint.glob("*"))


def evaluate_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Let base and trained model answer the held-out samples, and score the answers."""
    check_trained(run)
    samples = of_splits(run, config.evaluate.splits)
    _forget_failures(run)
    check_responses(run, _read_if_there(run.responses, Completion))
    run.record_files(inputs=[trained_folder(run)])
    for system in SYSTEMS:
        _answer(run, config, samples, system, bars)
    _score_responses(run, config, {sample.id: sample for sample in samples}, bars)
    run.record_files(inputs=[run.samples], outputs=[run.responses, run.results])


def _forget_failures(run: RunFolder) -> None:
    """Take out answers that a failure of the backend left empty, so that they are asked for again."""
    repair(run.responses)
    failed = {r.id for r in _read_if_there(run.responses, Completion) if r.finish == "error"}
    # Results go first: a kill in between leaves nothing that would be taken for done.
    _drop(run.results, Result, lambda result: result.completion in failed)
    _drop(run.responses, Completion, lambda response: response.id in failed)


def _answer(run: RunFolder, config: RunConfig, samples: Sequence[Sample], system: str, bars: Bars) -> None:
    """Append one system's answers; in a function of its own, so that one model at a time is in memory."""
    done = {completion.id for completion in _read_if_there(run.responses, Completion)}
    decodings = config.evaluate.decodings()
    rows = [(name, sample) for name in decodings for sample in samples]
    todo = [(name, sample) for name, sample in rows if _response_id(system, name, sample) not in done]
    if not todo:
        return
    model = load_system(run, config, system, bars)
    with bars(f"answer as {system}", len(rows), len(rows) - len(todo)) as advance:
        for chunk in _chunks(todo, _CHUNK):
            asked = [_answer_request(run, config, system, n, s, decodings[n]) for n, s in chunk]
            answers = model.generate(asked, advance)
            _check_outage(model.name, [a.error for a in answers if a.finish == "error"], len(answers))
            labels = [{"sample": s.id, "system": system, "decoding": name} for name, s in chunk]
            pairs = zip(answers, labels, strict=True)
            append_records(run.responses, [answer.model_copy(update=label) for answer, label in pairs])


def report_stage(run: RunFolder, config: RunConfig, bars: Bars) -> None:
    """Write `report.json` and `report.html` from the finished files."""
    from srpo.reporting import write_report

    write_report(run, config, bars)


STAGES: Final[dict[str, Callable[[RunFolder, RunConfig, Bars], None]]] = {
    "build": build,
    "explore": explore_stage,
    "judge": judge_stage,
    "train": train_stage,
    "evaluate": evaluate_stage,
    "report": report_stage,
}
"""The stages by name, in their order."""


def read_report(run: RunFolder) -> Report:
    """The finished report.  Raises DataError if it is not there or broken."""
    try:
        return Report.model_validate_json(run.report_json.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{run.report_json}: no report yet; run `srpo report {run.path}`") from None
    except ValueError as error:
        raise DataError(f"{run.report_json}: not a report of this version ({error}); run `srpo report` again") from None


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
    _drop(run.results, Result, lambda r: again and r.judge == judge.name and r.failure in _PASSING)
    done = {(r.completion, r.judge) for r in _read_if_there(run.results, Result)}
    responses = [r for r in read_records(run.responses, Completion) if r.sample in samples]
    todo = [r for r in responses if (r.id, judge.name) not in done]
    with bars("judge answers", 2 * len(responses), 2 * (len(responses) - len(todo))) as advance:
        for chunk in _chunks(todo, _CHUNK):
            items = [_judge_item(run, samples[r.sample], r) for r in chunk]
            paths = _judged(judge, settings, [item.model_copy(update={"part": "path"}) for item in items], advance)
            answers = _judged(judge, settings, items, advance)
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


def _judged(judge: Judge, settings: JudgeSettings, items: Sequence[JudgeItem], advance: Advance) -> list[Verdict]:
    verdicts = judge.judge(items, advance)
    broken = [verdict.reason for verdict in verdicts if verdict.failure in _PASSING]
    if len(items) >= _OUTAGE and len(broken) == len(items):
        problem = f"all {len(broken)} judgements failed, first: {broken[0]}"
        raise JudgeError(f"{judge.name}: {problem}; {_AGAIN_JUDGE[settings.kind]}")
    return verdicts


def _check_outage(model: str, errors: Sequence[str | None], asked: int) -> None:
    if asked >= _OUTAGE and len(errors) == asked:
        raise ModelError(f"{model}: all {asked} requests failed, first: {errors[0]}; {_AGAIN}")


def _append(path: Path, record: Record) -> None:
    append_records(path, [record])


def _drop(path: Path, kind: type[R], gone: Callable[[R], bool]) -> None:
    """Mend a file that a kill has torn, and take rows out of it in one write."""
    repair(path)
    rows = _read_if_there(path, kind)
    kept = [row for row in rows if not gone(row)]
    if len(kept) < len(rows):
        write_records(path, kept)


def _read_if_there(path: Path, kind: type[R]) -> list[R]:
    return read_records(path, kind) if path.exists() else []


def _counted(sample: Sample, advance: Callable[[int], None]) -> Sample:
    advance(1)
    return sample


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
