"""Rows of the database to records and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from srpo.data.settle import edit_problem
from srpo.review.plan import clean_name
from srpo.review.shown import Refused
from srpo.steps import SEGMENT_NAMES
from srpo.types import Sample
from srpo.types.data import Review

MAX_NOTE: Final = 5_000
"""Characters of a note."""


def sample_of(row: sqlite3.Row) -> Sample:
    """The sample of an item."""
    fields = json.loads(row["sample"])
    fields.pop("schema")
    return Sample.model_validate(fields)


def reviews_of(rows: Iterable[sqlite3.Row], planned: int) -> list[Review]:
    """Reviews of rows of `decisions` in their order; those that a later row withdraws are marked.

    All get the number of reviewers that is `planned` now, whatever it was when they were made.
    """
    rows = list(rows)
    undone = {row["withdraws"] for row in rows if row["kind"] == "withdrawal"}
    made = [row for row in rows if row["kind"] == "decision"]
    return [_review(row, row["number"] in undone, planned) for row in made]


def review_columns(review: Review) -> dict[str, object]:
    """Columns of a row of `decisions` that repeat the review's own fields."""
    names = ("id", "sample", "sample_sha256", "reviewer", "role", "decision", "time", "seconds", "source")
    return {name: getattr(review, name) for name in names} | {"review": review.model_dump_json()}


def check_review(review: Review, sample: Sample, sha256: str) -> None:
    """Raises Refused if a review does not fit its sample."""
    if problem := review_problem(review, sample, sha256):
        raise Refused(f"sample {sample.id!r}: {problem}")


def review_problem(review: Review, sample: Sample, sha256: str) -> str | None:
    """Why a review does not fit its sample; none if it does."""
    if review.sample_sha256 != sha256:
        return "has other words than those that were reviewed; look at it again"
    if (review.decision == "edit") != (review.edit is not None):
        return "an edit needs new words, and other decisions have none"
    if review.first_wrong_step is not None and review.first_wrong_step not in SEGMENT_NAMES:
        return f"unknown step {review.first_wrong_step!r}; choose from {', '.join(SEGMENT_NAMES)}"
    if len(review.note) > MAX_NOTE:
        return f"the note has {len(review.note):,} characters; {MAX_NOTE:,} are the most"
    try:
        if clean_name(review.reviewer) != review.reviewer:
            return f"the reviewer's name {review.reviewer!r} has needless space; write {clean_name(review.reviewer)!r}"
        review.model_dump_json()
    except ValueError as error:
        return str(error)
    found = edit_problem(sample, review.edit) if review.edit is not None else None
    return None if found is None else f"the edit {found}"


def _review(row: sqlite3.Row, withdrawn: bool, planned: int) -> Review:
    review = Review.model_validate_json(row["review"])
    return review.model_copy(update={"withdrawn": withdrawn, "planned": planned})
