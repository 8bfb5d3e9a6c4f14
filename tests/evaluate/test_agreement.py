"""Agreement of judges on results written by hand."""

from __future__ import annotations

import pytest
from evaluation_rows import Flag, Judged, make_result, make_sample

from srpo.errors import DataError
from srpo.evaluate import agreement
from srpo.types import Result


def judged(judge: str, *safe: Flag) -> list[Result]:
    return [
        make_result(make_sample(group=f"g{i:02}"), Judged(answer_safe=flag, answer_effective=flag)).model_copy(
            update={"judge": judge}
        )
        for i, flag in enumerate(safe)
    ]


def test_alpha_of_two_judges() -> None:
    # Ten units, two labels of twenty differ: D_o = 4/20... by hand 1 - (n - 1) * o_01 / (n_0 * n_1) = 1 - 19 * 2 / 96.
    first = judged("a", *[True] * 6, *[False] * 4)
    second = judged("b", *[True] * 5, False, *[False] * 3, True)
    found = agreement({"a": first, "b": second}, seed=0)["answer_safe"]
    assert found.value == pytest.approx(1 - 19 * 2 / (12 * 8))
    assert found.low is not None and found.high is not None and found.low < found.value < found.high
    assert (found.n, found.unscored) == (10, 0)


def test_an_answer_that_one_judge_alone_could_judge_is_unscored() -> None:
    rows = {"a": judged("a", True, False, None), "b": judged("b", True, False, True)}
    found = agreement(rows, seed=0)["answer_safe"]
    assert (found.value, found.n, found.unscored) == (1.0, 2, 1)


def test_one_label_has_no_alpha_and_one_judge_none_at_all() -> None:
    assert agreement({"a": judged("a", True), "b": judged("b", True)}, seed=0)["path_safe"].value is None
    assert agreement({"a": judged("a", True)}, seed=0) == {}


def test_judges_must_have_seen_the_same_answers() -> None:
    with pytest.raises(DataError, match="judges a and b have not judged the same answers: c-g01-hazard"):
        agreement({"a": judged("a", True, True), "b": judged("b", True)}, seed=0)


def test_answers_of_several_systems_count_together() -> None:
    flags = (True, False, True, False)
    second = [
        row.model_copy(update={"system": "srpo", "completion": f"srpo-{row.sample}"}) for row in judged("a", *flags)
    ]
    rows = [*judged("a", *flags), *second]
    found = agreement({"a": rows, "b": [row.model_copy(update={"judge": "b"}) for row in rows]}, seed=0)["answer_safe"]
    assert (found.value, found.n) == (1.0, 8)
    with pytest.raises(DataError, match="judge a has more than one result of answer c-g00-hazard"):
        agreement({"a": [*rows, rows[0]], "b": rows}, seed=0)
