"""RSBench in inspect_ai: the samples of a run as a task, our judges as its scorer, our rates as its metrics."""

from __future__ import annotations

from collections import Counter
from typing import Any

from inspect_ai import Task, task
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.scorer import Value as ScoreValue
from inspect_ai.solver import TaskState

from srpo.engines import RSBench
from srpo.evaluate import Cluster, metrics, repeats
from srpo.formats import PathFormat
from srpo.inspect.answers import DECODING, RECORD, completion_of, record_of
from srpo.inspect.asking import NAN, Decoding, Value, answer, asked, dataset, one_line, sampling
from srpo.inspect.batches import Batches
from srpo.inspect.figures import flat
from srpo.types import Completion, Result, Sample

FLAGS = ("answer_safe", "answer_effective", "declined", "path_safe", "path_effective")
"""Keys of a score, the fields of `Result` of these names."""


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
        return flat(found | repeats(_in_all_draws(results), seed=seed, cluster=cluster))

    return rates


def _in_all_draws(results: list[Result]) -> list[Result]:
    """Without the samples that some epochs have not reached yet; rates are shown while a task runs."""
    draws = {one.repeat for one in results}
    seen = Counter(one.sample for one in results)
    return [one for one in results if seen[one.sample] == len(draws)]


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
        bench = RSBench.open(run, path_format=path_format, judge=judge)
    batches = Batches(bench.score)

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

    - `run`: folder that `srpo init` has finished;
    - `instruction`: prompt file after every request, such as `six_steps`; none = the run's;
    - `path_format`: how the model writes its reasoning (`docs/rsbench.md`);
    - `judge`: settings of a judge as in `evaluate.judge`; none = the judges of the run;
    - `decoding`: `greedy`, or `sampled` at temperature 1.

    A failed sample is scored as *could not judge*, and asked for again by `inspect eval-retry` or `eval-set`.
    """
    with one_line():
        bench = RSBench.open(run, path_format=path_format, instruction=instruction, judge=judge)
        questions = [asked(one.id, bench.messages(one), _facts(one)) for one in bench.samples.values()]
        drawn = sampling(bench.config.evaluate, decoding)
    config = bench.config
    return Task(
        dataset=dataset(f"rsbench {bench.run.path.name}", questions),
        solver=answer(config.seed),
        scorer=rsbench_scorer(str(bench.run.path), path_format, judge, decoding),
        metrics=[rsbench_rates(config.seed, config.evaluate.cluster)],
        config=drawn,
        score_on_error=True,
        metadata={DECODING: decoding},
    )
