"""`srpo judge`: a run folder means the stage, `calibrate` means calibration."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from label_files import XSTEST, own_rows, write
from typer.testing import CliRunner

from srpo.calibrate import Agreement
from srpo.cli import judge as commands
from srpo.config import load_config
from srpo.errors import ConfigError, SrpoError
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.systems import load_judge
from srpo.types import JudgeCard

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from chat_server import Answer, chat, serve


def call(*words: object) -> Any:
    return CliRunner().invoke(commands.app, [str(word) for word in words], terminal_width=200)


def test_the_first_word_is_a_run_or_a_command(tmp_path: Path) -> None:
    for words in (("none",), ("--shard", "1/2", "none"), ("branches", "none")):
        result = call(*words)
        assert isinstance(result.exception, SrpoError) and "none: no such folder" in str(result.exception)


def test_help_teaches_all_three(tmp_path: Path) -> None:
    for words, taught in (
        (("--help",), "Example: srpo judge runs/mine"),
        (("runs/mine", "--help"), "Example: srpo judge runs/mine"),
        (("calibrate", "--help"), "Example: srpo judge calibrate --labels"),
        ((), "calibrate"),
    ):
        assert taught in " ".join(call(*words).output.split())


def test_a_judge_of_the_file_gets_a_card(tmp_path: Path) -> None:
    rows = [
        XSTEST | {"id": f"v{i}", "final_label": "2_full_refusal" if i % 2 else "1_full_compliance"} for i in range(9)
    ]
    path = write(tmp_path / "x.csv", rows)
    result = call("calibrate", "--labels", path, "--judge", "gpt4_label", "--subset", 4, "--out", tmp_path / "card")
    assert result.exit_code == 0, result.output
    card = read_records(tmp_path / "card" / "card.json", JudgeCard)[0]
    assert (card.judge, card.flag, card.judge_rate.value) == ("gpt4_label", "declined", 1.0)
    assert "rate of declined, judge" in result.output
    assert (tmp_path / "card" / "card.md").read_text().startswith("# Judge card\n")


def test_a_subset_that_leaves_nothing_over_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [XSTEST, XSTEST | {"id": "b"}])
    result = call("calibrate", "--labels", path, "--judge", "gpt4_label")
    assert "--subset 200 leaves none of the 2 scored rows over" in result.output
    assert "leaves" not in call("calibrate", "--labels", path, "--judge", "gpt4_label", "--subset", 0).output


def test_without_a_judge_people_are_compared(tmp_path: Path) -> None:
    rows = [XSTEST | {"id": "a", "annotation_2": "2_full_refusal"}, XSTEST | {"id": "b"}]
    result = call("calibrate", "--labels", write(tmp_path / "x.csv", rows), "--out", tmp_path / "o")
    assert "kappa, declined or not" in result.output
    assert read_records(tmp_path / "o" / "agreement.json", Agreement)[0].confusion["second only"] == 1


def test_a_model_is_asked_once_and_its_card_can_be_made_again(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", own_rows(12))
    words = ("calibrate", "--labels", path, "--flag", "unsafe", "--model", "openai:j", "--repeats", 2, "--probes")
    with serve(labelling) as server:
        first = call(*words, "--base-url", server.base_url, "--out", tmp_path / "o")
        assert first.exit_code == 0, first.output
        asked = len(server.payloads)
        card = read_records(tmp_path / "o" / "card.json", JudgeCard)[0]
        again = call(*words, "--base-url", server.base_url, "--out", tmp_path / "o")
        assert again.exit_code == 0 and len(server.payloads) == asked == 12 * 4
    assert read_records(tmp_path / "o" / "card.json", JudgeCard)[0] == card
    assert (card.kappa.value, card.temperature, card.flip_rate and card.flip_rate.value) == (1.0, 0.0, 0.0)
    assert list(card.probes) == ["apology", "padding"] and card.judge.startswith("j@")
    assert card.prompts_sha256 == card.judge.partition("@")[2]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), {}),
        (("--show-risk",), {"show_hypothesis": True}),
        (("--hide-reference",), {"show_reference": False}),
        (("--step-by-step",), {"step_by_step": True}),
        (("--hide-reference", "--step-by-step"), {"show_reference": False, "step_by_step": True}),
    ],
)
def test_the_judge_measured_is_the_judge_of_a_run(
    tmp_path: Path, words: tuple[str, ...], told: dict[str, bool]
) -> None:
    """By its name, which stands for all that it is shown and how it is asked; and by what is sent."""
    rows = [row | {"reference": "Ask a grown-up.", "hypothesis": "A fall."} for row in own_rows(8)]
    path = write(tmp_path / "own.csv", rows)
    with serve(labelling) as server:
        servers = ("--base-url", server.base_url, "--base-url", server.base_url)
        asked = ("--model", "openai:j", *servers, "--probes", "--out", tmp_path)
        result = call("calibrate", "--labels", path, "--flag", "unsafe", *asked, *words)
        assert result.exit_code == 0, result.output
    settings = {"kind": "model", "model": "openai:j", "base_url": [server.base_url] * 2, **told}
    config = load_config(None, [f"evaluate.judge={json.dumps(settings)}"], RunConfig)
    own = load_judge(config, config.scoring_judges[0], 0, labels_branches=False)
    card = read_records(tmp_path / "card.json", JudgeCard)[0]
    assert card.judge == own.name
    sent = [json.dumps(payload) for payload in server.payloads]
    shown = {"Ask a grown-up.": "--hide-reference" not in words, "A fall.": "--show-risk" in words}
    assert {text: any(text in payload for payload in sent) for text in shown} == shown
    hidden = {"no_reference": shown["Ask a grown-up."], "no_hypothesis": shown["A fall."]}
    assert {name: name in card.probes for name in hidden} == hidden


def test_a_server_for_a_local_model_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", own_rows(2))
    asked = ("--flag", "unsafe", "--model", "hf:none", "--base-url", "http://localhost:1", "--out", tmp_path)
    result = call("calibrate", "--labels", path, *asked)
    assert isinstance(result.exception, ConfigError) and "base_url is the server of a model" in str(result.exception)


def labelling(payload: dict[str, Any], number: int) -> Answer:
    safe = "up you go" not in json.dumps(payload)
    text = json.dumps({"reason": "r", "safe": safe, "effective": True, "declined": False})
    return Answer(chat(text))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--judge", "a", "--model", "hf:b"), "give one of them"),
        (("--probes",), "--probes: is for a judge that is asked; give --model"),
        (("--judge", "a", "--hide-reference"), "--hide-reference: is for a judge that is asked; give --model"),
        (("--step-by-step",), "give --model"),
        (("--judge", "a", "--temperature", "0.5"), "give --model"),
        (("--model", "hf:b"), "give --out DIR"),
    ],
)
def test_options_that_would_be_ignored_are_errors(words: tuple[str, ...], named: str) -> None:
    result = call("calibrate", "--labels", "none.csv", *words)
    assert isinstance(result.exception, ConfigError) and named in str(result.exception)
