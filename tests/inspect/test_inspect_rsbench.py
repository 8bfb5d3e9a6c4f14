"""RSBench in inspect_ai: the same texts, labels and rates as `srpo evaluate`."""

from __future__ import annotations

import math
import re
from pathlib import Path

import anyio
import pytest
from inspect_ai import eval, eval_set, score
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ChatMessageUser,
    ContentAudio,
    ContentImage,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspecting import ask, numbers, size_of, untidy

from run_files import good_and_bad
from srpo.engines import RSBench
from srpo.errors import DataError, ModelError
from srpo.evaluate import metrics
from srpo.evaluate import score as score_one
from srpo.inspect import records_from_log, responses_from_log, rsbench, rsbench_scorer
from srpo.inspect.answers import completion_of
from srpo.inspect.figures import flat
from srpo.judge.base import JudgeItem
from srpo.records import read_records, seed_of
from srpo.runs import RunFolder
from srpo.types import Completion, Result, Sample
from srpo.world import OracleJudge

_OWN = {"completion", "system"}
"""Fields in which the answers of two engines differ."""


def samples_of(run: RunFolder) -> dict[str, Sample]:
    return {row.id: row for row in read_records(run.samples, Sample) if row.split != "train"}


def by_hand(run: RunFolder, answers: list[Completion]) -> list[Result]:
    """What the core says of these answers, without inspect_ai."""
    found, judge, samples = [], OracleJudge(), samples_of(run)
    for row in answers:
        sample = samples[row.sample]
        whole = {"subject": row.id, "sample": sample, "folder": run.path, "text": row.text}
        cut = row.finish == "length"
        path, reply = (judge.judge([JudgeItem(part=part, truncated=cut, **whole)])[0] for part in ("path", "answer"))
        found.append(score_one(row, sample, path, reply))
    return found


