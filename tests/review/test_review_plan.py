"""Who gets which items, what a blind reviewer may see, and what a changed plan leaves to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from review_rows import write_dataset

from srpo.errors import ConfigError
from srpo.review.browse import Filter, numbers
from srpo.review.plan import Plan, assign, clean_name, load_plan
from srpo.review.shown import Conflict, Refused, Shown
from srpo.review.store import Store, draft_review


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open(folder) as opened:
        yield opened


def vote(store: Store, item: Shown, who: str, decision: str = "keep", **more: object) -> Shown:
    return store.decide(draft_review(item, who, decision, blind=True, **more), item.version)


def finish(store: Store, who: str, drops: tuple[str, ...] = ()) -> int:
    """Decide all that is left for a person; returns how many."""
    done = 0
    while (item := store.next_item(who)) is not None:
        vote(store, item, who, "drop" if item.sample.id in drops else "keep")
        done += 1
    return done


def test_two_tabs_of_a_blind_reviewer_meet_and_two_reviewers_do_not(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=2)) as store:
        ada, bob = store.item(1, "Ada"), store.item(1, "Bob")
        vote(store, ada, "Ada", "drop")
        with pytest.raises(Conflict):
            vote(store, ada, "Ada", "keep")
        saved = vote(store, bob, "Bob", "keep")
        assert saved.outcome == "disagreement" and saved.own is not None and saved.own.blind


def test_blind_reviewers_see_nothing_before_their_vote_and_the_second_is_not_blind(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=2)) as store:
        vote(store, store.item(1, "Ada"), "Ada", "drop")
        hidden = store.item(1, "Bob")
        assert (hidden.votes, hidden.checks, hidden.outcome, hidden.version) == (None, None, None, 0)
        seen = vote(store, hidden, "Bob", "keep")
        assert seen.votes is not None and len(seen.votes) == 2 and seen.checks is not None
        undone = store.withdraw(seen.sample.id, "Bob", seen.version)
        assert undone.votes is None
        again = vote(store, undone, "Bob", "drop")
        assert again.own is not None and not again.own.blind
        # An adjudicator has seen everything, whatever they say.
        judged = vote(store, store.item(2, "Eve", "adjudicator"), "Eve", role="adjudicator")
        assert judged.own is not None and not judged.own.blind


def test_without_double_labelling_no_vote_is_blind(store: Store) -> None:
    item = store.item(1, "Ada")
    assert item.checks is not None
    saved = vote(store, item, "Ada")
    assert saved.own is not None and not saved.own.blind


def test_disagreements_wait_for_an_adjudicator_whose_word_counts(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=2)) as store:
        assert (finish(store, "Ada"), finish(store, "Bob", ("s1-hazard",))) == (12, 12)
        assert finish(store, "Cleo") == 0  # two votes each are enough
        (item,) = store.disagreements()
        assert item.sample.id == "s1-hazard" and item.votes is not None
        assert {one.reviewer: one.decision for one in item.votes} == {"Ada": "keep", "Bob": "drop"}
        queued = store.next_item("Eve", "adjudicator")
        assert queued is not None and queued.number == item.number
        assert vote(store, item, "Eve", "drop", role="adjudicator").outcome == "drop"
        assert store.disagreements() == () and store.next_item("Eve", "adjudicator") is None


def test_assigned_items_are_for_their_reviewers_only(folder: Path) -> None:
    with Store.open(folder, Plan(reviewers=("Ada", "Bob", "Cleo"), per_item=2)) as store:
        assert sorted(finish(store, name) for name in ("Ada", "Bob", "Cleo")) == [8, 8, 8]
        rows = store.query("SELECT DISTINCT grp FROM items EXCEPT SELECT grp FROM assigned WHERE reviewer = 'Ada'")
        (foreign,) = [row["grp"] for row in rows]
        ((number,),) = store.query("SELECT number FROM items WHERE id = ?", (f"{foreign}-hazard",))
        with pytest.raises(Refused, match=r"is assigned to Bob, Cleo, not to Ada"):
            vote(store, store.item(number, "Ada"), "Ada")
    with Store.open(folder) as store:
        assert store.plan.reviewers == ("Ada", "Bob", "Cleo")  # the plan is kept


def test_a_draw_is_even_seeded_and_stable_when_sets_are_added() -> None:
    plan = Plan(reviewers=("a", "b", "c", "d"), per_item=2, seed=3)
    groups = [f"s{n}" for n in range(102)]
    first = assign(groups[:50], plan, {})
    assert (
        first
        == assign(list(reversed(groups[:50])), plan, {})
        != assign(groups[:50], plan.model_copy(update={"seed": 4}), {})
    )
    more = first | assign(groups, plan, first)
    loads = [sum(name in names for names in more.values()) for name in plan.reviewers]
    assert loads == [51, 51, 51, 51] and all(len(set(names)) == 2 for names in more.values())
    assert len({frozenset(names) for names in more.values()}) == 6  # all pairs meet


def test_plans_from_the_command_line() -> None:
    kept = load_plan("Ada, Bob Miller", 2, 7, Plan())
    assert kept == Plan(reviewers=("Ada", "Bob Miller"), per_item=2, seed=7)
    assert load_plan("Ada,Bob,Cleo", None, None, kept) == Plan(reviewers=("Ada", "Bob", "Cleo"), per_item=2, seed=7)
    assert load_plan("", 1, None, kept) == Plan(seed=7)
    for names, per_item, words in (
        ("Ada,Bob", 3, "3 reviewers per item, but there are 2"),
        ("Ada, Ada", 1, "a name stands there twice"),
        ("A" * 81, 1, "1 to 80 characters"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_plan(names, per_item, 0, Plan())
    assert clean_name("  Ada   Lovelace ") == "Ada Lovelace"


def test_a_disputed_item_gets_all_its_votes_and_the_list_says_the_same(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=3)) as store:
        first = store.next_item("Cleo")
        assert first is not None
        vote(store, store.item(first.number, "Ada"), "Ada", "drop")
        vote(store, store.item(first.number, "Bob"), "Bob", "keep")
        queued = store.next_item("Cleo")
        assert queued is not None and queued.number == first.number
        done = []
        while (item := store.next_item("Cleo")) is not None:
            assert item.number in numbers(store, Filter(), "Cleo", "reviewer")
            vote(store, item, "Cleo")
            done.append(item.number)
        assert sorted(done) == list(range(1, 13)) and numbers(store, Filter(), "Cleo", "reviewer") == []


def test_what_was_seen_before_labelling_was_blind_stays_seen(folder: Path) -> None:
    with Store.open(folder) as store:
        vote(store, store.item(1, "Bob"), "Bob")
        assert store.item(1, "Ada").votes is not None
    with Store.open(folder, Plan(per_item=2)) as store:
        item = store.item(1, "Ada")
        assert item.votes is None
        saved = vote(store, item, "Ada")
        assert saved.own is not None and not saved.own.blind


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Plan(reviewers=("Ada", "Bob")), Plan(reviewers=("Ada", "Bob"), per_item=2)),
        (Plan(reviewers=("Ada", "Bob")), Plan(reviewers=("Eve", "Bob"))),
        (Plan(reviewers=("Ada", "Bob"), per_item=2), Plan(reviewers=("Eve", "Cleo", "Bob"), per_item=2)),
    ],
)
def test_sets_that_were_begun_get_the_reviewers_that_a_new_plan_wants(folder: Path, before: Plan, after: Plan) -> None:
    with Store.open(folder, before) as store:
        for name in before.reviewers:
            if (item := store.next_item(name)) is not None:
                vote(store, item, name)
    with Store.open(folder, after) as store:
        given = store.query("SELECT grp, reviewer FROM assigned")
        for group in ("s0", "s1", "s2"):
            names = [row["reviewer"] for row in given if row["grp"] == group]
            assert len(set(names) & set(after.reviewers)) == after.per_item
        for name in after.reviewers:
            finish(store, name)
        open_ = store.query("SELECT COUNT(*) AS n FROM items WHERE votes < ?", (after.per_item,))
        assert open_[0]["n"] == 0


def test_people_who_work_at_once_give_no_item_more_votes_than_were_planned(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=2)) as store, Store.open(folder) as other:
        people = {"Ada": store, "Bob": other, "Cleo": store, "Dan": other}
        while True:  # all open what is next for them, and only then decide
            opened = [(where, name, where.next_item(name)) for name, where in people.items()]
            if not any(item for _, _, item in opened):
                break
            for where, name, item in opened:
                if item is not None:
                    vote(where, item, name)
        counts = store.query("SELECT COUNT(*) AS n FROM votes GROUP BY sample")
        assert [row["n"] for row in counts] == [2] * 12
        assert {row["n"] for row in store.query("SELECT COUNT(DISTINCT grp) AS n FROM items WHERE votes = 2")} == {3}


def test_a_set_that_was_left_comes_free_again(folder: Path) -> None:
    with Store.open(folder) as store:
        held = {name: store.next_item(name) for name in ("Ada", "Bob", "Cleo")}
        assert len({item.sample.group for item in held.values() if item}) == 3
        assert store.next_item("Dan") is None
        taken = store.item(1, "Dan")
        assert taken.taken and numbers(store, Filter(), "Dan", "reviewer") == []
        store.query("UPDATE reserved SET until = until - 3600 WHERE reviewer = 'Bob'")
        free = store.next_item("Dan")
        assert free is not None and held["Bob"] is not None and free.sample.group == held["Bob"].sample.group
        assert store.item(free.number, "Bob").taken and not store.item(free.number, "Dan").taken


def test_one_vote_of_two_leaves_an_item_open_and_a_lower_plan_decides_it(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=2)) as store:
        assert vote(store, store.item(1, "Ada"), "Ada", "drop").outcome == "open"
        assert [one.planned for one in store.reviews()] == [2]
    with Store.open(folder, Plan()) as store:
        assert store.item(1, "Bob").outcome == "drop" and [one.planned for one in store.reviews()] == [1]


def test_nobody_settles_an_item_on_which_they_have_voted(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=2)) as store:
        vote(store, store.item(1, "Ada"), "Ada", "drop")
        vote(store, store.item(1, "Bob"), "Bob", "keep")
        assert store.next_item("Ada", "adjudicator") is None
        assert numbers(store, Filter(), "Ada", "adjudicator") == []
        item = store.item(1, "Ada", "adjudicator")
        with pytest.raises(Refused, match="item 1: Ada has voted on this item; another person must settle it"):
            vote(store, item, "Ada", "drop", role="adjudicator")
        queued = store.next_item("Eve", "adjudicator")
        assert queued is not None and vote(store, queued, "Eve", "drop", role="adjudicator").outcome == "drop"
        with pytest.raises(Refused, match="Eve has settled this item; another person must vote on it"):
            vote(store, store.item(1, "Eve"), "Eve")
