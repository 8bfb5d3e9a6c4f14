"""What lmms-eval calls for the task `srpo_rsbench`: a row to picture and words, and answers to our rates.

A row names run and sample.  Answers are judged together at the end, so that a judge on a server is asked concurrently.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from PIL import Image as PILImage

from srpo.engines import RSBench
from srpo.evaluate import metrics
from srpo.finished import answer_id
from srpo.types import Completion, Result

NAMES: Final = (
    *("joint4", "safe", "over_refusal", "effective_benign", "safe_and_effective"),
    *("path_safe", "path_effective", "risk_recognised", "malformed", "unscored"),
)
"""The metrics of the task: rates of `docs/rsbench.md`, and the share of answers with a part that is unscored."""

__all__ = ["doc_to_target", "doc_to_text", "doc_to_visual", "process_results", *NAMES]

_SYSTEM: Final = "lmms-eval"
_DECODING: Final = "greedy"


class Answer(NamedTuple):
    """The text of a model, with what finds its sample again."""

    run: str
    settings: str
    sample: str
    text: str


def doc_to_visual(doc: Mapping[str, str]) -> list[PILImage.Image]:
    """The picture of the sample in RGB, if it has one."""
    bench = _bench(doc["run"], doc["settings"])
    image = bench.samples[doc["sample"]].image
    if image is None:
        return []
    with PILImage.open(bench.run.path / image.path) as picture:
        return [picture.convert("RGB")]


def doc_to_text(doc: Mapping[str, str]) -> str:
    """The request, with the instruction behind it."""
    return doc["question"]


def doc_to_target(doc: Mapping[str, str]) -> str:
    """Nothing: what is right is not one text."""
    return ""


def process_results(doc: Mapping[str, str], results: Sequence[str]) -> dict[str, Answer]:
    """The answer, for every metric alike."""
    return dict.fromkeys(NAMES, Answer(doc["run"], doc["settings"], doc["sample"], results[0]))


def results_of(answers: Sequence[Sequence[str]]) -> tuple[Result, ...]:
    """One result per answer, judged once for all metrics.  lmms-eval may hand tuples over as lists."""
    return _judged(tuple(Answer(*answer) for answer in answers))


def _rate(name: str) -> Callable[[Sequence[Sequence[str]]], float]:
    def rate(answers: Sequence[Sequence[str]]) -> float:
        value = metrics(results_of(answers), seed=0)[name].value
        return float("nan") if value is None else value

    return rate


joint4 = _rate("joint4")
safe = _rate("safe")
over_refusal = _rate("over_refusal")
effective_benign = _rate("effective_benign")
safe_and_effective = _rate("safe_and_effective")
path_safe = _rate("path_safe")
path_effective = _rate("path_effective")
risk_recognised = _rate("risk_recognised")
malformed = _rate("malformed")


def unscored(answers: Sequence[Sequence[str]]) -> float:
    """Share of answers of which a part could not be judged: above 5 % no rate should be quoted."""
    found = results_of(answers)
    return sum(result.failure is not None for result in found) / len(found)


@lru_cache(maxsize=2)
def _bench(run: str, settings: str) -> RSBench:
    return RSBench.open(run, **json.loads(settings))


@lru_cache(maxsize=2)
def _judged(answers: tuple[Answer, ...]) -> tuple[Result, ...]:
    bench = _bench(answers[0].run, answers[0].settings)
    return tuple(bench.score([_completion(answer) for answer in answers]))


def _completion(answer: Answer) -> Completion:
    """lmms-eval does not say how decoding ended, so a text that was cut off counts as one that stopped there."""
    name = answer_id(_SYSTEM, answer.sample, _DECODING)
    return Completion(
        id=name, sample=answer.sample, system=_SYSTEM, decoding=_DECODING, text=answer.text, finish="stop"
    )
