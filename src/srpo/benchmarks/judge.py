"""Answers to labels, under one protocol of one benchmark.  An answer or a judge that fails gives no label.

An answer that the protocol can read by itself costs no call.  Under `v1` an unreadable reply is asked for once more;
under `official` it is what the authors' code makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from srpo.benchmarks.base import Ask, Benchmark, Labels, Reading
from srpo.benchmarks.base import Protocol as BenchmarkProtocol
from srpo.benchmarks.read import read_text
from srpo.errors import DataError, JudgeError
from srpo.formats import read_path
from srpo.judge.parse import UnparsedReply
from srpo.models.base import Message, Model, Progress, Request
from srpo.prompts.fill import fill
from srpo.records import content_id, seed_of
from srpo.steps import answer, split
from srpo.types import Completion, Failure, Item, Label, Protocol, Sampling

RULE: Final = "rule"
"""Name of the judge of protocols that need none."""

CUT_REPLY: Final = "cut_reply"
"""Note on a label that was read from a judge's reply cut off at the authors' token limit."""

REMARK: Final = (
    "Your reply could not be read. Reply again with one JSON object of exactly the form asked for: reason first, "
    "then the labels, nothing after the object."
)

_THINK: Final = ("<think>", "</think>")


@dataclass
class _Question:
    """One `Ask` on its way to a reading."""

    ask: Ask
    request: Request
    reading: Reading | None = None
    failure: Failure | None = None
    raw: str = ""


@dataclass
class _Case:
    """One answer with its questions; none if it was decided or cannot be judged."""

    item: Item
    completion: Completion
    decided: Reading | None = None
    failure: Failure | None = None
    questions: list[_Question] = field(default_factory=list)


def needs_judge(benchmark: Benchmark, protocol: Protocol) -> bool:
    """Whether a model must judge, because rules do not read every answer."""
    return not benchmark.protocols[protocol].rule_only


class BenchmarkJudge:
    """Labels answers to the items of one benchmark.

    - `model`: may be none where rules suffice, and is not used there;
    - `sampling`: of the judge; temperature 0 by default.  Each question brings its own token limit;
    - `prompts`: question -> a template instead of our own wording, such as the authors' own from the user's copy.

    `name` is the model's name, the protocol and 8 hex digits of the hash of all prompts; or `rule`.  Raises JudgeError
    if a model is needed, or `prompts` names a question that the protocol does not ask.
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
        unknown = sorted((prompts or {}).keys() - protocol.prompts.keys())
        if unknown:
            known = ", ".join(protocol.prompts) or "none"
            raise JudgeError(f"protocol {protocol.name}: no question {unknown[0]!r} to replace, known are: {known}")
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
        asked = [question for case in cases for question in case.questions]
        waiting = sum(bool(case.questions) for case in cases)
        if progress is not None and waiting < len(cases):
            progress(len(cases) - waiting)
        self._ask(asked, _by_pair(progress, waiting, len(asked)))
        if self._protocol.name == "v1":
            unread = [question for question in asked if question.failure == "unparsed"]
            for question in unread:
                question.request = _repair(question)
            self._ask(unread, None)
        return [self._label(case) for case in cases]

    def _open(self, item: Item, completion: Completion) -> _Case:
        if completion.sample not in ("", item.id):
            raise DataError(f"completion {completion.id} is of item {completion.sample}, not of {item.id}")
        failure = _failure_of(completion)
        text = completion.text if self._protocol.whole_text else said(completion.text)
        if failure is not None or text is None:
            return _Case(item, completion, failure=failure or "malformed")
        case = _Case(item, completion, self._protocol.decide(item, text))
        case.questions = [
            self._question(case, ask) for ask in self._protocol.asks(item, text) if self._is_open(case, ask)
        ]
        return case

    def _is_open(self, case: _Case, ask: Ask) -> bool:
        """Whether a question is about labels that are not decided yet."""
        return case.decided is None or not set(ask.labels or self._protocol.labels) <= case.decided.labels.keys()

    def _question(self, case: _Case, ask: Ask) -> _Question:
        text = fill(self._prompts.get(ask.name, ask.text), ask.values)
        images = tuple(Path(image) for image in ask.images)
        request = Request(
            id=content_id(case.completion.id, self._protocol.name, ask.name),
            messages=(Message(role="user", text=text, images=images),),
            sampling=self._sampling.model_copy(update={"max_new_tokens": ask.max_new_tokens}),
            seed=seed_of(self._seed, case.completion.id, ask.name),
        )
        return _Question(ask, request)

    def _ask(self, questions: Sequence[_Question], progress: Progress | None) -> None:
        if not questions or self._model is None:
            return
        replies = self._model.generate([question.request for question in questions], progress)
        for question, reply in zip(questions, replies, strict=True):
            question.raw = reply.text
            question.reading, question.failure = self._read(question.ask, reply)

    def _read(self, ask: Ask, reply: Completion) -> tuple[Reading | None, Failure | None]:
        """Labels or the kind of failure.  The authors' code reads cut replies too, so `official` does."""
        if reply.finish == "error":
            return None, _kind(reply.error)
        cut = reply.finish == "length"
        if cut and self._protocol.name == "v1":
            return None, "unparsed"
        try:
            reading = ask.read(reply.text)
        except UnparsedReply:
            return None, "unparsed"
        return (Reading(reading.labels, (*reading.notes, CUT_REPLY)) if cut else reading), None

    def _label(self, case: _Case) -> Label:
        readings = [_reading_of(one, self._protocol) for one in case.questions]
        readings = [case.decided, *readings] if case.decided else readings
        labels = dict.fromkeys(self._protocol.labels) | {k: v for one in readings for k, v in one.labels.items()}
        decided = case.decided.labels.values() if case.decided else ()
        unread: Failure | None = "malformed" if None in decided else None
        failures = [case.failure, unread, *(question.failure for question in case.questions)]
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
            labels=labels,
            failure=next((failure for failure in failures if failure), None),
            notes=tuple(dict.fromkeys(note for one in readings for note in one.notes)),
            raw=tuple(question.raw for question in case.questions),
        )


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


def _failure_of(completion: Completion) -> Failure | None:
    kinds: dict[str, Failure] = {"error": "error", "length": "truncated"}
    return kinds.get(completion.finish)


def _kind(error: str | None) -> Failure:
    kinds: dict[str, Failure] = {"timeout": "timeout", "refused": "refused"}
    return kinds.get((error or "").partition(":")[0], "error")


def _reading_of(question: _Question, protocol: BenchmarkProtocol) -> Reading:
    """The reading, or none for every label that the question was asked for."""
    nothing: Labels = dict.fromkeys(question.ask.labels or protocol.labels)
    return question.reading or Reading(nothing)


def _repair(question: _Question) -> Request:
    """The second and last request."""
    first = question.request
    turns = (Message(role="assistant", text=question.raw or "(no text)"), Message(role="user", text=REMARK))
    update = {
        "id": content_id(first.id, "repair"),
        "messages": (*first.messages, *turns),
        "seed": seed_of(first.seed, "repair"),
    }
    return first.model_copy(update=update)


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


def read_prompts(path: Path) -> dict[str, str]:
    """A user's templates from a YAML file: name of a question -> text, as for `BenchmarkJudge(prompts=...)`.

    Raises DataError if the file is anything else.
    """
    try:
        found = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise DataError(
            f"{path}: not YAML ({str(error).splitlines()[0]}); give a mapping from question to text"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(one, str) for pair in found.items() for one in pair):
        raise DataError(f"{path}: expected a mapping from the name of a question to its text, got something else")
    return found
