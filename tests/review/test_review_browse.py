"""Lists, search and progress, and what they must not tell a blind reviewer."""

from __future__ import annotations

from pathlib import Path

import pytest
from review_rows import sample, write_dataset

from srpo.records import read_records, write_records
from srpo.review.browse import Filter, choices, mates, numbers, progress, rows, search_condition
from srpo.review.plan import Plan
from srpo.review.store import Store, draft_review
from srpo.types import Sample
from srpo.types.data import Edit


def vote(store: Store, number: int, who: str, decision: str = "keep") -> None:
    item = store.item(number, who)
    store.decide(draft_review(item, who, decision, blind=True), item.version)


def ids(store: Store, who: str = "Ada", role: str = "reviewer", **wanted: str) -> set[str]:
    found = numbers(store, Filter.model_validate(wanted), who, role)
    assert len(set(found)) == len(found)
    return {row["id"] for row in store.query("SELECT id, number FROM items") if row["number"] in found}


def test_filters_narrow_and_combine(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with Store.open(tmp_path) as store:
        assert len(ids(store)) == 12
        assert ids(store, cell="hazard") == {"s0-hazard", "s1-hazard", "s2-hazard"}
        assert ids(store, category="dangerous_behavior", check="fail") == {"s1-hazard"}
        assert ids(store, check="missing") == {"s2-hazard"} and len(ids(store, check="ok")) == 10
        assert ids(store, split="val") == set() and len(ids(store, split="train")) == 12
        assert choices(store)["check"] == ["fail", "missing", "ok"] and choices(store)["split"] == ["train"]


def test_states_follow_votes(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with Store.open(tmp_path) as store:
        vote(store, 1, "Ada")
        vote(store, 1, "Bob", "drop")
        vote(store, 2, "Bob")
        assert ids(store, state="mine") == {"s0-hazard"} == ids(store, state="disagreements")
        assert len(ids(store, state="todo")) == 10  # one vote per item: Bob has done the second
        assert ids(store, "Eve", "adjudicator", state="todo") == {"s0-hazard"}
        found = progress(store, "Ada", "reviewer")
        assert (found.mine, found.my_total, found.decided, found.total, found.disagreements) == (1, 12, 1, 12, 1)
        (line,) = rows(store, [1], "Ada", "reviewer")
        assert (line["own"], line["outcome"], line["check_state"]) == ("keep", "disagreement", "ok")


def test_lists_tell_a_blind_reviewer_nothing(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with Store.open(tmp_path, Plan(reviewers=("Ada", "Bob", "Cleo"), per_item=3)) as store:
        vote(store, 1, "Ada")
        vote(store, 1, "Bob", "drop")
        for wanted in ({"state": "disagreements"}, {"state": "all", "check": "ok"}, {"check": "fail"}):
            assert ids(store, "Cleo", **wanted) == set()
        assert ids(store, "Ada", state="disagreements") == {"s0-hazard"}
        (line,) = rows(store, [1], "Cleo", "reviewer")
        assert (line["check_state"], line["outcome"], line["adjudicated"]) == (None, None, None)
        assert progress(store, "Cleo", "reviewer").disagreements == 0
        assert progress(store, "Eve", "adjudicator").disagreements == 1


def test_a_reviewer_with_assigned_items_has_only_those_to_do(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with Store.open(tmp_path, Plan(reviewers=("Ada", "Bob", "Cleo"), per_item=2)) as store:
        todo = ids(store, "Ada")
        assert len(todo) == 8 and len({one.partition("-")[0] for one in todo}) == 2
        assert progress(store, "Ada", "reviewer").my_total == 8 and len(ids(store, "Ada", state="all")) == 12


@pytest.mark.parametrize("searchable", [True, False])
def test_words_are_found_with_and_without_an_index(tmp_path: Path, searchable: bool) -> None:
    write_dataset(tmp_path)
    samples = read_records(tmp_path / "samples.jsonl", Sample)
    odd = samples[0].model_copy(update={"question": 'A "quoted" 100% snow_man 梯子怎么爬 OR NEAR(x)?'})
    write_records(tmp_path / "samples.jsonl", [odd, *samples[1:]])
    with Store.open(tmp_path) as store:
        assert store.searchable  # the SQLite of this machine has the index
        store.searchable = searchable
        for words in ('"quoted"', "snow_man", "100%", "梯子怎", "NEAR(x)", "quoted 梯子", "snow", "s0-hazard"):
            assert ids(store, words=words) == {"s0-hazard"}, words
        assert ids(store, words="LADDER s1 benign_text") == {"s1-benign_text"}
        for words in ("zebra", "%", "x* OR zebra", "nosuch:ladder", "ladder zebra", "'; DROP TABLE items"):
            assert len(ids(store, words=words)) in ((0,) if words != "%" else (1,)), words
        assert len(ids(store, words="\x00 ladder")) == 12


def test_the_index_is_used_where_it_can_be() -> None:
    assert "MATCH" in search_condition("two words", True)[0]
    assert "LIKE" in search_condition("two words", False)[0] and "LIKE" in search_condition("%", True)[0]
    assert search_condition("梯子", True)[1] == {"words": '"梯 子"*'}
    assert search_condition('say "no"', True)[1] == {"words": '"say"* """no"""*'}


def test_mates_are_the_cells_of_one_set(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with Store.open(tmp_path) as store:
        assert mates(store, 6) == [5, 6, 7, 8] and mates(store, 999) == []
        lines = rows(store, [6, 999, 5], "Ada", "reviewer")
        assert [line["number"] for line in lines] == [6, 5]


def test_an_edit_shows_as_own_vote(tmp_path: Path) -> None:
    image = write_dataset(tmp_path, 1)[0].image
    write_records(tmp_path / "samples.jsonl", [sample(image)])
    with Store.open(tmp_path) as store:
        item = store.item(1, "Ada")
        store.decide(draft_review(item, "Ada", "edit", edit=Edit(question="New?")), item.version)
        assert rows(store, [1], "Ada", "reviewer")[0]["own"] == "edit"
