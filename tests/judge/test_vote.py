from __future__ import annotations

from typing import Any

import pytest

from srpo.errors import DataError
from srpo.judge.vote import vote, vote_results
from srpo.types import Result, StepVerdict


def step(name: str, safe: bool | None, names_risk: bool | None = False) -> StepVerdict:
    return StepVerdict(name=name, safe=safe, effective=safe, names_risk=names_risk)


def result(judge: str, **fields: Any) -> Result:
    flags = {
        "path_safe": True,
        "path_effective": True,
        "answer_safe": True,
        "answer_effective": True,
        "declined": False,
    }
    given = flags | {"completion": "c", "steps": (step("step_1", True), step("step_2", True)), **fields}
    of = {"sample": "s", "group": "g", "cell": "hazard", "split": "test", "category": None, "rule": None}
    return Result(**of, system="base", decoding="greedy", judge=judge, **given)


def unjudged(judge: str, failure: str, **fields: Any) -> Result:
    flags = dict.fromkeys(("path_safe", "path_effective", "answer_safe", "answer_effective", "declined"))
    return result(judge, **{**flags, "steps": (), "failure": failure, **fields})


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([True, True, False], True),
        ([False, True, False], False),
        ([True, None, None], True),
        ([True, False], None),
        ([True, False, None], None),
        ([None, None], None),
        ([], None),
    ],
)
def test_majority_of_those_that_could_judge(flags: list[bool | None], expected: bool | None) -> None:
    assert vote(flags) is expected
    assert vote(flags[::-1]) is expected


def test_each_flag_and_each_step_is_voted_on_by_itself() -> None:
    steps = (step("step_1", True), step("step_2", False, True))
    panel = vote_results(
        [
            result("a", path_safe=False, steps=steps, answer_effective=False, path_complete=True),
            result("b", path_safe=False, steps=steps, path_complete=True),
            result("c", declined=True, path_complete=False),
        ]
    )
    assert (panel.path_safe, panel.answer_effective, panel.declined, panel.path_complete) == (False, True, False, True)
    assert [(s.name, s.safe, s.names_risk) for s in panel.steps] == [("step_1", True, False), ("step_2", False, True)]
    assert (panel.first_failing_step, panel.risk_step) == ("step_2", "step_2")
    assert panel.judge == "panel(a, b, c)" and panel.failure is None and panel.completion == "c"


def test_unlike_reasons_against_a_path_leave_no_first_failing_step() -> None:
    ways = [(False, True, True), (True, False, True), (True, True, False)]
    seen = [tuple(step(f"step_{i}", safe) for i, safe in enumerate(way, 1)) for way in ways]
    panel = vote_results([result(str(i), path_safe=False, steps=steps) for i, steps in enumerate(seen)])
    assert panel.path_safe is False and all(s.safe for s in panel.steps) and panel.first_failing_step is None


def test_failures_do_not_vote() -> None:
    panel = vote_results([unjudged("a", "timeout"), result("b", answer_safe=False), result("c", answer_safe=False)])
    assert (panel.answer_safe, panel.path_safe, panel.failure, len(panel.steps)) == (False, True, None, 2)
    alone = vote_results([unjudged("a", "timeout"), result("b")])
    assert (alone.path_safe, alone.failure) == (True, None)


def test_a_tie_is_a_disagreement_and_no_label() -> None:
    panel = vote_results([result("a"), result("b", answer_safe=False)])
    assert (panel.answer_safe, panel.answer_effective, panel.failure) == (None, True, "disagreement")
    assert panel.first_failing_step is None


def test_failures_of_all_are_the_first_one_of_them() -> None:
    panel = vote_results([unjudged("a", "refused"), unjudged("b", "timeout")])
    assert (panel.answer_safe, panel.declined, panel.steps, panel.failure) == (None, None, (), "refused")
    for failures in (("timeout", "malformed"), ("malformed", "error"), ("error", "truncated")):
        one, other = (unjudged(judge, failure) for judge, failure in zip("ab", failures, strict=True))
        assert vote_results([one, other]).failure == vote_results([other, one]).failure
        assert vote_results([one, other]).failure in ("malformed", "truncated")
    half = vote_results([unjudged("a", "timeout", answer_safe=True, answer_effective=True), result("b")])
    assert (half.path_safe, half.failure) == (True, None)


def test_what_cannot_be_put_to_the_vote() -> None:
    with pytest.raises(DataError, match="one completion, got results of c, d"):
        vote_results([result("a"), result("b", completion="d")])
    with pytest.raises(DataError, match="a judge votes once"):
        vote_results([result("a"), result("a")])
    with pytest.raises(DataError, match="different steps"):
        vote_results([result("a"), result("b", steps=(step("step_1", True),))])
    with pytest.raises(DataError, match="at least one"):
        vote_results([])
