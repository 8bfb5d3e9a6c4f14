"""Answers to samples, judged: what a judge is handed of an answer, and its verdicts as results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from srpo.evaluate import score
from srpo.formats import PathFormat
from srpo.judge.base import Judge, JudgeItem
from srpo.models.base import Progress
from srpo.types import Completion, Result, Sample, Verdict


class Written(NamedTuple):
    """An answer, what it answers, and how its system writes reasoning."""

    answer: Completion
    sample: Sample
    path_format: PathFormat = "six_steps"


class Judged(NamedTuple):
    """What a judge says of answers, in their order."""

    paths: list[Verdict]
    replies: list[Verdict]
    results: list[Result]


def judge_answers(judge: Judge, written: Sequence[Written], folder: Path, progress: Progress | None = None) -> Judged:
    """Ask a judge about the reasoning and then about the reply of each answer.

    Pictures are looked up in `folder`; `progress` counts verdicts, two per answer.
    """
    items = [_item(one, folder) for one in written]
    paths = judge.judge([item.model_copy(update={"part": "path"}) for item in items], progress)
    replies = judge.judge(items, progress)
    rows = zip(written, paths, replies, strict=True)
    return Judged(paths, replies, [score(one.answer, one.sample, path, reply) for one, path, reply in rows])


def _item(one: Written, folder: Path) -> JudgeItem:
    return JudgeItem(
        subject=one.answer.id,
        sample=one.sample,
        folder=folder,
        part="answer",
        text=one.answer.text,
        truncated=one.answer.finish == "length",
        path_format=one.path_format,
    )
