"""The store: queues, blindness, versions, undoing, and what stays on the disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from review_rows import sample, write_dataset

from srpo.data.folder import DatasetFolder
from srpo.errors import ConfigError, DataError
from srpo.records import read_records, write_records
from srpo.review import schema
from srpo.review.plan import Plan, assign, clean_name, load_plan
from srpo.review.shown import Conflict, Refused, Shown
from srpo.review.store import Store, draft_review
from srpo.types import Sample
from srpo.types.data import Edit, Review


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


def test_the_queue_brings_whole_sets_and_ends(store: Store) -> None:
    seen = []
    while (item := store.next_item("Ada")) is not None:
        seen.append(item.sample)
        vote(store, item, "Ada")
    groups = [one.group for one in seen]
    assert len(seen) == 12 and [one.cell for one in seen[:4]] == [
        "hazard",
        "benign_image",
        "benign_text",
        "benign_both",
    ]
    assert all(len(set(groups[n : n + 4])) == 1 for n in (0, 4, 8))
    assert store.next_item("Bob") is None  # one vote per item is enough


def test_decisions_outlive_the_store_and_are_exported(folder: Path) -> None:
    with Store.open(folder) as store:
        item = store.next_item("Ada")
        assert item is not None
        edit = Edit(steps={"visual": "A ladder."})
        more = {"safety": 4, "note": "better so", "first_wrong_step": "visual", "seconds": 2.5}
        saved = vote(store, item, "Ada", "edit", edit=edit, **more)
        assert saved.own is not None and saved.own.edit == edit and saved.outcome == "keep"
    with Store.open(folder) as store:
        assert store.item(item.number, "Ada").own == saved.own
        assert store.export(folder) == 1
    (review,) = read_records(DatasetFolder(folder).reviews, Review)
    assert review == saved.own and review.safety == 4 and review.sample_sha256 == item.sha256


def test_a_decision_keeps_the_words_before_and_after(store: Store) -> None:
    item = store.item(1, "Ada")
    vote(store, item, "Ada", "edit", edit=Edit(question="New words?"))
    (row,) = store.query("SELECT * FROM decisions")
    assert (
        item.sample.question in row["words_before"] and "New words?" in row["vote_after"] and row["vote_before"] is None
    )


def test_undo_is_a_row_and_the_earlier_decision_counts_again(store: Store) -> None:
    item = vote(store, vote(store, store.item(1, "Ada"), "Ada", "keep"), "Ada", "drop")
    back = store.withdraw(item.sample.id, "Ada", item.version)
    assert back.own is not None and back.own.decision == "keep" and back.outcome == "keep"
    none = store.withdraw(item.sample.id, "Ada", back.version)
    assert none.own is None and none.outcome == "open"
    assert [review.withdrawn for review in store.reviews()] == [True, True]
    assert [row["kind"] for row in store.query("SELECT kind FROM decisions ORDER BY number")] == ["decision"] * 2 + [
        "withdrawal"
    ] * 2
    with pytest.raises(Refused, match="no decision here that could be undone"):
        store.withdraw(item.sample.id, "Ada", none.version)


def test_rows_of_decisions_can_be_neither_changed_nor_deleted(folder: Path, store: Store) -> None:
    vote(store, store.item(1, "Ada"), "Ada")
    with sqlite3.connect(folder / "review.sqlite") as other:
        for words in ("UPDATE decisions SET decision = 'drop'", "DELETE FROM decisions"):
            with pytest.raises(sqlite3.IntegrityError, match="decisions are never"):
                other.execute(words)
    other.close()
    assert store.query("PRAGMA synchronous")[0][0] == 2 and store.query("PRAGMA journal_mode")[0][0] == "wal"


def test_the_later_of_two_writers_is_told_and_sees_what_stands(folder: Path, store: Store) -> None:
    with Store.open(folder) as other:
        mine, theirs = store.item(1, "Ada"), other.item(1, "Bob")
        vote(other, theirs, "Bob", "drop")
        with pytest.raises(Conflict, match="decided in the meantime") as met:
            vote(store, mine, "Ada", "keep")
        votes = met.value.now.votes
        assert votes is not None and [one.decision for one in votes] == ["drop"]
        vote(store, met.value.now, "Ada", "keep")
        assert store.item(1, "Ada").outcome == "disagreement" and len(store.reviews()) == 2


def test_two_tabs_of_a_blind_reviewer_meet_and_two_reviewers_do_not(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=2)) as store:
        ada, bob = store.item(1, "Ada"), store.item(1, "Bob")
        vote(store, ada, "Ada", "drop")
        with pytest.raises(Conflict):
            vote(store, ada, "Ada", "keep")
        saved = vote(store, bob, "Bob", "keep")
        assert saved.outcome == "disagreement" and saved.own is not None and saved.own.blind


def test_the_same_review_sent_twice_counts_once(store: Store) -> None:
    item = store.item(1, "Ada")
    review = draft_review(item, "Ada", "keep")
    first = store.decide(review, item.version)
    assert store.decide(review, item.version) == first and len(store.reviews()) == 1
    with pytest.raises(Refused, match="that of another review"):
        store.decide(review.model_copy(update={"reviewer": "Bob"}), item.version)


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
        number = store.find(f"{foreign}-hazard")
        assert number is not None
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


def test_changed_rows_are_noticed_and_their_reviews_no_longer_count(folder: Path) -> None:
    with Store.open(folder) as store:
        for number in (1, 2):
            vote(store, store.item(number, "Ada"), "Ada", "drop")
        old = store.item(1, "Ada")
    samples = read_records(folder / "samples.jsonl", Sample)
    changed = samples[0].model_copy(update={"question": "Quite another request?"})
    write_records(folder / "samples.jsonl", [changed, *samples[2:]])
    with Store.open(folder) as store:
        now = store.item(1, "Ada")
        assert now.own is None and now.outcome == "open" and now.sample.question == "Quite another request?"
        with pytest.raises(Refused, match="other words than those that were reviewed"):
            store.decide(draft_review(old, "Ada", "keep"), now.version)
        with pytest.raises(Refused, match="not in the dataset"):
            store.item(2, "Ada")
        assert len(store.reviews()) == 2
    write_records(folder / "samples.jsonl", samples)
    with Store.open(folder) as store:
        own = store.item(1, "Ada").own, store.item(2, "Ada").own
        assert [one.decision for one in own if one] == ["drop", "drop"]


def test_threads_and_stores_at_once_lose_nothing(folder: Path) -> None:
    def work(store: Store, name: str) -> None:
        for number in range(1, 13):
            while True:
                item = store.item(number, name)
                try:
                    vote(store, item, name)
                    break
                except Conflict:
                    continue

    with Store.open(folder) as first, Store.open(folder) as second:
        people = [(first, "Ada"), (first, "Bob"), (second, "Cleo"), (second, "Dan")]
        threads = [threading.Thread(target=work, args=one) for one in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(first.reviews()) == 48 and first.query("SELECT COUNT(*) AS n FROM votes")[0]["n"] == 48


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first_wrong_step": "vision"}, "unknown step 'vision'"),
        ({"note": "x" * 6000}, "5,000 are the most"),
        ({"decision": "edit"}, "an edit needs new words"),
        ({"edit": Edit(question="x")}, "other decisions have none"),
        ({"reviewer": " Ada "}, "needless space"),
        ({"reviewer": "A\u202eda"}, "cannot be shown"),
        ({"sample": "nobody"}, "is not in the dataset"),
    ],
)
def test_a_review_that_does_not_fit_is_refused(store: Store, change: dict[str, object], words: str) -> None:
    item = store.item(1, "Ada")
    with pytest.raises(Refused, match=words):
        store.decide(draft_review(item, "Ada", "keep").model_copy(update=change), item.version)
    assert store.reviews() == []


def test_folders_that_cannot_be_reviewed_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"samples.jsonl: no such file; give a folder with samples"):
        Store.open(tmp_path)
    write_records(tmp_path / "samples.jsonl", [])
    with pytest.raises(DataError, match="holds no sample"):
        Store.open(tmp_path)
    samples = write_dataset(tmp_path, 1)
    write_records(tmp_path / "samples.jsonl", [*samples, samples[0]])
    with pytest.raises(DataError, match="'s0-hazard' is there twice"):
        Store.open(tmp_path)
    write_dataset(tmp_path, 1)
    (tmp_path / "review.sqlite").unlink()
    (tmp_path / "review.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match="cannot be opened as a database of reviews"):
        Store.open(tmp_path)


def test_a_database_of_another_version_is_left_alone(folder: Path) -> None:
    Store.open(folder).close()
    other = sqlite3.connect(folder / "review.sqlite")
    other.execute("PRAGMA user_version = 9")
    other.close()
    with pytest.raises(DataError, match="version 9 of the review database, but this program reads 1"):
        schema.connect(folder / "review.sqlite")


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


def test_hostile_ids_are_only_text(tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    image = sample(read_records(tmp_path / "samples.jsonl", Sample)[0].image).image
    name = "../../x'); DROP TABLE decisions; --\u202e<b>"
    write_records(tmp_path / "samples.jsonl", [sample(image, name, id=name)])
    with Store.open(tmp_path) as store:
        item = store.next_item("Ada")
        assert item is not None and vote(store, item, "Ada").own is not None and store.find(name) == item.number


def test_a_disk_that_refuses_saves_nothing_and_the_next_decision_goes_on(folder: Path, store: Store) -> None:
    item = store.item(1, "Ada")
    pages = store.query("PRAGMA page_count")[0][0]
    store.query(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DataError, match=r"review.sqlite: cannot be written .* nothing was saved"):
        for _ in range(200):
            review = draft_review(item, "Ada", "keep", note="x" * 5000)
            item = store.decide(review, item.version)
    saved = len(store.reviews())
    store.query("PRAGMA max_page_count = 1000000")
    assert vote(store, store.item(1, "Ada"), "Ada", "drop").own is not None and len(store.reviews()) == saved + 1
