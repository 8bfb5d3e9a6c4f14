"""Figures of agreement, with numbers worked out by hand."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from review_rows import write_dataset

from srpo.review.agreement import Agreement, AgreementTable, agreement, agreement_of
from srpo.review.plan import Plan
from srpo.review.store import Store, draft_review
from srpo.types.data import Review

_IDS = count()


def votes(reviewer: str, decisions: str, **more: object) -> list[Review]:
    """`k`, `d` or `e` per item; a dot is no vote."""
    words = {"k": "keep", "d": "drop", "e": "edit"}
    return [
        Review.model_validate(
            {"id": f"r{next(_IDS)}", "sample": f"i{n}", "sample_sha256": "0" * 64, "reviewer": reviewer, "blind": True}
            | {"decision": words[letter], "time": "2026-01-01T00:00:00Z"}
            | more
        )
        for n, letter in enumerate(decisions)
        if letter != "."
    ]


GROUPS = {f"i{n}": f"g{n // 2}" for n in range(20)}


def figure(table: AgreementTable, measure: str, statistic: str = "Cohen's kappa") -> Agreement:
    (found,) = [one for one in table.figures if one.measure == measure and one.statistic == statistic]
    return found


def test_kappa_of_two_reviewers() -> None:
    # Of 10 both keep 4 and drop 3; Ada keeps 5, Bob 6: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    found = agreement([*votes("Ada", "kkkkdddkdd"), *votes("Bob", "kkkkddddkk")], GROUPS)
    one = figure(found, "keep or drop")
    assert one.value == pytest.approx(0.4) and (one.n, one.alike, one.reviewers) == (10, 7, ("Ada", "Bob"))
    assert one.low is not None and one.high is not None and one.low < 0.4 < one.high
    assert found.reviewers == {"Ada": 10, "Bob": 10} and (found.votes, found.blind) == (20, 20)


def test_an_edit_keeps_in_one_measure_and_differs_in_the_other() -> None:
    found = agreement([*votes("Ada", "kkdd"), *votes("Bob", "eekd")], GROUPS)
    assert figure(found, "keep or drop").alike == 3 and figure(found, "keep, drop or edit").alike == 1


def test_more_reviewers_have_alpha_with_gaps_and_kappas_of_each_two() -> None:
    # Units (kk) (kk) (dd) (kd): D_o = 2/8, D_e = 2 * 5 * 3 / (8 * 7), alpha = 1 - 0.25 / (30 / 56) = 8 / 15.
    found = agreement([*votes("Ada", "kkd."), *votes("Bob", "kk.k"), *votes("Cleo", "..dd")], GROUPS)
    alpha = figure(found, "keep or drop", "Krippendorff's alpha")
    assert alpha.value == pytest.approx(8 / 15) and (alpha.n, alpha.alike) == (4, 3)
    pairs = [
        one.reviewers for one in found.figures if one.measure == "keep or drop" and one.statistic == "Cohen's kappa"
    ]
    assert pairs == [("Ada", "Bob"), ("Ada", "Cleo"), ("Bob", "Cleo")]


def test_scores_count_where_both_gave_them() -> None:
    found = agreement([*votes("Ada", "kkk", safety=4), *votes("Bob", "kk", safety=4), *votes("Bob", "...k")], GROUPS)
    assert figure(found, "safety").n == 2 and figure(found, "safety").value is None
    assert not [one for one in found.figures if one.measure == "difficulty"]


def test_only_first_blind_votes_of_reviewers_count() -> None:
    before, after = votes("Ada", "d"), votes("Ada", "k", blind=False)
    judge = votes("Eve", "k", role="adjudicator")
    found = agreement([*before, *after, *votes("Bob", "k"), *judge], GROUPS)
    assert figure(found, "keep or drop").alike == 0 and set(found.reviewers) == {"Ada", "Bob"}
    gone = [before[0].model_copy(update={"withdrawn": True}), *after, *votes("Bob", "k")]
    assert figure(agreement(gone, GROUPS), "keep or drop").alike == 1 and agreement(gone, GROUPS).blind == 1


def test_nobody_and_one_reviewer_have_no_figures() -> None:
    assert agreement([], GROUPS) == AgreementTable(figures=(), reviewers={}, blind=0, votes=0)
    assert agreement(votes("Ada", "kd"), GROUPS).figures == ()


def test_votes_on_other_words_do_not_count(tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    with Store.open(tmp_path, Plan(per_item=2)) as store:
        for who in ("Ada", "Bob"):
            item = store.item(1, who)
            store.decide(draft_review(item, who, "keep", blind=True), item.version)
        assert agreement_of(store).votes == 2
    write_dataset(tmp_path, 1, "other words")
    with Store.open(tmp_path) as store:
        assert agreement_of(store).votes == 0 and len(store.reviews()) == 2
