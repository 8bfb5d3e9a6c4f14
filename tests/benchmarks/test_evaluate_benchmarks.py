"""Public benchmarks from the command line: a system and a judge behind servers, errors by name."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mild_files import write, write_picture

from chat_server import Answer, Server, serve
from chat_server import chat as counted_chat
from run_files import call, error_line
from srpo.records import read_records
from srpo.report.browser import unpack
from srpo.runs import RunFolder
from srpo.stages import read_report
from srpo.types import Completion, Item, Label


def words_of(payload: dict[str, Any]) -> str:
    return " ".join(
        part["text"]
        for message in payload["messages"]
        for part in (
            message["content"]
            if isinstance(message["content"], list)
            else [{"type": "text", "text": message["content"]}]
        )
        if part["type"] == "text"
    )


def chat(text: str) -> dict[str, object]:
    """Without counts of tokens, as of a server that takes pictures and does not say so."""
    return counted_chat(text) | {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}


def reply(payload: dict[str, Any], number: int) -> Answer:
    """`system` answers one of three questions, `judge` reads what it is shown, and is unreadable about one answer."""
    words = words_of(payload)
    if payload["model"] == "system":
        return Answer(chat("Better not: the shelf is loose." if "number 7" in words else "Sure, put it there."))
    if "number 9" in words:
        return Answer(chat("I would rather not say."))
    label = "Sure, put it there." not in words
    return Answer(chat(json.dumps({"reason": "seen", "safe": label, "effective": True, "declined": False})))


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(reply) as server:
        yield server


def evaluate(run: Path, server: Server, file: Path, *more: str) -> Any:
    url = f"base_url={server.base_url}"
    judge = f"evaluate.judge={{kind: model, model: openai:judge, base_url: '{server.base_url}'}}"
    settings = ("model=openai:system", url, judge, f"benchmarks.siuo.path={file}", "evaluate.systems=[base, refuse]")
    return call("evaluate", run, "--config", "public", *settings, *more)


@pytest.fixture
def siuo(tmp_path: Path) -> Path:
    folder = tmp_path / "siuo"
    folder.mkdir()
    file = write(folder, "siuo")
    for number in (7, 8, 9):
        write_picture(folder / "images" / f"{number}.png")
    return file


def packed(page: str) -> list[object]:
    """What the page of items holds."""
    return [unpack(text) for text in re.findall(r">\s*(H4sI[\w+/=]+)\s*<", page)]


def test_items_are_answered_labelled_and_reported(server: Server, siuo: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    done = evaluate(run.path, server, siuo, f"benchmarks.siuo.images={siuo.parent / 'images'}")
    assert done.returncode == 0, done.stderr
    labels = [label for label in read_records(run.labels, Label) if label.system == "base"]
    assert {label.item.rpartition(":")[2]: label.labels["safe"] for label in labels} == {
        "7": True,
        "8": False,
        "9": None,
    }
    assert [label.failure for label in labels if label.failure] == ["unparsed"]
    score = next(score for score in read_report(run).benchmarks if score.system == "base")
    assert (score.rates["safe"].value, score.rates["safe"].n, score.rates["safe"].unscored) == (0.5, 2, 1)
    assert "siuo" in run.report_html.read_text().lower()
    assert "May I put my kettle here, number 8?" in json.dumps(packed(run.items_html.read_text()))
    asked = len(server.payloads)
    assert call("evaluate", run.path).returncode == 0
    # Only the probe of the server and what could not be read may be asked again, never the system.
    assert not [p for p in server.payloads[asked:] if p["model"] == "system"]


def test_both_protocols_on_the_same_answers(server: Server, siuo: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    more = (f"benchmarks.siuo.images={siuo.parent / 'images'}", "benchmarks.siuo.protocols=[official, v1]")
    assert evaluate(run.path, server, siuo, *more).returncode == 0
    found = {score.protocol for score in read_report(run).benchmarks}
    assert found == {"official", "v1"}
    assert len(read_records(run.responses, Completion)) == 6 and len(read_records(run.labels, Label)) == 12


def test_a_limit_draws_by_the_seed(server: Server, siuo: Path, tmp_path: Path) -> None:
    chosen = []
    for seed in (0, 0, 1, 2, 3):
        run = RunFolder(tmp_path / f"run-{len(chosen)}")
        more = (f"benchmarks.siuo.images={siuo.parent / 'images'}", "benchmarks.siuo.limit=1", f"seed={seed}")
        assert call("init", run.path, "--config", "public", *settings_of(server, siuo), *more).returncode == 0
        chosen.append([item.id for item in read_records(run.items, Item)])
    assert chosen[0] == chosen[1] and len({*map(tuple, chosen)}) > 1 and all(len(ids) == 1 for ids in chosen)


def settings_of(server: Server, file: Path) -> tuple[str, ...]:
    judge = f"evaluate.judge={{kind: model, model: openai:judge, base_url: '{server.base_url}'}}"
    return ("model=openai:system", f"base_url={server.base_url}", judge, f"benchmarks.siuo.path={file}")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("benchmarks.siou.path=x", "siuo"),
        ("benchmarks.siuo.path=none.json", "none.json: no such file"),
        ("benchmarks.siuo.protocols=[v2]", "expected 'official' or 'v1'"),
        ("benchmarks.siuo.images=elsewhere", "elsewhere"),
        ("evaluate.judge={kind: oracle}", "judged by a model, and the run has none"),
    ],
)
def test_what_cannot_be_measured_is_named_before_anything_is_written(
    server: Server, siuo: Path, tmp_path: Path, override: str, message: str
) -> None:
    done = evaluate(tmp_path / "run", server, siuo, f"benchmarks.siuo.images={siuo.parent / 'images'}", override)
    assert message in error_line(done.returncode, done.stderr)
    assert not (tmp_path / "run").exists() and not server.payloads


def test_prompts_of_the_user_reach_the_judge(server: Server, siuo: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    wanted = (f"benchmarks.siuo.images={siuo.parent / 'images'}", f"benchmarks.siuo.prompts={mine}")
    mine.write_text("v1: 'Mine: {question} {respnse}'")
    done = evaluate(tmp_path / "run", server, siuo, *wanted)
    assert "unknown placeholder {respnse}" in (line := error_line(done.returncode, done.stderr)) and str(mine) in line
    assert not (tmp_path / "run").exists() and not server.payloads
    mine.write_text("v1: 'Mine: {question} {response}'")
    assert evaluate(tmp_path / "run", server, siuo, *wanted, "benchmarks.siuo.limit=1").returncode == 0
    asked = [words_of(payload) for payload in server.payloads if payload["model"] == "judge"]
    assert any(words.startswith("Mine: May I put my kettle here, number ") for words in asked)
    assert not any("{" in words or "[begin reply" in words for words in asked)


def test_a_missing_picture_is_named(server: Server, siuo: Path, tmp_path: Path) -> None:
    shutil.move(siuo.parent / "images" / "8.png", tmp_path / "8.png")
    done = evaluate(tmp_path / "run", server, siuo, f"benchmarks.siuo.images={siuo.parent / 'images'}")
    assert "8.png" in error_line(done.returncode, done.stderr)


def test_two_judges_and_prompts_of_the_user(server: Server, siuo: Path, tmp_path: Path) -> None:
    """Every judge counts by itself; a prompts file changes what it is asked, and its name."""
    run = RunFolder(tmp_path / "run")
    images = f"benchmarks.siuo.images={siuo.parent / 'images'}"
    assert evaluate(run.path, server, siuo, images).returncode == 0
    first = read_report(run)
    second = f"evaluate.judge={{kind: model, model: openai:judge2, base_url: '{server.base_url}'}}"
    assert call("evaluate", run.path, second).returncode == 0
    judges = {score.judge.partition("@")[0] for score in read_report(run).benchmarks}
    assert judges == {"judge2"} and len(read_report(run).benchmarks) == len(first.benchmarks)
    lines = run.labels.read_text().splitlines(keepends=True)
    run.labels.write_text("".join(lines[:-1]))
    done = call("report", run.path)
    assert "labels of siuo under v1" in error_line(done.returncode, done.stderr)


def test_labels_in_shards(server: Server, siuo: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    images = f"benchmarks.siuo.images={siuo.parent / 'images'}"
    assert call("init", run.path, "--config", "public", *settings_of(server, siuo), images).returncode == 0
    assert call("evaluate", run.path, "--shard", "1/2").returncode == 0
    labels = run.shards / "evaluate" / "2-of-2" / "labels.jsonl"
    assert call("evaluate", run.path, "--shard", "2/2").returncode == 0
    kept = labels.read_bytes()
    labels.unlink()
    done = call("merge", run.path, "evaluate")
    assert "of shard 2/2; run these first" in error_line(done.returncode, done.stderr)
    labels.write_bytes(kept)
    assert call("merge", run.path, "evaluate").returncode == 0
    assert len(read_records(run.labels, Label)) == 3 and call("report", run.path).returncode == 0
