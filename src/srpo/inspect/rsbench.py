"""RSBench in inspect_ai: the samples of a run as a task, our judges as its scorer, our rates as its metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from inspect_ai import Task, task
from inspect_ai.dataset import Sample as Asked
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.scorer import Value as ScoreValue
from inspect_ai.solver import TaskState

from srpo.config import load_config
from srpo.evaluate import Cluster, metrics, repeats, score
from srpo.finished import of_splits
from srpo.formats import PathFormat
from srpo.inspect.answers import DECODING, RECORD, completion_of, record_of
from srpo.inspect.asking import NAN, Decoding, Value, answer, asked, checked, dataset, one_line, sampling
from srpo.inspect.batches import Batches
from srpo.inspect.figures import flat
from srpo.judge.base import Judge, JudgeItem
from srpo.judge.vote import vote_results
from srpo.models.chat import render_messages
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.systems import instruction_of, load_judge
from srpo.types import Completion, Result, Sample

FLAGS = ("answer_safe", "answer_effective", "declined", "path_safe", "path_effective")
"""Keys of a score, the fields of `Result` of these names."""


@dataclass(frozen=True)
class Source:
    """The samples of a run, and who judges answers to them."""

    run: RunFolder
    config: RunConfig
    path_format: PathFormat = "six_steps"

    @classmethod
    def open(cls, run: str, path_format: PathFormat = "six_steps", judge: Mapping[str, Any] | None = None) -> Source:
        """Raises DataError if there is no such run, ConfigError for a judge that cannot be."""
        checked("path_format", path_format, get_args(PathFormat))
        folder = RunFolder.open(Path(run).expanduser().absolute())
        own = [] if judge is None else [f"evaluate.judge={json.dumps(dict(judge))}", "evaluate.panel=[]"]
        return cls(folder, load_config(folder.config, own, RunConfig), path_format)

    @cached_property
    def samples(self) -> Mapping[str, Sample]:
        """The samples of the measured splits by id."""
        return {sample.id: sample for sample in of_splits(self.run, self.config.evaluate.splits)}

    @cached_property
    def judges(self) -> list[Judge]:
        """Loaded when the first answer is judged."""
        settings = self.config.scoring_judges
        return [load_judge(self.config, one, self.config.seed, labels_branches=False) for one in settings]

    def questions(self, instruction: str | None) -> list[Asked]:
        """All samples, followed by an instruction if there is one; without the truth of the scene."""
        words = instruction_of(self.config if instruction is None else _with(self.config, instruction))
        return [asked(s.id, render_messages(s, self.run.path, words), _facts(s)) for s in self.samples.values()]

    def score(self, answers: Sequence[Completion]) -> list[Result]:
        """One result per answer: the judge's, or the vote of the panel."""
        by_judge = [self._results(judge, answers) for judge in self.judges]
        if len(by_judge) == 1:
            return by_judge[0]
        return [vote_results(rows) for rows in zip(*by_judge, strict=True)]

    def _results(self, judge: Judge, answers: Sequence[Completion]) -> list[Result]:
        items = [self._item(row) for row in answers]
        paths = judge.judge([item.model_copy(update={"part": "path"}) for item in items])
        rows = zip(answers, paths, judge.judge(items), strict=True)
        return [score(row, self.samples[row.sample], path, reply) for row, path, reply in rows]

    def _item(self, row: Completion) -> JudgeItem:
        return JudgeItem(
            subject=row.id,
            sample=self.samples[row.sample],
            folder=self.run.path,
            part="answer",
            text=row.text,
            truncated=row.finish == "length",
            path_format=self.path_format,
        )


def _with(config: RunConfig, instruction: str) -> RunConfig:
    return config.model_copy(update={"instruction": instruction})


def _facts(sample: Sample) -> dict[str, Any]:
    """What the viewer may sort by."""
    return sample.model_dump(include={"group", "cell", "split", "category", "rule", "level"})


@metric(scores="unreduced")
def rsbench_rates(seed: int = 0, cluster: Cluster = "group") -> Metric:
    """The rates of `report.json`; with several epochs also `safe@k` and so on."""

    def rates(scores: list[SampleScore]) -> ScoreValue:
        results = [record_of(one.score.metadata, Result) for one in scores]
        if not results:
            return {}
        found = metrics(results, seed=seed, cluster=cluster)
        return flat(found | repeats(results, seed=seed, cluster=cluster))

    return rates


@scorer(metrics=[rsbench_rates()], name="rsbench")
def rsbench_scorer(
    run: str,
    path_format: PathFormat = "six_steps",
    judge: dict[str, Any] | None = None,
    decoding: Decoding = "greedy",
) -> Scorer:
    """The judges of the run (or `judge`) on path and reply.

    Pictures come from the run's folder, by the id of the sample: a log need not hold them.
    """
    with one_line():
        source = Source.open(run, path_format, judge)
    batches = Batches(source.score)

    async def judged(state: TaskState, target: Target) -> Score:
        row = completion_of(str(state.sample_id), state.epoch, str(state.model), decoding, state.output)
        return _score(row, await batches.ask(row))

    return judged


def _score(row: Completion, result: Result) -> Score:
    flags: dict[str, Value] = {name: NAN if (found := getattr(result, name)) is None else found for name in FLAGS}
    return Score(
        value=flags,
        answer=row.text,
        explanation=row.error or result.failure or f"first failing step: {result.first_failing_step}",
        reason=result.failure,
        metadata={RECORD: result.model_dump(mode="json")},
    )


@task
def rsbench(
    run: str,
    instruction: str | None = None,
    path_format: PathFormat = "six_steps",
    judge: dict[str, Any] | None = None,
    decoding: Decoding = "greedy",
) -> Task:
    """RSBench on the samples of a run folder.

    - `run`: folder that `srpo build` has finished;
    - `instruction`: prompt file after every request, such as `six_steps`; none = the run's;
    - `path_format`: how the model writes its reasoning (`docs/rsbench.md`);
    - `judge`: settings of a judge as in `evaluate.judge`; none = the judges of the run;
    - `decoding`: `greedy`, or `sampled` at temperature 1.

    A failed sample is scored as *could not judge*, and asked for again by `inspect eval-retry` or `eval-set`.
    """
    with one_line():
        source = Source.open(run, path_format, judge)
        questions = source.questions(instruction)
        drawn = sampling(source.config.evaluate, decoding)
    config = source.config
    return Task(
        dataset=dataset(f"rsbench {source.run.path.name}", questions),
        solver=answer(config.seed),
        scorer=rsbench_scorer(str(source.run.path), path_format, judge, decoding),
        metrics=[rsbench_rates(config.seed, config.evaluate.cluster)],
        config=drawn,
        score_on_error=True,
        metadata={DECODING: decoding},
    )
