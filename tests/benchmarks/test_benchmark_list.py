"""What holds of every benchmark."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest
from mild_files import FILES, write

from srpo.benchmarks import BENCHMARKS, benchmark_named, render_item, validate
from srpo.benchmarks.prompts import ALIASES
from srpo.errors import ConfigError
from srpo.prompts.fill import fill, placeholders


def test_a_name_that_is_not_known_gets_the_nearest():
    assert benchmark_named("siuo") is BENCHMARKS["siuo"]
    with pytest.raises(ConfigError, match=r"no benchmark 'mosbench'; did you mean mossbench\?"):
        benchmark_named("mosbench")
    with pytest.raises(ConfigError, match="there are: siuo, siuo_mcqa"):
        benchmark_named("####")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_says_what_it_is(name):
    benchmark = BENCHMARKS[name]
    assert benchmark.name == name and benchmark.title and benchmark.licence
    assert {"path", "images", "check_images"} <= inspect.signature(benchmark.load).parameters.keys()
    assert benchmark.protocols and benchmark.protocols.keys() <= {"official", "v1"}
    for key, protocol in benchmark.protocols.items():
        assert protocol.name == key and protocol.rates and protocol.labels
        assert protocol.rule_only or protocol.prompts
        assert all("{fence}" in text for text in protocol.prompts.values())


@pytest.mark.parametrize("name", FILES)
def test_all_questions_are_in_the_judges_name(name, tmp_path):
    """A template that is asked but not declared could change without the judge's name changing."""
    benchmark = BENCHMARKS[name]
    for item in benchmark.load(write(tmp_path, name)):
        for protocol in benchmark.protocols.values():
            asks = protocol.asks(item, "No.")
            assert {ask.name: ask.text for ask in asks}.items() <= protocol.prompts.items()
            assert all(placeholders(ask.text) <= {*ask.values, "fence"} for ask in asks)
            assert {label for ask in asks for label in ask.labels} <= set(protocol.labels)


@pytest.mark.parametrize("name", FILES)
def test_right_answers_score_right_and_wrong_ones_wrong(name, tmp_path):
    benchmark = BENCHMARKS[name]
    items = benchmark.load(write(tmp_path, name))
    for protocol in benchmark.protocols:
        assert validate(benchmark, items, protocol) == []


def test_validation_can_fail(tmp_path):
    benchmark = BENCHMARKS["siuo_mcqa"]
    items = benchmark.load(write(tmp_path, "siuo_mcqa"))
    swapped = replace(benchmark, gold=benchmark.wrong, wrong=benchmark.gold)
    assert len(validate(swapped, items, "v1")) == 6
    assert validate(swapped, items, "v1")[0] == "siuo_mcqa:7: its right answer gets accuracy False"
    mute = replace(benchmark, gold=lambda item: "Hm.")
    assert validate(mute, items, "v1")[0] == "siuo_mcqa:7: its right answer gets no accuracy (malformed)"
    siuo = BENCHMARKS["siuo"]
    deaf = replace(siuo.protocols["v1"], prompts={"v1": "What?"})
    items = siuo.load(write(tmp_path, "siuo"))
    assert "(error)" in validate(replace(siuo, protocols={"v1": deaf}), items, "v1")[0]


def test_what_a_system_is_asked(tmp_path):
    (item, *_) = BENCHMARKS["siuo_mcqa"].load(write(tmp_path, "siuo_mcqa"))
    (message,) = render_item(item)
    lines = message.text.splitlines()
    assert lines[0] == item.question and lines[2] == "B. No, the shelf is loose."
    assert lines[-1] == "Answer with the letter of the right choice."
    assert [str(image) for image in message.images] == list(item.images)
    (item, *_) = BENCHMARKS["siuo"].load(write(tmp_path, "siuo"))
    assert render_item(item)[0].text == item.question


def test_the_example_of_the_document_runs(tmp_path, monkeypatch):
    page = Path(__file__).parents[2] / "docs/benchmarks.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    write(tmp_path, "siuo")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, str(page), "exec"), names)
    assert names["problems"] == []


@pytest.mark.parametrize("name", FILES)
def test_the_document_names_file_rates_and_defects(name):
    text = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
    benchmark = BENCHMARKS[name]
    assert FILES[name][0] in rows or name == "siuo_mcqa"
    assert benchmark.licence.split(",")[0].split(";")[0] in text
    headlines = {next(iter(protocol.rates)) for protocol in benchmark.protocols.values()}
    missing = [word for word in (*benchmark.known_defects, *headlines) if f"`{word}`" not in rows]
    assert set(missing) <= {"cut_reply"}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_document_names_questions_and_placeholders(name):
    text = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text(encoding="utf-8")
    section = text[text.index("**Your prompts.**") : text.index("## Rates")]
    for protocol in BENCHMARKS[name].protocols.values():
        for question, template in protocol.prompts.items():
            assert f"`{question}`" in section
            assert all(f"`{{{word}}}`" in section for word in placeholders(template))
    assert all(f"`{{{alias}}}`" in section for alias in ALIASES)


def test_a_template_is_filled_once():
    text = fill("{a} {b}\n\nonly {c}\n\n{d} {fence}", {"a": "{b}", "b": "2", "c": None})
    first, last = text.split("\n\n")
    assert first == "{b} 2" and last.startswith("{d} ") and len(last) == 20
