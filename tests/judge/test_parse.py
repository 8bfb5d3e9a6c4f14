from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpo.judge.parse import UnparsedReply, parse_labels, parse_step
from srpo.steps import STEP_NAMES

GOOD = {"reason": "It warns.", "safe": True, "effective": False, "declined": True}
GOOD_TEXT = json.dumps(GOOD)
STEP = {"safe": True, "grounded": True, "non_redundant": True, "advances": True, "names_risk": False}


def path_reply(safe: bool = True, effective: bool = True, **change: Any) -> dict[str, Any]:
    steps = [{"name": name, **STEP} for name in STEP_NAMES]
    labels = {"complete": True, "safe": safe, "effective": effective, "declined": False}
    reply = {"reason": "Sound.", "steps": steps, **labels}
    return reply | change


def with_step(index: int, **labels: Any) -> list[dict[str, Any]]:
    steps = path_reply()["steps"]
    steps[index] |= labels
    return list(steps)


@pytest.mark.parametrize(
    "reply",
    [
        GOOD_TEXT,
        f"  {GOOD_TEXT}\n",
        f"```json\n{GOOD_TEXT}\n```\n",
        f"The stove is on, so this matters.\n\n{GOOD_TEXT}",
        f"<think>is {{this}} a set {{1, 2}}? {{'safe': false}}</think>\n```\n{GOOD_TEXT}\n```",
        json.dumps(GOOD, indent=2),
    ],
)
def test_one_object_bare_fenced_or_after_reasoning(reply: str) -> None:
    labels = parse_labels(reply, "answer")
    assert (labels.reason, labels.safe, labels.effective, labels.declined) == ("It warns.", True, False, True)
    assert labels.steps == ()


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "safe",
        "The reply is safe and effective. Verdict: safe = true",
        "I'm sorry, but I cannot help with that.",
        f"{GOOD_TEXT}\nI hope this helps.",
        f"{GOOD_TEXT}{GOOD_TEXT}",
        f'The text says {{"reason": "r", "safe": true, "effective": true, "declined": false}}.\n{GOOD_TEXT}',
        f'{GOOD_TEXT}\nOn reflection: {{"safe": false}}',
        f'First {{"a": 1}} and then {GOOD_TEXT}',
        f"[{GOOD_TEXT}]",
        f'{{"verdict": {GOOD_TEXT}}}',
        GOOD_TEXT[:-1],
        "{'reason': 'It warns.', 'safe': True, 'effective': False, 'declined': True}",
    ],
)
def test_anything_but_one_object_at_the_end(reply: str) -> None:
    with pytest.raises(UnparsedReply):
        parse_labels(reply, "answer")


@pytest.mark.parametrize(
    "change",
    [
        {"safe": "true"},
        {"safe": 1},
        {"safe": None},
        {"effective": [True]},
        {"declined": "no"},
        {"reason": None},
        {"reason": ["a"]},
        {"confidence": 0.9},
        {"steps": []},
    ],
)
def test_labels_are_booleans_and_nothing_else_is_there(change: dict[str, Any]) -> None:
    with pytest.raises(UnparsedReply):
        parse_labels(json.dumps(GOOD | change), "answer")


@pytest.mark.parametrize("key", list(GOOD))
def test_no_label_is_filled_in(key: str) -> None:
    with pytest.raises(UnparsedReply):
        parse_labels(json.dumps({k: v for k, v in GOOD.items() if k != key}), "answer")


def test_reason_comes_before_the_labels() -> None:
    with pytest.raises(UnparsedReply, match="begin with the reason"):
        parse_labels(json.dumps(dict(reversed(GOOD.items()))), "answer")


@pytest.mark.parametrize(
    "reply",
    [
        '{"reason": "r", "safe": true, "safe": false, "effective": true, "declined": false}',
        '{"reason": "r", "safe": NaN, "effective": true, "declined": false}',
        '{"reason": Infinity, "safe": true, "effective": true, "declined": false}',
        '{"reason": "\\ud800", "safe": true, "effective": true, "declined": false}',
    ],
)
def test_json_that_is_not_plain(reply: str) -> None:
    with pytest.raises(UnparsedReply):
        parse_labels(reply, "answer")


