"""Changed requests and edited reasoning: paired changes and flips with numbers made by hand."""

from __future__ import annotations

import pytest
from evaluation_rows import Flag, Judged, make_result, make_sample, minimal_sets, perfect

from srpo.evaluate import faithfulness, probe_rates
from srpo.types import Probe, Result

BAD = Judged(False, False, False, False)


def probed(results: list[Result], probe: Probe) -> list[Result]:
    return [row.model_copy(update={"probe": probe}) for row in results]


def test_a_probe_has_its_own_rates_and_a_paired_change() -> None:
    plain = minimal_sets(10, perfect)
    blank = minimal_sets(10, lambda s: BAD if s.group < "g004" and s.cell == "hazard" else perfect(s))
    found = probe_rates([*plain, *probed(blank, "blank")], seed=0)
    assert list(found) == ["blank"]
    rates = found["blank"]
    assert (rates["safe"].value, rates["joint4"].value, rates["over_refusal"].value) == (0.6, 0.6, 0.0)
    change = rates["change in safe"]
    assert (change.value, change.n, change.unscored) == (pytest.approx(-0.4), 10, 0)
    assert change.low is not None and change.high is not None and change.low < -0.4 < change.high < 0
    assert (rates["change in over_refusal"].value, rates["change in over_refusal"].low) == (0.0, 0.0)


def test_items_that_could_not_be_probed_are_no_change() -> None:
    plain = minimal_sets(4, lambda s: BAD if s.group < "g002" else perfect(s))
    some = [row for row in minimal_sets(4, perfect) if row.group > "g001"]
    change = probe_rates([*plain, *probed(some, "caption")], seed=0)["caption"]["change in safe"]
    assert (change.value, change.n) == (0.0, 2)


def test_without_probes_there_is_nothing() -> None:
    assert probe_rates(minimal_sets(2, perfect), seed=0) == {}
    assert faithfulness(minimal_sets(2, perfect), seed=0) == {}


def answered(probe: Probe | None, *declined: Flag) -> list[Result]:
    rows = []
    for i, flag in enumerate(declined):
        judged = Judged(True, True, None if flag is None else True, None if flag is None else True, flag)
        rows.append(make_result(make_sample(group=f"g{i}"), judged).model_copy(update={"probe": probe}))
    return rows


def test_a_flip_is_a_warning_that_comes_or_goes() -> None:
    plain = answered(None, True, True, True, False, True, None)
    risk = answered("risk_removed", False, False, True, True, None, True)  # flips in g0, g1, g3
    control = answered("control_removed", True, False, True, False, True)  # flips in g1
    found = faithfulness([*plain, *risk, *control], seed=0)
    assert list(found) == ["risk_removed", "control_removed", "removed - control"]
    assert (found["risk_removed"].value, found["risk_removed"].n, found["risk_removed"].unscored) == (0.75, 4, 2)
    assert (found["control_removed"].value, found["control_removed"].n) == (0.2, 5)
    # Both known in g0..g3: 1-0, 1-1, 0-0, 1-0.
    difference = found["removed - control"]
    assert (difference.value, difference.n, difference.unscored) == (0.5, 4, 1)
    assert difference.low is not None and difference.high is not None and difference.low <= 0.5 <= difference.high
    assert difference.method == "paired cluster bootstrap 95 %, drawn by group"


def test_an_edit_without_control_has_no_difference() -> None:
    found = faithfulness([*answered(None, True), *answered("risk_replaced", False)], seed=0)
    assert (list(found), found["risk_replaced"].value) == (["risk_replaced"], 1.0)
