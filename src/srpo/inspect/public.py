"""Public benchmarks in inspect_ai: the user's files as a task, our protocols as scorer, our rates as metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from inspect_ai import Task, task
from inspect_ai.dataset import Sample as Asked
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.scorer import Value as ScoreValue
from inspect_ai.solver import TaskState

from srpo.benchmarks import BenchmarkJudge, benchmark_named, needs_judge, rates, render_item
from srpo.config import load_config
from srpo.errors import ConfigError
from srpo.inspect.answers import DECODING, RECORD, completion_of, record_of
from srpo.inspect.asking import NAN, Decoding, Value, answer, asked, checked, dataset, one_line, sampling
from srpo.inspect.batches import Batches
from srpo.inspect.figures import flat
from srpo.own_items import prompts_of, read_own_items
from srpo.run_config import RunConfig
from srpo.systems import judge_model
from srpo.types import Completion, Item, Label, Protocol

_HUB: Final = "hub:"
"""How a path begins that names a data set of a hub (`docs/benchmarks.md`)."""


@dataclass(frozen=True)
class Source:
    """The items of one benchmark, and who labels answers to them."""

    name: str
    protocol: Protocol
    config: RunConfig

    @classmethod
    def of(
        cls,
        name: str,
        path: str,
        images: str | None,
        protocol: Protocol,
        judge: Mapping[str, Any] | None,
        prompts: str | None = None,
    ) -> Source:
        """Raises ConfigError for a benchmark, protocol or judge that cannot be."""
        checked("protocol", protocol, benchmark_named(name).protocols)
        if judge is None and needs_judge(benchmark_named(name), protocol):
            mend = """give -T judge='{kind: model, model: openai:NAME, base_url: "URL"}'"""
            raise ConfigError(f"{name}, {protocol}: its answers are judged by a model; {mend}")
        files = {"path": path, "images": images, "protocols": [protocol], "prompts": prompts}
        own = [f"benchmarks.{name}={json.dumps(files)}", "evaluate.splits=[]"]
        own += [] if judge is None else [f"evaluate.judge={json.dumps(dict(judge))}"]
        return cls(name, protocol, load_config(None, own, RunConfig))

    @cached_property
    def items(self) -> Mapping[str, Item]:
        """The items by id, pictures checked.  Raises DataError for a file that cannot be used."""
        return {item.id: item for item in read_own_items(self.name, self.config)}

    @cached_property
    def judge(self) -> BenchmarkJudge:
        """Loaded when the first answer is labelled."""
        protocol, settings = benchmark_named(self.name).protocols[self.protocol], self.config.scoring_judges[0]
        model = judge_model(self.config, settings) if settings.kind == "model" and not protocol.rule_only else None
        return BenchmarkJudge(protocol, model, prompts=prompts_of(self.name, self.protocol, self.config))

    def questions(self) -> list[Asked]:
        """All items, without what the authors say about them."""
        return [asked(item.id, render_item(item), _facts(item)) for item in self.items.values()]

    def label(self, answers: Sequence[Completion]) -> list[Label]:
        """One label per answer."""
        return self.judge.label([(self.items[row.sample], row) for row in answers])


def _facts(item: Item) -> dict[str, Any]:
    """What the viewer may sort by."""
    return item.model_dump(include={"benchmark", "subset", "cluster", "category", "licence"})


@lru_cache(maxsize=8)
def _items(name: str, path: str, images: str | None) -> tuple[Item, ...]:
    """For counting only: pictures are not looked at.  Metrics are computed again and again while a task runs."""
    folder = None if images is None else Path(images)
    return tuple(benchmark_named(name).load(Path(path), folder, check_images=False))


@metric(scores="unreduced")
def benchmark_rates(name: str, path: str, images: str | None, protocol: Protocol, seed: int = 0) -> Metric:
    """The rates of the protocol over the items that were asked."""

    def found(scores: list[SampleScore]) -> ScoreValue:
        labels = [record_of(one.score.metadata, Label) for one in scores]
        if not labels:
            return {}
        there = {label.item for label in labels}
        items = [item for item in _items(name, path, images) if item.id in there]
        return flat(rates(labels, items, benchmark_named(name).protocols[protocol], seed))

    return found


@scorer(metrics=[], name="benchmark")
def benchmark_scorer(  # noqa: PLR0913 - the settings of one benchmark and its judge
    name: str,
    path: str,
    images: str | None = None,
    protocol: Protocol = "v1",
    judge: dict[str, Any] | None = None,
    prompts: str | None = None,
    decoding: Decoding = "greedy",
) -> Scorer:
    """The protocol's labels.  Pictures come from the user's files, by the id of the item: a log need not hold them."""
    with one_line():
        source = Source.of(name, path, images, protocol, judge, prompts)
    batches = Batches(source.label)

    async def judged(state: TaskState, target: Target) -> Score:
        row = completion_of(str(state.sample_id), state.epoch, str(state.model), decoding, state.output)
        return _score(row, await batches.ask(row))

    return judged


def _score(row: Completion, label: Label) -> Score:
    values: dict[str, Value] = {name: NAN if found is None else found for name, found in label.labels.items()}
    return Score(
        value=values,
        answer=row.text,
        explanation=row.error or label.failure or "\n\n".join(label.raw) or ", ".join(label.notes) or None,
        reason=label.failure,
        metadata={RECORD: label.model_dump(mode="json")},
    )


def _absolute(path: str | None) -> str | None:
    """A log may be scored from another folder.  Data sets of a hub have no place."""
    return path if path is None or path.startswith(_HUB) else str(Path(path).expanduser().absolute())


@task
def benchmark(  # noqa: PLR0913 - the settings of one benchmark and its judge
    name: str,
    path: str,
    images: str | None = None,
    protocol: Protocol = "v1",
    judge: dict[str, Any] | None = None,
    prompts: str | None = None,
    decoding: Decoding = "greedy",
    max_new_tokens: int = 512,
    seed: int = 0,
) -> Task:
    """A public benchmark whose files the user has (`docs/benchmarks.md`).

    - `name`, `path`, `images`, `prompts`: as in `benchmarks.NAME` of the settings;
    - `protocol`: `v1` or `official`;
    - `judge`: settings of a judge of kind model, as in `evaluate.judge`; none where rules suffice;
    - `decoding`: `greedy`, or `sampled` at temperature 1, for benchmarks that ask several times (`--epochs`).
    """
    path, images, prompts = str(_absolute(path)), _absolute(images), _absolute(prompts)
    with one_line():
        source = Source.of(name, path, images, protocol, judge, prompts)
        questions = source.questions()
        drawn = sampling(source.config.evaluate.model_copy(update={"max_new_tokens": max_new_tokens}), decoding)
    return Task(
        name=f"{name}_{protocol}",
        dataset=dataset(name, questions),
        solver=answer(seed),
        scorer=benchmark_scorer(name, path, images, protocol, judge, prompts, decoding),
        metrics=[benchmark_rates(name, path, images, protocol, seed)],
        config=drawn,
        score_on_error=True,
        metadata={DECODING: decoding},
    )