@pytest.mark.parametrize(
    "reply",
    [
        "x" * 200_000 + GOOD_TEXT,
        "{" * 90_000,
        '{"a":' * 18_000,
        '{"a":' * 150 + "[" * 90_000,
        '{"' * 45_000,
        "[" * 90_000 + GOOD_TEXT + "]" * 9_000,
        GOOD_TEXT + " " * 90_000 + "x",
        '{"reason": ' + "1" * 90_000 + "}",
        *(f'{{"reason": {"[" * n}{"]" * n}}}' for n in range(900, 1000)),
    ],
)
def test_huge_or_deep_replies_are_refused_quickly(reply: str) -> None:
    start = time.process_time()
    with pytest.raises(UnparsedReply):
        parse_labels(reply, "answer")
    assert time.process_time() - start < 1


def test_path_reply_has_six_steps() -> None:
    reply = path_reply(safe=False, effective=False, steps=with_step(3, safe=False, grounded=False))
    labels = parse_labels(json.dumps(reply), "path")
    assert tuple(step.name for step in labels.steps) == STEP_NAMES
    assert [step.safe for step in labels.steps] == [True, True, True, False, True, True]
    assert labels.safe is False and labels.effective is False and labels.complete is True


@pytest.mark.parametrize("flaw", ["grounded", "non_redundant", "advances"])
def test_a_step_is_effective_if_it_is_grounded_new_and_on_the_way(flaw: str) -> None:
    labels = parse_labels(json.dumps(path_reply(steps=with_step(2, **{flaw: False}, names_risk=True))), "path")
    assert [step.effective for step in labels.steps] == [True, True, False, True, True, True]
    assert [step.names_risk for step in labels.steps] == [False, False, True, False, False, False]


def test_the_word_on_the_whole_path_is_not_composed() -> None:
    ineffective = with_step(5, advances=False)
    assert parse_labels(json.dumps(path_reply(steps=ineffective)), "path").effective is True
    assert parse_labels(json.dumps(path_reply(effective=False)), "path").effective is False
    assert parse_labels(json.dumps(path_reply(complete=False)), "path").complete is False


def test_steps_have_the_names_that_were_asked_for() -> None:
    steps = [{"name": name, **STEP} for name in ("step_1", "step_2")]
    reply = json.dumps(path_reply(steps=steps))
    assert [step.name for step in parse_labels(reply, "path", ("step_1", "step_2")).steps] == ["step_1", "step_2"]
    for names in (("step_1",), ("step_2", "step_1"), STEP_NAMES):
        with pytest.raises(UnparsedReply, match="steps must be"):
            parse_labels(reply, "path", names)


def test_reply_on_one_step() -> None:
    step = parse_step(json.dumps({"reason": "r", **STEP, "grounded": False}), "step_4").step
    assert (step.name, step.safe, step.effective, step.names_risk) == ("step_4", True, False, False)
    for wrong in ({"reason": "r", **STEP, "name": "step_4"}, {"reason": "r", "safe": True}, path_reply()):
        with pytest.raises(UnparsedReply):
            parse_step(json.dumps(wrong), "step_4")


@pytest.mark.parametrize(
    "change",
    [
        {"steps": path_reply()["steps"][:5]},
        {"steps": path_reply()["steps"] + [{"name": "extra", **STEP}]},
        {"steps": path_reply()["steps"][::-1]},
        {"steps": with_step(0, name="Visual context")},
        {"steps": with_step(0, safe="true")},
        {"steps": with_step(0, effective=True)},
        {"steps": [{"name": name, "safe": True} for name in STEP_NAMES]},
        {"steps": {name: STEP for name in STEP_NAMES}},
        {"steps": with_step(2, safe=False)},
        {"safe": False},
        {"complete": None},
    ],
)
def test_wrong_or_contradictory_steps(change: dict[str, Any]) -> None:
    with pytest.raises(UnparsedReply):
        parse_labels(json.dumps(path_reply() | change), "path")


def test_answer_reply_does_not_serve_for_a_path_nor_the_reverse() -> None:
    with pytest.raises(UnparsedReply):
        parse_labels(GOOD_TEXT, "path")
    with pytest.raises(UnparsedReply):
        parse_labels(json.dumps(path_reply()), "answer")


@given(st.text(), st.booleans(), st.booleans(), st.booleans())
def test_any_reason_survives(reason: str, safe: bool, effective: bool, declined: bool) -> None:
    reply = json.dumps({"reason": reason, "safe": safe, "effective": effective, "declined": declined})
    labels = parse_labels(f"Thinking.\n{reply}", "answer")
    assert (labels.reason, labels.safe, labels.effective, labels.declined) == (reason, safe, effective, declined)


@given(st.text(alphabet='{}[]":,tru efals\n`\\0n'))
def test_noise_is_never_a_judgement(text: str) -> None:
    with pytest.raises(UnparsedReply):
        parse_labels(text, "answer")
