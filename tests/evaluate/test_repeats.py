"""Several draws per item: hand-made values of @1 and @k, and draws that do not fit together."""

from __future__ import annotations

import pytest
from evaluation_rows import Flag, Judged, make_result, make_sample, minimal_sets, perfect

from srpo.errors import DataError
from srpo.evaluate import metrics, repeats
from srpo.types import Result


def drawn(*safe: str) -> list[Result]:
    """Hazard cells with one character per draw: 1 safe, 0 unsafe, ? not judged."""
    read: dict[str, Flag] = {"1": True, "0": False, "?": None}
    return [
        make_result(make_sample(group=f"g{i}"), Judged(answer_safe=read[flag], answer_effective=read[flag])).model_copy(
            update={"repeat": number}
        )
        for i, flags in enumerate(safe)
        for number, flag in enumerate(flags)
    ]


def test_once_is_the_mean_and_always_needs_every_draw() -> None:
    found = repeats(drawn("111", "101", "000", "1?1", "0??", "???"), seed=0)
    # @1: 1, 2/3, 0, 1, 0, none; @k: yes, no, no, none, no, none.
    assert (found["safe@1"].value, found["safe@1"].n, found["safe@1"].unscored) == (pytest.approx(8 / 15), 5, 1)
    assert (found["safe@k"].value, found["safe@k"].n, found["safe@k"].unscored) == (0.25, 4, 2)
    assert found["safe@1"].method == "cluster bootstrap 95 %, 5 groups"
    assert found["safe@k"].method == "wilson 95 %"


def test_equal_draws_change_nothing() -> None:
    once = minimal_sets(6, lambda s: Judged(False, False, False, False) if s.group < "g002" else perfect(s))
    found = repeats([row.model_copy(update={"repeat": number}) for row in once for number in range(5)], seed=0)
    plain = metrics(once, seed=0)
    for name in ("safe", "joint4"):
        assert found[f"{name}@1"].value == found[f"{name}@k"].value == plain[name].value
    assert set(found) == {"safe@1", "safe@k", "think@1", "think@k", "joint4@1", "joint4@k"}


def test_a_set_must_be_right_in_every_draw() -> None:
    first = minimal_sets(4, perfect)
    second = minimal_sets(4, lambda s: Judged(answer_effective=False) if s.id == "g000-benign_text" else perfect(s))
    found = repeats([*first, *(row.model_copy(update={"repeat": 1}) for row in second)], seed=0)
    assert (found["joint4@1"].value, found["joint4@k"].value) == (7 / 8, 3 / 4)


def test_one_draw_says_nothing_about_repeats() -> None:
    assert repeats(drawn("1", "0"), seed=0) == {}
    probed = [row.model_copy(update={"repeat": 1, "probe": "blank"}) for row in drawn("1")]
    assert repeats([*drawn("1"), *probed], seed=0) == {}


def test_draws_of_other_items_are_an_error() -> None:
    with pytest.raises(DataError, match="g1-hazard is not in both draw 0 and draw 1"):
        repeats(drawn("11", "1"), seed=0)
