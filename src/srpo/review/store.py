"""The store of reviews, for the page, for simulated reviewers and for programs.

    with Store.open(Path("data/ssui"), Plan(per_item=2)) as store:
        while (item := store.next_item("Ada")) is not None:
            review = draft_review(item, "Ada", "keep", blind=True)
            store.decide(review, item.version)
        for item in store.disagreements():
            review = draft_review(item, "Eve", "drop", role="adjudicator")
            store.decide(review, item.version)
        export_file(store, "jsonl", store.folder.reviews)  # of srpo.review.exchange

Every decision is one row that never changes and is on the disk when `decide` returns; undoing one is a row too.
Several processes may use one folder at once.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from srpo.data.folder import DatasetFolder
from srpo.data.settle import current_reviews
from srpo.errors import DataError
from srpo.records import seed_of
from srpo.review.loading import fingerprint, load_items
from srpo.review.plan import Plan
from srpo.review.rows import check_review, reviews_of, sample_of
from srpo.review.schema import connect, has_search
from srpo.review.sharing import holds, reserve, share_out, waits
from srpo.review.shown import Conflict, Refused, Shown
from srpo.review.todo import DISPUTED, Role, todo
from srpo.review.votes import append, last_standing, recount, reviews_of_sample
from srpo.types.data import Check, Decision, Edit, Review

_VOTE = "SELECT 1 FROM votes WHERE sample = ? AND reviewer = ? AND role = ?"


def now() -> str:
    """The time of a decision: ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def draft_review(
    item: Shown,
    reviewer: str,
    decision: Decision,
    *,
    role: Role = "reviewer",
    edit: Edit | None = None,
    blind: bool = False,
    **more: Any,
) -> Review:
    """A new review of an item as it was shown; `more` are further fields of `Review`."""
    given = {"id": uuid.uuid4().hex, "time": now()} | more
    named = {"sample": item.sample.id, "sample_sha256": item.sha256, "reviewer": reviewer, "role": role}
    return Review.model_validate({**given, **named, "decision": decision, "edit": edit, "blind": blind})