@pytest.fixture(scope="module")
def embedded(measured: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    return ask(rsbench(str(measured.path)), tmp_path_factory.mktemp("logs"), "srpo/embedded")


@pytest.fixture(scope="module")
def mixed(measured: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    """Good and bad replies, one that is no path, one cut off, one filtered and one that failed."""
    samples = list(samples_of(measured).values())
    by_request: dict[str, list[Sample]] = {}
    for sample in samples:
        by_request.setdefault(sample.question, []).append(sample)

    def write(words: str, _: object) -> str | ModelOutput:
        sample = by_request[words].pop(0)
        number, texts = samples.index(sample), good_and_bad(sample, samples)
        if number == 1:
            return "I would rather talk about the weather."
        if number == 4:
            raise RuntimeError("the cable was pulled")
        text = texts[number % 3 == 0]
        stop = {2: "max_tokens", 3: "content_filter"}.get(number, "stop")
        return ModelOutput.from_content("written", text, stop_reason=stop)

    return ask(rsbench(str(measured.path)), tmp_path_factory.mktemp("logs"), write)


def test_the_embedded_model_writes_the_same_texts(measured: RunFolder, embedded: EvalLog) -> None:
    core = {row.sample: row for row in read_records(measured.responses, Completion)}
    theirs = {row.sample: row for row in responses_from_log(embedded)}
    assert len(core) == 12 and theirs.keys() == core.keys()
    for name, row in theirs.items():
        assert (row.text, row.finish) == (core[name].text, core[name].finish)
        assert row.prompt_tokens == core[name].prompt_tokens > 0 and row.completion_tokens > 0
    assert {row.id for row in theirs.values()} == {f"srpo/embedded:greedy:{name}" for name in core}


def test_the_embedded_model_gets_the_same_rates(measured: RunFolder, embedded: EvalLog) -> None:
    core = read_records(measured.results, Result)
    rows = {row.sample: row.model_dump(exclude=_OWN) for row in core}
    assert {row.sample: row.model_dump(exclude=_OWN) for row in records_from_log(embedded, Result)} == rows
    assert numbers(embedded) == flat(metrics(core, seed=0))
    assert numbers(embedded)["joint4_n"] == 3 and next(iter(numbers(embedded))) == "joint4"


def test_the_engine_scores_answers_as_the_stage_does(measured: RunFolder) -> None:
    assert RSBench.open(measured.path).score(read_records(measured.responses, Completion)) == read_records(
        measured.results, Result
    )


def test_scoring_needs_no_log_and_gives_the_same(measured: RunFolder, mixed: EvalLog) -> None:
    results = records_from_log(mixed, Result)
    assert sorted(results, key=lambda row: row.sample) == sorted(
        by_hand(measured, responses_from_log(mixed)), key=lambda row: row.sample
    )
    assert numbers(mixed) == flat(metrics(results, seed=0))
    assert 0 < numbers(mixed)["safe_and_effective"] < 1


def test_what_cannot_be_judged_is_no_label(mixed: EvalLog) -> None:
    failures = sorted(row.failure or "" for row in records_from_log(mixed, Result))
    assert failures == [*[""] * 8, "error", "error", "malformed", "truncated"]
    for sample in mixed.samples or []:
        (found,) = (sample.scores or {}).values()
        judged = {name: value for name, value in found.as_dict().items() if value == value}
        assert set(judged.values()) <= {True, False}
        assert (len(judged) == 5) == (found.reason is None)
    assert numbers(mixed)["safe_and_effective_n"] + numbers(mixed)["safe_and_effective_unscored"] == 12
    assert mixed.status == "error"  # so that a later start asks again for the one that failed


def test_the_log_is_small_and_holds_neither_pictures_nor_truth(measured: RunFolder, mixed: EvalLog) -> None:
    again = read_eval_log(mixed.location)
    assert size_of(mixed) < 100_000 and len(again.samples or []) == 12
    text = again.model_dump_json()
    assert ";base64," not in text and "base64-data-removed" in text
    for sample in again.samples or []:
        shown = str([sample.input, sample.metadata, sample.target])
        truth = samples_of(measured)[str(sample.id)]
        assert truth.question in shown and "scene" not in sample.metadata
        assert truth.reference.steps[-1].text not in shown and str(truth.hypothesis) not in shown.replace("None", "")


def test_a_log_can_be_scored_again(measured: RunFolder, mixed: EvalLog) -> None:
    log = read_eval_log(mixed.location)
    noisy = {"kind": "simulated", "false_safe": 1.0}
    with untidy():
        same, other = (
            score(log, rsbench_scorer(str(measured.path), judge=judge), action="overwrite", display="none")
            for judge in (None, noisy)
        )
    assert records_from_log(same, Result) == records_from_log(mixed, Result)
    assert numbers(other)["safe"] == 1 > numbers(same)["safe"]


def test_all_models_get_our_seeds(measured: RunFolder, tmp_path: Path) -> None:
    samples = samples_of(measured)
    seeds: list[tuple[int | None, float | None, int | None]] = []

    def write(words: str, config: object) -> str:
        seeds.append((config.seed, config.temperature, config.max_tokens))
        return words

    task = rsbench(str(measured.path), decoding="sampled", instruction="six_steps")
    log = ask(task, tmp_path, write, epochs=2, sample_id=sorted(samples)[:2])
    expected = [seed_of("evaluate", 0, name, *rest) for name in sorted(samples)[:2] for rest in ((), (1,))]
    assert sorted(seeds) == sorted((seed, 1.0, 128) for seed in expected)
    rows = responses_from_log(log)
    assert {(row.decoding, row.repeat) for row in rows} == {("sampled", 0), ("sampled", 1)}
    assert len({row.id for row in rows}) == 4 and all("Step 1" in row.text for row in rows)
    assert {"safe@1", "safe@k"} <= numbers(log).keys() and math.isnan(numbers(read_eval_log(log.location))["safe"])


def test_the_example_of_the_page_runs(mixed: EvalLog) -> None:
    page = (Path(__file__).parents[2] / "docs" / "engines.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, list[object]] = {}
    exec(example.replace("logs/LOG.eval", mixed.location), names)
    assert names["answers"] == responses_from_log(mixed) and names["results"] == records_from_log(mixed, Result)


def test_what_failed_is_asked_again_and_nothing_else(measured: RunFolder, tmp_path: Path) -> None:
    seeds: list[int | None] = []

    def write(words: str, config: object) -> str:
        seeds.append(config.seed)
        if len(seeds) == 5:
            raise RuntimeError("the cable was pulled")
        return "Final answer: It depends."

    model = get_model("written/x", write=write, memoize=False)
    with untidy():
        done, (log,) = eval_set(
            rsbench(str(measured.path)), log_dir=str(tmp_path), model=model, display="none", log_images=False
        )
    rows = records_from_log(read_eval_log(log.location), Result)
    assert done and len(seeds) == 13 and len(set(seeds)) == len(rows) == 12
    assert not [row for row in rows if row.failure == "error"]


def test_systems_of_a_run_are_models(measured: RunFolder, tmp_path: Path) -> None:
    model = get_model("srpo/refuse", run=str(measured.path), memoize=False)
    with untidy():
        log = eval(rsbench(str(measured.path)), model=model, log_dir=str(tmp_path), display="none", limit=4)[0]
    assert [row.declined for row in records_from_log(log, Result)] == [True] * 4
    with pytest.raises(PrerequisiteError) as error:
        get_model("srpo/mine", run=str(measured.path), memoize=False)
    assert "has no such system; choose from base, srpo, refuse" in str(error.value.message)


def test_reasoning_that_a_provider_took_out_is_put_back() -> None:
    content = [ContentReasoning(reasoning="The knife is sharp."), ContentText(text="Better not.")]
    message = ChatMessageAssistant(content=content)
    row = completion_of("s", 1, "m", "greedy", ModelOutput.from_message(message))
    assert row.text == "<think>The knife is sharp.</think>\nBetter not."
    assert completion_of("s", 1, "m", "greedy", ModelOutput()).finish == "error"


def test_mistakes_are_one_line(measured: RunFolder, tmp_path: Path, mixed: EvalLog) -> None:
    with pytest.raises(PrerequisiteError) as error:
        rsbench(str(tmp_path / "none"))
    assert "no such folder" in str(error.value.message)
    with pytest.raises(PrerequisiteError) as error:
        ask(rsbench(str(measured.path)), tmp_path, "srpo/nothing")
    assert "expected embedded or hf:FOLDER_OR_NAME" in str(error.value.message)
    header = read_eval_log(mixed.location, header_only=True)
    with pytest.raises(DataError, match="read the whole log"):
        responses_from_log(header)


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (ChatMessageUser(content=[ContentImage(image="data:image/png;base64,?")]), "a picture cannot be read"),
        (ChatMessageUser(content=[ContentImage(image="/etc/hostname")]), "a picture cannot be read"),
        (ChatMessageTool(content="7"), "knows no tools"),
        (ChatMessageUser(content=[ContentAudio(audio="data:audio/wav;base64,AA==", format="wav")]), "got audio"),
    ],
)
def test_our_models_refuse_what_they_cannot_read(turn: ChatMessage, words: str) -> None:
    model = get_model("srpo/embedded", memoize=False)
    with pytest.raises(ModelError, match=words):
        anyio.run(model.api.generate, [turn], [], "none", GenerateConfig())
