"""The rows that decide: one more per decision, inside the caller's transaction, and the votes that follow."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from srpo.data.settle import current_reviews, rule
from srpo.review.rows import review_columns, reviews_of
from srpo.types.data import Review

_INSERT: Final = """
INSERT INTO decisions (id, kind, sample, sample_sha256, reviewer, role, decision, time, seconds, source, review,
  withdraws)
VALUES (:id, :kind, :sample, :sample_sha256, :reviewer, :role, :decision, :time, :seconds, :source, :review,
  (SELECT number FROM decisions WHERE id = :withdraws))
"""


def reviews_of_sample(database: sqlite3.Connection, sample: str, planned: int) -> list[Review]:
    """All reviews of one sample in the order in which they were made, withdrawn ones marked."""
    rows = database.execute("SELECT * FROM decisions WHERE sample = ? ORDER BY number", (sample,))
    return reviews_of(rows.fetchall(), planned)


def last_standing(reviews: Sequence[Review]) -> Review | None:
    """The last review that was not withdrawn."""
    return next((one for one in reversed(reviews) if not one.withdrawn), None)


def append(database: sqlite3.Connection, review: Review, planned: int, withdraws: str | None = None) -> None:
    """Add a decision or, with the id of one in `withdraws`, its withdrawal; `planned` as in `recount`."""
    kind = "decision" if withdraws is None else "withdrawal"
    database.execute(_INSERT, review_columns(review) | {"kind": kind, "withdraws": withdraws})
    recount(database, review.sample, planned)


def recount(database: sqlite3.Connection, sample: str, planned: int) -> None:
    """Make the votes that count, and what they come to with so many planned, anew from the decisions."""
    row = database.execute("SELECT sha256 FROM items WHERE id = ?", (sample,)).fetchone()
    if row is None:
        return
    rows = database.execute("SELECT id, number FROM decisions WHERE sample = ?", (sample,)).fetchall()
    numbers = {one["id"]: one["number"] for one in rows}
    reviews = reviews_of_sample(database, sample, planned)
    standing = current_reviews(one for one in reviews if one.sample_sha256 == row["sha256"])
    database.execute("DELETE FROM votes WHERE sample = ?", (sample,))
    votes = [(sample, one.reviewer, one.role, numbers[one.id], one.decision) for one in standing]
    database.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, ?)", votes)
    ruling = rule(standing)
    number = sum(one.role == "reviewer" for one in standing)
    found = (ruling.outcome, ruling.adjudicated, number, sample)
    database.execute("UPDATE items SET outcome = ?, adjudicated = ?, votes = ? WHERE id = ?", found)
