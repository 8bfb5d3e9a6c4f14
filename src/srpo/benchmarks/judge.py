"""Answers to labels, under one protocol of one benchmark.  An answer or a judge that fails gives no label.

An answer that the protocol can read by itself costs no call.  Under `v1` replies are read as those of any judge here
(`srpo.judge.ask`); under `official` they are what the authors' code makes of them, with notes on what it overlooks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from srpo.benchmarks.base import Ask, Benchmark, Reading
from srpo.benchmarks.base import Protocol as BenchmarkProtocol
from srpo.benchmarks.prompts import check_prompts, render
from srpo.errors import DataError, JudgeError
from srpo.formats import read_path
from srpo.judge.ask import Question, Unlabelled, ask
from srpo.models.base import Message, Model, Progress, Request
from srpo.records import content_id, seed_of
from srpo.steps import answer, split
from srpo.types import Completion, Failure, Item, Label, Protocol, Sampling

RULE: Final = "rule"
"""Name of the judge of protocols that need none."""

REMARK: Final = (
    "Your reply could not be read. Reply again with one JSON object of exactly the form asked for: reason first, "
    "then the labels, nothing after the object."
)

_THINK: Final = ("<think>", "</think>")


@dataclass
class _Case:
    """One answer with its questions; none if it was decided or cannot be judged."""

    item: Item
    completion: Completion
    decided: Reading | None = None
    failure: Failure | None = None
    asked: list[tuple[Ask, Question[Reading]]] = field(default_factory=list)


def needs_judge(benchmark: Benchmark, protocol: Protocol) -> bool:
    """Whether a model must judge, because rules do not read every answer."""
    return not benchmark.protocols[protocol].rule_only


class BenchmarkJudge:
    """Labels answers to the items of one benchmark.

    - `model`: may be none where rules suffice, and is not used there;
    - `sampling`: of the judge; temperature 0 by default.  Each question brings its own token limit;
    - `prompts`: question -> a template instead of our own wording, such as the authors' own from the user's copy.

    Under `official` nothing is asked twice, and a reply that was cut off or copies its verdict from the answer is read
    all the same: `cut_reply` and `copied_verdict` in the notes.  `name` is the model's name, the protocol and 8 hex
    digits of the hash of all prompts; or `rule`.  Raises JudgeError if a model is needed, or `prompts` does not fit
    (`check_prompts`).
    """

    def __init__(
        self,
        protocol: BenchmarkProtocol,
        model: Model | None = None,
        *,
        sampling: Sampling | None = None,
        prompts: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        check_prompts(protocol, prompts or {})
        if model is None and not protocol.rule_only:
            raise JudgeError(f"protocol {protocol.name} asks a judge that is a model, and none was given; name one")
        self._model = None if protocol.rule_only else model
        self._protocol = protocol
        self._sampling = sampling or Sampling(temperature=0.0)
        self._prompts = dict(protocol.prompts) | dict(prompts or {})
        self._seed = seed
        hashed = content_id(self._prompts, REMARK, self._sampling.temperature, self._sampling.top_p)[:8]
        self.name = f"{self._model.name}@{protocol.name}-{hashed}" if self._model else RULE

    def label(self, pairs: Sequence[tuple[Item, Completion]], progress: Progress | None = None) -> list[Label]:
        """Labels in the order of the pairs; `progress` counts pairs.

        An answer that was cut off, failed, or has no reply after its reasoning has no labels, and a failure.  Raises
        DataError if a completion is of another item.
        """
        cases = [self._open(item, completion) for item, completion in pairs]
        questions = [question for case in cases for _, question in case.asked]
        waiting = sum(bool(case.asked) for case in cases)
        if progress is not None and waiting < len(cases):
            progress(len(cases) - waiting)
        if self._model is not None:
            ask(self._model, questions, _by_pair(progress, waiting, len(questions)))
        return [self._label(case) for case in cases]

    def _open(self, item: Item, completion: Completion) -> _Case:
        if completion.sample not in ("", item.id):
            raise DataError(f"completion {completion.id} is of item {completion.sample}, not of {item.id}")
        failure = _missing(completion)
        text = completion.text if self._protocol.whole_text else said(completion.text)
        if failure is not None or text is None:
            return _Case(item, completion, failure=failure or "malformed")
        case = _Case(item, completion, self._protocol.decide(item, text))
        case.asked = [
            (wanted, self._question(completion, wanted))
            for wanted in self._protocol.asks(item, text)
            if self._is_open(case, wanted)
        ]
        return case

    def _is_open(self, case: _Case, wanted: Ask) -> bool:
        """Whether a question is about labels that are not decided yet."""
        return case.decided is None or not set(wanted.labels or self._protocol.labels) <= case.decided.labels.keys()

    def _question(self, completion: Completion, wanted: Ask) -> Question[Reading]:
        text = render(wanted, self._prompts.get(wanted.name, wanted.text))
        images = tuple(Path(image) for image in wanted.images)
        request = Request(
            id=content_id(completion.id, self._protocol.name, wanted.name),
            messages=(Message(role="user", text=text, images=images),),
            sampling=self._sampling.model_copy(update={"max_new_tokens": wanted.max_new_tokens}),
            seed=seed_of(self._seed, completion.id, wanted.name),
        )
        material = [value for value in wanted.values.values() if value]
        return Question(request, wanted.read, strict=self._protocol.name == "v1", remark=REMARK, material=material)

    def _label(self, case: _Case) -> Label:
        readings = [self._reading(wanted, question) for wanted, question in case.asked]
        readings = [case.decided, *readings] if case.decided else readings
        decided = case.decided.labels.values() if case.decided else ()
        unread: Failure | None = "malformed" if None in decided else None
        failures = [case.failure, unread, *(_failure_of(question.reading) for _, question in case.asked)]
        item, completion = case.item, case.completion
        return Label(
            completion=completion.id,
            item=item.id,
            benchmark=item.benchmark,
            subset=item.subset,
            cluster=item.cluster,
            category=item.category,
            system=completion.system,
            decoding=completion.decoding,
            repeat=completion.repeat,
            protocol=self._protocol.name,
            judge=self.name,
            labels=dict.fromkeys(self._protocol.labels) | {k: v for one in readings for k, v in one.labels.items()},
            failure=next((failure for failure in failures if failure), None),
            notes=tuple(dict.fromkeys(note for one in readings for note in one.notes)),
            raw=tuple(question.raw or "" for _, question in case.asked),
        )

    def _reading(self, wanted: Ask, question: Question[Reading]) -> Reading:
        """The reading, or none for every label that was asked for."""
        found = question.reading
        if isinstance(found, Unlabelled):
            return Reading(dict.fromkeys(wanted.labels or self._protocol.labels))
        return Reading(found.labels, (*found.notes, *question.notes))


def said(text: str) -> str | None:
    """What the user is told: the reply without the reasoning before it, or none if there is only reasoning.

    Reasoning is six steps, or a block that ends in `</think>` (`srpo.formats`); a text without either is a reply as a
    whole.
    """
    path = split(text)
    if all(step.name is None for step in path.steps):
        if not any(tag in text for tag in _THINK):
            return text.strip()
        path = read_path(text, "think")
    return answer(path)


def _missing(completion: Completion) -> Failure | None:
    kinds: dict[str, Failure] = {"error": "error", "length": "truncated"}
    return kinds.get(completion.finish)


def _failure_of(reading: Reading | Unlabelled) -> Failure | None:
    return reading.failure if isinstance(reading, Unlabelled) else None


def _by_pair(progress: Progress | None, pairs: int, requests: int) -> Callable[[int], None] | None:
    """A count of requests as a count of pairs, which have several requests each."""
    if progress is None:
        return None
    done, told = 0, 0

    def advance(count: int) -> None:
        nonlocal done, told
        done += count
        now = done * pairs // requests
        if now > told:
            progress(now - told)
        told = now

    return advance
