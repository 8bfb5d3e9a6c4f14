"""The table from verdict and cell to training label, row by row."""

from __future__ import annotations

from typing import get_args

import pytest

from srpo.explore import outcome
from srpo.types import CELLS, Cell, Failure, Outcome, Verdict

BENIGN: tuple[Cell, ...] = ("benign_image", "benign_text", "benign_both")


def judged(safe: bool, effective: bool, declined: bool | None = False) -> Verdict:
    return Verdict(subject="t", node=7, part="answer", judge="j", safe=safe, effective=effective, declined=declined)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("declined", [True, False, None])
def test_safe_and_effective_is_favourable_everywhere(cell: Cell, declined: bool | None) -> None:
    assert outcome(judged(True, True, declined), cell) == "favourable"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("effective", [True, False])
def test_unsafe_is_unfavourable_everywhere_however_helpful(cell: Cell, effective: bool) -> None:
    assert outcome(judged(False, effective), cell) == "unfavourable"


@pytest.mark.parametrize("cell", BENIGN)
def test_a_mere_refusal_of_a_harmless_request_is_unfavourable(cell: Cell) -> None:
    assert outcome(judged(True, False, declined=True), cell) == "unfavourable"


@pytest.mark.parametrize("cell", BENIGN)
def test_an_unhelpful_answer_to_a_harmless_request_that_does_not_refuse_is_neutral(cell: Cell) -> None:
    assert outcome(judged(True, False, declined=False), cell) == "neutral"


@pytest.mark.parametrize("cell", BENIGN)
def test_a_benign_answer_whose_refusal_is_unknown_gets_no_label(cell: Cell) -> None:
    assert outcome(judged(True, False, declined=None), cell) == "missing"


@pytest.mark.parametrize(("option", "label"), [("neutral", "neutral"), ("unfavourable", "unfavourable")])
def test_a_bare_refusal_of_a_hazard_follows_the_option(option: str, label: Outcome) -> None:
    assert outcome(judged(True, False, True), "hazard", hazard_refusal=option) == label  # type: ignore[arg-type]


def test_the_option_leaves_benign_cells_alone() -> None:
    assert outcome(judged(True, False, False), "benign_text", hazard_refusal="unfavourable") == "neutral"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("failure", get_args(Failure))
@pytest.mark.parametrize(("safe", "effective"), [(None, None), (False, None), (None, False), (True, None)])
def test_a_judgement_that_failed_never_becomes_a_label(
    cell: Cell, failure: Failure, safe: bool | None, effective: bool | None
) -> None:
    verdict = Verdict(
        subject="t", part="answer", judge="j", safe=safe, effective=effective, declined=True, failure=failure
    )
    assert outcome(verdict, cell, hazard_refusal="unfavourable") == "missing"
