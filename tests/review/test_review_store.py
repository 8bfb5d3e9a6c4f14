"""The store: queues, blindness, versions, undoing, and what stays on the disk."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from review_rows import sample, write_dataset

from srpo.data.folder import DatasetFolder
from srpo.errors import DataError
from srpo.records import read_records, write_records
from srpo.review import schema
from srpo.review.exchange import export_file
from srpo.review.plan import Plan
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
        export_file(store, "jsonl", store.folder.reviews)
    (review,) = read_records(DatasetFolder(folder).reviews, Review)
    assert review == saved.own and review.safety == 4 and review.sample_sha256 == item.sha256


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
        with pytest.raises(Conflict, match="decided in the meantime"):
            vote(store, mine, "Ada", "keep")
        now = store.item(1, "Ada")
        assert now.votes is not None and [one.decision for one in now.votes] == ["drop"]
        vote(store, now, "Ada", "keep")
        assert store.item(1, "Ada").outcome == "disagreement" and len(store.reviews()) == 2


def test_the_same_review_sent_twice_counts_once(store: Store) -> None:
    item = store.item(1, "Ada")
    review = draft_review(item, "Ada", "keep")
    first = store.decide(review, item.version)
    assert store.decide(review, item.version) == first and len(store.reviews()) == 1
    with pytest.raises(Refused, match="that of another review"):
        store.decide(review.model_copy(update={"reviewer": "Bob"}), item.version)


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


def test_a_set_that_moves_to_another_split_keeps_its_reviews(folder: Path) -> None:
    with Store.open(folder) as store:
        vote(store, store.item(1, "Ada"), "Ada", "drop")
    samples = read_records(folder / "samples.jsonl", Sample)
    write_records(folder / "samples.jsonl", [one.model_copy(update={"split": "test"}) for one in samples])
    with Store.open(folder) as store:
        item = store.item(1, "Ada")
        assert item.own is not None and item.own.decision == "drop" and item.sample.split == "test"


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
    with pytest.raises(DataError, match=r"version 9 of the review database, but .* reads \d; go on with the program"):
        schema.connect(folder / "review.sqlite")


def test_a_database_of_the_version_before_goes_on(folder: Path) -> None:
    with Store.open(folder, Plan(per_item=2)) as store:
        vote(store, store.item(1, "Ada"), "Ada", "drop")
    other = sqlite3.connect(folder / "review.sqlite")
    other.executescript("DROP TABLE reserved; UPDATE items SET outcome = 'drop'; PRAGMA user_version = 2")
    other.close()
    with Store.open(folder) as store:
        assert store.item(1, "Ada").outcome == "open" and len(store.reviews()) == 1
        assert store.next_item("Bob") is not None


def test_a_database_that_lacks_tables_says_what_to_do(folder: Path) -> None:
    Store.open(folder).close()
    other = sqlite3.connect(folder / "review.sqlite")
    other.execute("DROP TABLE revealed")
    other.close()
    with pytest.raises(DataError, match=r"review.sqlite: cannot be opened .*no such table.*; move it away"):
        Store.open(folder)


def test_hostile_ids_are_only_text(tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    image = sample(read_records(tmp_path / "samples.jsonl", Sample)[0].image).image
    name = "../../x'); DROP TABLE decisions; --\u202e<b>"
    write_records(tmp_path / "samples.jsonl", [sample(image, name, id=name)])
    with Store.open(tmp_path) as store:
        item = store.next_item("Ada")
        assert item is not None and item.sample.id == name and vote(store, item, "Ada").own is not None


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


def test_a_disk_that_refuses_while_an_item_is_opened_is_said(folder: Path, store: Store) -> None:
    store.query(f"PRAGMA max_page_count = {store.query('PRAGMA page_count')[0][0]}")
    with pytest.raises(DataError, match=r"review.sqlite: cannot be written .* nothing was saved"):
        for number in range(200):
            store.item(1, f"{number:080}")


def test_a_file_that_cannot_be_read_is_said(store: Store) -> None:
    with pytest.raises(DataError, match=r"review.sqlite: cannot be read \(no such table: nowhere\)"):
        store.query("SELECT * FROM nowhere")


def test_a_review_that_is_there_already_is_refused(store: Store) -> None:
    item = store.item(1, "Ada")
    review = draft_review(item, "Ada", "keep")
    assert store.add([review]) == 1
    other = draft_review(store.item(2, "Ada"), "Ada", "keep")
    with pytest.raises(Refused, match=f"review {review.id}: came in meanwhile"):
        store.add([other, review])
    assert store.reviews() == [review]
