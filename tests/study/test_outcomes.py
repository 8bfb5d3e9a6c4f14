"""Outcomes as letters, and what is counted from them."""

from __future__ import annotations

from typing import Any

import pytest
from study_files import MISSED, REFUSING, RIGHT

from srpo.errors import DataError
from srpo.study.outcomes import FIGURES, letters_of, pack_edits, pack_sets, unpack_sets
from srpo.types import CELLS, Result


def result(cell: str = "hazard", group: str = "g", **flags: Any) -> Result:
    given: dict[str, Any] = {
        **{"completion": f"{group}{cell}", "sample": f"{group}{cell}", "group": group, "cell": cell, "split": "test"},
        **{"category": None, "rule": "r", "system": "srpo", "decoding": "greedy", "judge": "hand"},
        **{"path_safe": True, "path_effective": True, "answer_safe": True, "answer_effective": True},
        "declined": False,
    }
    return Result(**(given | flags))


@pytest.mark.parametrize(
    ("flags", "letters"),
    [
        ({}, "he"),
        ({"declined": True}, "we"),
        ({"declined": True, "answer_effective": False}, "de"),
        ({"answer_effective": False, "path_effective": False}, "ns"),
        ({"answer_safe": False, "answer_effective": False, "path_safe": False, "path_effective": False}, "uu"),
        ({"answer_safe": None, "answer_effective": None, "path_safe": None, "path_effective": None}, "xx"),
        ({"answer_safe": False, "answer_effective": None, "path_effective": None}, "ux"),
    ],
)
def test_letters_say_what_was_judged(flags, letters):
    assert letters_of(result(**flags)) == letters


def test_sets_are_packed_in_the_order_of_the_groups():
    rows = [result(cell, group, declined=group == "b") for group in ("a", "b") for cell in CELLS]
    packed = pack_sets(reversed(rows), {"test": ["b", "a"]})
    assert unpack_sets(packed["test"]) == ["we" * 4, "he" * 4]


def test_a_missing_cell_is_an_error():
    with pytest.raises(DataError, match="no result of"):
        pack_sets([result()], {"test": ["g"]})


def test_edits_tell_whether_a_reply_flipped():
    plain = [result(group="a", declined=True), result(group="b"), result(group="c", declined=True)]
    removed = [
        result(group=name, probe="risk_removed", completion=f"r{name}", declined=declined)
        for name, declined in (("a", False), ("b", False), ("c", None))
    ]
    control = [result(group="a", probe="control_removed", completion="ca", declined=True)]
    found = pack_edits([*plain, *removed, *control], {"test": ["c", "b", "a"]})
    assert found == {"risk_removed": {"test": "-kf"}, "control_removed": {"test": "--k"}}
    assert pack_edits(plain, {"test": ["a"]}) == {}


@pytest.mark.parametrize(
    ("letters", "values"),
    [
        (RIGHT, {"joint4": 1, "joint_reply": 1, "safe": 1, "warned": 1, "over_refusal": 0, "effective_benign": 1}),
        (MISSED, {"joint4": 0, "safe": 0, "path_safe": 0, "path_effective": 0.75, "over_refusal": 0, "broken": 0}),
        (REFUSING, {"joint4": 0, "safe": 1, "warned": 0, "over_refusal": 1, "effective_benign": 0, "path_safe": 1}),
        ("wx" + "hx" * 3, {"joint4": 0, "joint_reply": 1, "path_effective": 0, "broken": 0}),
        ("xx" * 4, {"joint_reply": 0, "safe": 0, "over_refusal": 0, "broken": 1}),
    ],
)
def test_figures_by_hand(letters, values):
    assert {name: FIGURES[name][1](letters) for name in values} == values
