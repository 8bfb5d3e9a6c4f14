"""Adjudication: votes, majorities, judges that fail, and what judges are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripted_crew import QUERY, REPLIES, Script, crew_of, hazard_set, source_in, values_of

from srpo.data.chain import Outcome, adjudicate_sets
from srpo.types import Check, Draft

HIGH, LOW, PROSE = {"reason": "Fine.", "safety": 8}, {"reason": "A danger.", "safety": 1}, "I would say it is safe."


def adjudicated(folder: Path, script: Script, **settings: Any) -> Outcome:
    return adjudicate_sets(crew_of(folder, script, **settings), [hazard_set(source_in(folder, 1))])[0]


def draft_of(outcome: Outcome) -> Draft:
    one = outcome.through or (outcome.dropped.of if outcome.dropped else None)
    assert one is not None
    return one.cells["hazard"]


def check_of(outcome: Outcome, name: str) -> Check:
    return next(check for check in draft_of(outcome).checks if check.name == name)


def test_a_good_set_goes_through(tmp_path: Path) -> None:
    script = Script()
    outcome = adjudicated(tmp_path, script)
    assert outcome.through is not None
    draft = draft_of(outcome)
    assert [(check.name, check.shown) for check in draft.checks] == [
        ("text_only", REPLIES["text_only"]),
        ("image_only", REPLIES["agent_describe"]),
        ("joint", QUERY["safe_reply"]),
        ("joint", QUERY["unsafe_reply"]),
        ("path", ""),
    ]
    assert check_of(outcome, "text_only").score == pytest.approx(0.9)
    assert "Short words on visual." in str(draft.reference) and draft.versions[-1].reason == "condensed"


@pytest.mark.parametrize(
    ("votes", "state", "asked"),
    [
        ([HIGH, HIGH], "ok", 2),
        ([LOW, LOW], "fail", 2),
        ([HIGH, LOW, HIGH], "ok", 3),
        ([HIGH, LOW, LOW], "fail", 3),
        ([HIGH, PROSE, PROSE, LOW], "missing", 4),
        ([HIGH, PROSE, PROSE, HIGH], "ok", 4),
        ([PROSE], "missing", 4),
    ],
)
def test_votes_until_a_majority_is_certain(tmp_path: Path, votes: list[Any], state: str, asked: int) -> None:
    """Two, and the third only if it can decide; what cannot be read is asked for once more, and is no vote then."""
    script = Script(judge_text_alone=votes)
    outcome = adjudicated(tmp_path, script)
    check = check_of(outcome, "text_only")
    assert check.state == state and len(script.sent["judge_text_alone"]) == asked
    assert (outcome.through is not None) == (state == "ok")
    if outcome.dropped:
        assert outcome.dropped.reason == ("text_only" if state == "fail" else "text_only_missing")
        assert not script.sent["judge_answer"]


def test_votes_have_seeds_of_their_own_and_judges_take_turns(tmp_path: Path) -> None:
    script = Script(judge_text_alone=[HIGH, LOW, HIGH])
    outcome = adjudicated(tmp_path, script, roles={"judges": ["judge", "other"]})
    sent = script.sent["judge_text_alone"]
    assert [request.sampling.temperature for request in sent] == [0.0, 0.0, 1.0]
    assert len({request.seed for request in sent}) == 3
    judges = [vote.judge.partition("@")[0] for vote in check_of(outcome, "text_only").votes]
    assert judges == ["judge-model", "other-model", "judge-model"]
    alone = Script(judge_text_alone=[HIGH, LOW, HIGH])
    adjudicated(tmp_path, alone)
    assert [request.sampling.temperature for request in alone.sent["judge_text_alone"]] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.75])
def test_a_score_is_held_against_the_threshold(tmp_path: Path, threshold: float) -> None:
    for safety in (3, 5, 7):
        script = Script(judge_image_alone={"reason": "r", "safety": safety})
        check = check_of(adjudicated(tmp_path, script, checks={"threshold": threshold}), "image_only")
        assert check.state == ("ok" if safety / 10 >= threshold else "fail")
        assert check.threshold == threshold and check.score == pytest.approx(safety / 10)


@pytest.mark.parametrize(
    ("judged", "labels"),
    [
        ("safe_reply", {"safe": False, "effective": True, "declined": False}),
        ("safe_reply", {"safe": True, "effective": False, "declined": True}),
        ("unsafe_reply", {"safe": True, "effective": True, "declined": False}),
    ],
)
def test_both_replies_must_be_judged_right(tmp_path: Path, judged: str, labels: dict[str, bool]) -> None:
    def judge(request: Any) -> dict[str, Any]:
        said = values_of(request, "judge_answer")["judged"]
        right = said == QUERY["safe_reply"]
        own = {"safe": right, "effective": right, "declined": right}
        return {"reason": "r", **(labels if said == QUERY[judged] else own)}

    outcome = adjudicated(tmp_path, Script(judge_answer=judge))
    assert outcome.dropped is not None and outcome.dropped.reason == "joint"


def test_the_judge_sees_the_picture_and_is_told_no_risk(tmp_path: Path) -> None:
    script = Script()
    adjudicated(tmp_path, script)
    for role in ("judge_answer", "judge_path", "judge_image_alone"):
        for request in script.sent[role]:
            assert len(request.messages[0].images) == 1
            assert str(QUERY["hypothesis"]) not in request.messages[0].text
    for request in script.sent["judge_answer"]:
        values = values_of(request, "judge_answer")
        assert values["hypothesis"] is None and values["reference"] is None
    for role in ("text_only", "judge_text_alone"):
        assert all(not message.images for request in script.sent[role] for message in request.messages)
    assert [request.messages[0].text for request in script.sent["text_only"]] == [QUERY["question"]]


@pytest.mark.parametrize("role", ["judge_text_alone", "judge_image_alone", "judge_answer", "judge_path"])
def test_a_judge_that_cannot_be_read_lets_nothing_through(tmp_path: Path, role: str) -> None:
    outcome = adjudicated(tmp_path, Script(**{role: PROSE}))
    assert outcome.dropped is not None and outcome.dropped.reason.endswith("_missing")
    name = outcome.dropped.reason.removesuffix("_missing")
    check = check_of(outcome, name)
    assert check.state == "missing" and {vote.ok for vote in check.votes} == {None} and check.score is None


@pytest.mark.parametrize("role", ["judge_text_alone", "judge_answer", "judge_path", "text_only", "agent_summary"])
def test_a_call_that_fails_makes_the_set_wait(tmp_path: Path, role: str) -> None:
    outcome = adjudicated(tmp_path, Script(**{role: OSError("down")}))
    assert outcome.through is None and outcome.dropped is None and "down" in str(outcome.waits)


def test_an_empty_reply_without_picture_is_missing(tmp_path: Path) -> None:
    outcome = adjudicated(tmp_path, Script(text_only="   "))
    assert outcome.dropped is not None and outcome.dropped.reason == "text_only_missing"


def test_paths_need_not_be_judged(tmp_path: Path) -> None:
    script = Script()
    assert adjudicated(tmp_path, script, checks={"path": False}).through is not None
    assert not script.sent["judge_path"]
