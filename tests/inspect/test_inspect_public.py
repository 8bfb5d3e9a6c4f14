"""Public benchmarks in inspect_ai: the same labels and rates as the core, and judges that see the picture."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest
from inspect_ai import eval, score
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, get_model
from inspecting import ask, numbers, size_of, untidy
from PIL import Image as PILImage

from chat_server import Answer, chat, serve
from srpo.benchmarks import BENCHMARKS, BenchmarkJudge, rates
from srpo.inspect import benchmark, benchmark_scorer, records_from_log, responses_from_log
from srpo.inspect.figures import flat
from srpo.models.openai import OpenAIModel
from srpo.types import Completion, Item, Label

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from mild_files import PICTURES, write

RIGHT = {"7": "(B)", "8": "(A)", "9": "I like kettles."}
"""What is said about the kettle of that number."""


def items_of(name: str, path: Path) -> dict[str, Item]:
    return {item.id: item for item in BENCHMARKS[name].load(path)}


def number_of(words: str) -> str:
    return words.split("number ")[1][0]


@pytest.mark.parametrize("protocol", ["v1", "official"])
def test_rules_give_the_labels_and_rates_of_the_core(protocol: str, tmp_path: Path) -> None:
    path = write(tmp_path / "files", "siuo_mcqa")
    task = benchmark("siuo_mcqa", str(path), protocol=protocol)
    log = ask(task, tmp_path / "logs", lambda words, _: RIGHT[number_of(words)])
    items = items_of("siuo_mcqa", path)
    judge = BenchmarkJudge(BENCHMARKS["siuo_mcqa"].protocols[protocol])
    labels = judge.label([(items[row.sample], row) for row in responses_from_log(log)])
    assert records_from_log(log, Label) == labels
    assert numbers(log) == flat(rates(labels, list(items.values()), BENCHMARKS["siuo_mcqa"].protocols[protocol], 0))
    unread = next(row for row in log.samples or [] if row.id == "siuo_mcqa:9")
    (found,) = (unread.scores or {}).values()
    if protocol == "v1":
        assert found.as_dict()["choice"] != found.as_dict()["choice"] and found.reason == "malformed"
        assert numbers(log)["accuracy_n"] == 2 and numbers(log)["accuracy_unscored"] == 1
    else:
        assert found.as_dict()["choice"] in "ABCD" and numbers(log)["accuracy_n"] == 3


def verdict(safe: bool) -> str:
    return json.dumps({"reason": "Seen.", "safe": safe, "effective": True, "declined": False})


def test_the_judge_sees_the_picture_though_the_log_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "files", "siuo")
    picture = base64.b64encode((tmp_path / "files" / PICTURES["siuo"][0]).read_bytes()).decode()

    def reply(payload: dict, _: int) -> Answer:
        words = json.dumps(payload["messages"])
        return Answer(chat("no idea") if "number 9" in words else chat(verdict("number 7" in words)))

    with serve(reply) as server:
        settings = {"kind": "model", "model": "openai:judge", "base_url": server.base_url}
        task = benchmark("siuo", str(path), judge=settings)
        log = ask(task, tmp_path / "logs", lambda words, _: "Gladly.")
        first = list(server.payloads)
        whole = read_eval_log(log.location)
        with untidy():
            again = score(
                whole, benchmark_scorer("siuo", str(path), judge=settings), action="overwrite", display="none"
            )
        own = BenchmarkJudge(BENCHMARKS["siuo"].protocols["v1"], OpenAIModel("judge", server.base_url)).label(
            [(items_of("siuo", path)[row.sample], row) for row in responses_from_log(log)]
        )
        sent = [payload["messages"][0]["content"][0]["image_url"]["url"] for payload in server.payloads]
    assert len(first) == 4 and len(sent) == 12, "three answers, one of them asked about twice, three times over"
    assert all(url == f"data:image/png;base64,{picture}" for url in sent)
    assert records_from_log(log, Label) == records_from_log(again, Label) == own
    assert [row.labels["safe"] for row in own] == [True, False, None] and own[2].failure == "unparsed"
    assert numbers(again) == numbers(log) and numbers(log)["safe"] == 0.5 and numbers(log)["safe_unscored"] == 1
    assert ";base64," not in whole.model_dump_json() and size_of(log) < 60_000


def test_several_answers_are_put_together_as_in_the_core(tmp_path: Path) -> None:
    """A majority over epochs, which no mean over epochs gives."""
    path = write(tmp_path / "files", "siuo")
    with serve(lambda payload, _: Answer(chat(verdict("Step" not in json.dumps(payload))))) as server:
        settings = {"kind": "model", "model": "openai:judge", "base_url": server.base_url}
        said = iter(["Yes.", "Step lightly.", "Yes."])
        log = ask(
            benchmark("siuo", str(path), judge=settings, decoding="sampled"),
            tmp_path / "logs",
            lambda words, _: next(said) if number_of(words) == "7" else "Step lightly.",
            epochs=3,
            max_samples=1,
        )
    rows = responses_from_log(log)
    assert len(rows) == 9 and sorted(row.repeat for row in rows) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert numbers(log)["safe"] == pytest.approx(1 / 3) and numbers(log)["safe_n"] == 3


def test_what_the_authors_say_of_an_item_is_not_in_the_question(tmp_path: Path) -> None:
    path = write(tmp_path, "siuo")
    for asked, item in zip(
        benchmark(
            "siuo", str(path), judge={"kind": "model", "model": "openai:x", "base_url": "http://localhost:1/v1"}
        ).dataset,
        items_of("siuo", path).values(),
        strict=True,
    ):
        shown = asked.model_dump_json()
        assert asked.id == item.id and item.question in shown and asked.target == ""
        assert str(item.risk) not in shown and str(item.reference).strip() not in shown


def test_answers_that_fail_are_unscored(tmp_path: Path) -> None:
    path = write(tmp_path / "files", "siuo_mcqa")

    def broken(words: str, _: object) -> str | ModelOutput:
        if number_of(words) == "7":
            raise RuntimeError("the cable was pulled")
        return ModelOutput.from_content(
            "written", "(B)", stop_reason="max_tokens" if number_of(words) == "8" else "stop"
        )

    log = ask(benchmark("siuo_mcqa", str(path)), tmp_path / "logs", broken)
    found = {row.item: row.failure for row in records_from_log(log, Label)}
    assert found == {"siuo_mcqa:7": "error", "siuo_mcqa:8": "truncated", "siuo_mcqa:9": None}
    assert [row.finish for row in responses_from_log(log)] == ["error", "length", "stop"]
    assert numbers(log) | {"accuracy_n": 1, "accuracy_unscored": 2} == numbers(log)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "siou"}, "no benchmark 'siou'; did you mean siuo?"),
        ({"name": "siuo"}, "siuo, v1: its answers are judged by a model; give -T judge="),
        ({"name": "siuo_mcqa", "protocol": "v2"}, "-T protocol=v2: expected one of official, v1"),
        ({"name": "siuo_mcqa", "decoding": "hot"}, "-T decoding=hot: expected one of greedy, sampled"),
    ],
)
def test_mistakes_are_one_line(settings: dict, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, settings["name"] if settings["name"] in BENCHMARKS else "siuo")
    with pytest.raises(PrerequisiteError) as error:
        benchmark(path=str(path), **settings)
    assert words in str(error.value.message) and "\n" not in str(error.value.message)


def test_a_picture_is_sent_as_what_it_is(tmp_path: Path) -> None:
    """Published files hold pictures whose names lie."""
    path = write(tmp_path / "files", "siuo_mcqa")
    PILImage.new("RGB", (3, 2)).save(tmp_path / "files" / "7.png", "WEBP")
    model = get_model("written/x", write=lambda words, _: "(B)", memoize=False)
    with untidy():
        eval(benchmark("siuo_mcqa", str(path)), model=model, log_dir=str(tmp_path / "logs"), display="none")
    kinds = sorted(url.partition(";")[0] for url in model.api.pictures)
    assert kinds == ["data:image/png", "data:image/png", "data:image/webp"]


def test_completions_are_those_of_the_core(tmp_path: Path) -> None:
    path = write(tmp_path / "files", "siuo_mcqa")
    log = ask(benchmark("siuo_mcqa", str(path)), tmp_path / "logs", lambda words, _: "(B)", limit=1)
    assert responses_from_log(log) == [
        Completion(
            id="written/x:greedy:siuo_mcqa:7",
            sample="siuo_mcqa:7",
            system="written/x",
            decoding="greedy",
            text="(B)",
            finish="stop",
            prompt_tokens=1,
            completion_tokens=1,
        )
    ]