@dataclass
class Store:
    """The reviews of one folder.  Open it with `open`; methods may be called from any thread."""

    folder: DatasetFolder
    plan: Plan
    searchable: bool
    """False if this SQLite has no full-text index; a search then reads every row."""
    _database: sqlite3.Connection
    _lock: threading.RLock

    @classmethod
    def open(cls, path: Path, plan: Plan | None = None) -> Store:
        """The store of a folder with `samples.jsonl`, made if need be; changed rows are taken over.

        `plan` replaces the one that is kept there; sets that nobody has voted on are then assigned anew.  Raises
        DataError if the folder has no samples, a row cannot be read, or the database is not ours.
        """
        folder = DatasetFolder(path)
        if not folder.samples.is_file():
            raise DataError(f"{folder.samples}: no such file; give a folder with samples, made by `srpo build`")
        database = connect(folder.review_database)
        store = cls(folder, Plan(), has_search(database), database, threading.RLock())
        try:
            store._take_over(plan)
        except BaseException:
            database.close()
            raise
        return store

    def close(self) -> None:
        """Give the file back; decisions are on the disk already."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def query(self, sql: str, parameters: Sequence[object] | dict[str, object] = ()) -> list[sqlite3.Row]:
        """Rows of a statement that reads.  Raises DataError if the file cannot be read."""
        with self._reading() as database:
            return database.execute(sql, parameters).fetchall()

    def column(self, sql: str, parameters: Sequence[object] | dict[str, object] = ()) -> list[Any]:
        """As `query`, of a statement with one column: its values.

        Rows are let go one by one; thousands at once would make Python look for garbage among all that it holds.
        """
        with self._reading() as database:
            return [value for (value,) in database.execute(sql, parameters)]

    def next_item(self, reviewer: str, role: Role = "reviewer") -> Shown | None:
        """What this person should look at next; none when all is done.

        An adjudicator gets disagreements.  A reviewer gets their assigned items or, if nothing is assigned, items that
        lack votes, beginning at a place of their own so that two people seldom meet.
        """
        start = 0
        if role == "reviewer" and not self.plan.reviewers:
            sets = self.query("SELECT COALESCE(MAX(rank), 0) + 1 AS n FROM items WHERE present")[0]["n"]
            start = seed_of(self.plan.seed, "start", reviewer) % sets
        sql = f"SELECT number FROM items WHERE present AND {todo(self.plan, role)}"
        values = {"reviewer": reviewer, "role": role, "per_item": self.plan.per_item, "start": start}
        while rows := self.query(f"{sql} ORDER BY rank < :start, rank, cell_rank, number LIMIT 1", values):
            if not (found := self.item(rows[0]["number"], reviewer, role)).taken:
                return found
        return None

    def item(self, number: int, reviewer: str, role: Role = "reviewer") -> Shown:
        """An item as this person may see it.  That they saw votes or checks is kept: what they decide is not blind.

        If it waits for them and nobody is named in the plan, its set is theirs for some minutes.  Raises Refused if
        there is no such item.
        """
        rows = self.query("SELECT * FROM whole WHERE number = ? AND present", (number,))
        if not rows:
            raise Refused(f"item {number}: is not in the dataset any more; reload the list")
        taken = role == "reviewer" and not self.plan.reviewers and not self._reserve(rows[0], reviewer)
        shown = self._show(rows[0], reviewer, role)
        return replace(shown, taken=taken and shown.own is None)

    def decide(self, review: Review, version: int) -> Shown:
        """Keep a decision; returns the item as its reviewer may see it now, with the new version.

        The same review (by id) sent twice counts once.  `blind` becomes false if the person has seen the others.
        Raises Conflict if there were decisions since `version`, and Refused if the item is unknown, has other words
        now, is assigned to others, the person would settle their own vote, or the review does not fit the sample.
        """
        with self._transaction() as database:
            if (known := self._known(review.id)) is None:
                self._check(self._row(review.sample), review, version)
                blind = review.blind and self.plan.blind and not self._saw(review.sample, review.reviewer)
                append(database, review.model_copy(update={"blind": blind, "withdrawn": False}), self.plan.per_item)
            elif (known.sample, known.reviewer, known.role) != (review.sample, review.reviewer, review.role):
                raise Refused(f"review {review.id}: the id is that of another review; make a new one")
        return self._show(self._row(review.sample), review.reviewer, review.role)

    def withdraw(self, sample: str, reviewer: str, version: int, role: Role = "reviewer") -> Shown:
        """Undo the person's last decision that counts; an earlier one of theirs counts again.

        Raises Conflict as `decide`, and Refused if there is nothing to undo.
        """
        with self._transaction() as database:
            row = self._row(sample)
            own = [one for one in self._reviews(sample) if (one.reviewer, one.role) == (reviewer, role)]
            standing = [one for one in own if not one.withdrawn]
            if not standing:
                raise Refused(f"item {row['number']}: {reviewer} has no decision here that could be undone")
            self._check_version(row, reviewer, role, version)
            before = standing[-1].model_copy(update={"id": uuid.uuid4().hex, "time": now(), "seconds": None})
            append(database, before, self.plan.per_item, withdraws=standing[-1].id)
        return self._show(self._row(sample), reviewer, role)

    def disagreements(self) -> tuple[Shown, ...]:
        """Items whose reviewers disagree and that no adjudicator has decided, with all votes; in the queue's order."""
        rows = self.query(f"SELECT * FROM whole WHERE present AND {DISPUTED} ORDER BY rank, cell_rank, number")
        return tuple(self._view(row, "", "adjudicator") for row in rows)

    def reviews(self) -> list[Review]:
        """All reviews in the order in which they were made, withdrawn ones marked."""
        return reviews_of(self.query("SELECT * FROM decisions ORDER BY number"), self.plan.per_item)

    def add(self, reviews: Iterable[Review]) -> int:
        """Take over reviews that were made elsewhere, all or none; returns how many.  They keep `blind` and `source`.

        Raises Refused if one does not fit its item or is there already; whether it may come at all, its reader has
        checked (`srpo.review.exchange`).
        """
        count = 0
        with self._transaction() as database:
            for review in reviews:
                row = self._row(review.sample)
                check_review(review, sample_of(row), row["sha256"])
                if self._known(review.id) is not None:
                    raise Refused(f"review {review.id}: came in meanwhile, nothing was taken over; import again")
                append(database, review.model_copy(update={"withdrawn": False}), self.plan.per_item)
                if review.withdrawn:
                    undo = review.model_copy(update={"id": uuid.uuid4().hex})
                    append(database, undo, self.plan.per_item, withdraws=review.id)
                count += 1
        return count

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One thread at a time: others would see half of a transaction of this connection."""
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                reason = f"cannot be read ({error}); stop the other program, or put back the last good copy"
                raise DataError(f"{self.folder.review_database}: {reason}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time, here and in other processes; all of it or nothing.

        Raises DataError if the disk refuses, or another process does not let go of the file.
        """
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    reason = f"cannot be written ({error}); nothing was saved: free space or stop the other program"
                    raise DataError(f"{self.folder.review_database}: {reason}, then save again") from error
                raise

    def _take_over(self, plan: Plan | None) -> None:
        with self._transaction() as database:
            kept = dict(database.execute("SELECT key, value FROM meta").fetchall())
            old = Plan.model_validate_json(kept["plan"]) if "plan" in kept else None
            self.plan = plan or old or Plan()
            items = fingerprint(self.folder, self.plan.seed)
            if items == kept.get("items") and self.plan == old:
                return
            if items != kept.get("items"):
                load_items(database, self.folder, self.plan.seed)
            for (sample,) in database.execute("SELECT DISTINCT sample FROM decisions").fetchall():
                recount(database, sample, self.plan.per_item)
            share_out(database, self.plan, anew=self.plan != old)
            values = [("plan", self.plan.model_dump_json()), ("items", items)]
            database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values)

    def _row(self, sample: str) -> sqlite3.Row:
        rows = self.query("SELECT * FROM whole WHERE id = ? AND present", (sample,))
        if not rows:
            raise Refused(f"sample {sample!r}: is not in the dataset; reload the list")
        return rows[0]

    def _reviews(self, sample: str) -> list[Review]:
        with self._reading() as database:
            return reviews_of_sample(database, sample, self.plan.per_item)

    def _known(self, review: str) -> Review | None:
        rows = self.query("SELECT review FROM decisions WHERE id = ?", (review,))
        return Review.model_validate_json(rows[0]["review"]) if rows else None

    def _check(self, row: sqlite3.Row, review: Review, version: int) -> None:
        check_review(review, sample_of(row), row["sha256"])
        if review.role == "reviewer" and self.plan.reviewers:
            names = [one["reviewer"] for one in self.query("SELECT * FROM assigned WHERE grp = ?", (row["grp"],))]
            if review.reviewer not in names:
                raise Refused(f"item {row['number']}: is assigned to {', '.join(names)}, not to {review.reviewer}")
        other: Role = "reviewer" if review.role == "adjudicator" else "adjudicator"
        if self.query(_VOTE, (review.sample, review.reviewer, other)):
            did, must = ("voted on", "settle") if other == "reviewer" else ("settled", "vote on")
            raise Refused(f"item {row['number']}: {review.reviewer} has {did} this item; another person must {must} it")
        self._check_version(row, review.reviewer, review.role, version)

    def _reserve(self, row: sqlite3.Row, reviewer: str) -> bool:
        """Make the item's set this person's if it waits for them; false if it does not."""
        with self._reading() as database:
            free = waits(database, row["number"], reviewer, self.plan)
            if not free or holds(database, row["grp"], reviewer):
                return free
        with self._transaction() as database:
            if free := waits(database, row["number"], reviewer, self.plan):  # nobody else can come in between now
                reserve(database, row["grp"], reviewer)
            return free

    def _check_version(self, row: sqlite3.Row, reviewer: str, role: Role, version: int) -> None:
        if self._version(row["id"], reviewer, role) != version:
            reason = "was decided in the meantime, by someone else or in another tab; look again, then save"
            raise Conflict(f"item {row['number']}: {reason}")

    def _version(self, sample: str, reviewer: str, role: Role) -> int:
        """Number of the last decision that this person may know of: a blind reviewer knows their own only."""
        sql = "SELECT COALESCE(MAX(number), 0) AS n FROM decisions WHERE sample = ?"
        if role == "reviewer" and self.plan.blind:
            return int(self.query(sql + " AND reviewer = ? AND role = ?", (sample, reviewer, role))[0]["n"])
        return int(self.query(sql, (sample,))[0]["n"])

    def _saw(self, sample: str, reviewer: str) -> bool:
        return bool(self.query("SELECT 1 FROM revealed WHERE sample = ? AND reviewer = ?", (sample, reviewer)))

    def _show(self, row: sqlite3.Row, reviewer: str, role: Role) -> Shown:
        """As `_view`; it is kept that the person saw the others."""
        shown = self._view(row, reviewer, role)
        if shown.votes is not None and not self._saw(row["id"], reviewer):
            with self._transaction() as database:
                database.execute("INSERT OR IGNORE INTO revealed VALUES (?, ?, ?)", (row["id"], reviewer, now()))
        return shown

    def _view(self, row: sqlite3.Row, reviewer: str, role: Role) -> Shown:
        # First: a decision that slips in between then meets an older version, and its writer is told.
        version = self._version(row["id"], reviewer, role)
        standing = current_reviews(one for one in self._reviews(row["id"]) if one.sample_sha256 == row["sha256"])
        own = last_standing([one for one in standing if (one.reviewer, one.role) == (reviewer, role)])
        hidden = self.plan.blind and role == "reviewer" and own is None
        checks = tuple(Check.model_validate(one) for one in json.loads(row["checks"]))
        return Shown(
            number=row["number"],
            sample=sample_of(row),
            sha256=row["sha256"],
            version=version,
            own=own,
            votes=None if hidden else tuple(standing),
            checks=None if hidden else checks,
            outcome=None if hidden else row["outcome"],
        )
