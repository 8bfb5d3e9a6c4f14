"""Files of reviews, out and in: one check for all formats, and a whole file is taken over or nothing.

A format turns items and reviews into text, and text into `Found` reviews.  Whether these may come is decided here:
an id that is not in the dataset, an item whose words have changed, a second vote of one person and a review that does
not fit its item are reported, all of them at once, and never guessed at.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from srpo.data.settle import current_reviews, settle
from srpo.errors import DataError
from srpo.records import write_records, write_text
from srpo.review import argilla, label_studio, table
from srpo.review.forms import Found, Held
from srpo.review.rows import review_problem, sample_of
from srpo.review.store import Store
from srpo.types.data import Review

FormName = Literal["jsonl", "label-studio", "argilla", "csv"]

_Key = tuple[str, str, str]
"""Sample, reviewer and role: one vote."""

_SHOWN: Final = 20
"""Problems that a message names; the rest is counted."""

_WRITERS: Final[dict[str, Callable[[Sequence[Held], str], str]]] = {
    "label-studio": label_studio.render_tasks,
    "argilla": argilla.render_records,
    "csv": lambda items, _: table.render_table(items),
}
_READERS: Final[dict[str, Callable[[Path], list[Found]]]] = {
    "jsonl": table.read_jsonl,
    "label-studio": label_studio.read_annotations,
    "argilla": argilla.read_responses,
    "csv": table.read_table,
}


class Imported(NamedTuple):
    """What an import did."""

    new: int
    known: int
    """Reviews of the file that the store had already."""


def export_file(store: Store, form: FormName, path: Path, images_prefix: str = "") -> list[tuple[Path, str]]:
    """Write a file in a format, and what belongs to it; returns each path with words for what it holds.

    `images_prefix` goes before the paths of pictures, for tools that ask for them by an address.
    """
    if form == "jsonl":
        reviews = store.reviews()
        count = write_records(path, reviews)
        return [(path, "; ".join([f"{count} reviews", *_unsettled(store, reviews)]))]
    items = held(store)
    write_text(path, _WRITERS[form](items, images_prefix))
    made = [(path, f"{len(items)} items with {sum(len(item.reviews) for item in items)} reviews")]
    if form == "label-studio":
        interface = path.with_suffix(".xml")
        write_text(interface, label_studio.LABELING_CONFIG)
        made.append((interface, "the labelling interface of the project"))
    return made


def _unsettled(store: Store, reviews: Sequence[Review]) -> list[str]:
    """What is left to do before these samples can be published as reviewed, in words."""
    samples = [sample_of(row) for row in store.query("SELECT * FROM whole WHERE present ORDER BY place")]
    found = settle(samples, reviews)
    disputed, lacking = len(found.disagreements), len(found.undecided) - len(found.disagreements)
    planned = f"{store.plan.per_item} vote" + ("s" if store.plan.per_item > 1 else "")
    words = [f"{lacking} of {len(samples)} items have fewer than the {planned} planned"] if lacking else []
    words += [f"{disputed} disputed, for an adjudicator to settle"] if disputed else []
    if found.split:
        named = ", ".join(found.split[:_SHOWN]) + (", ..." if len(found.split) > _SHOWN else "")
        words.append(
            f"left out, as the request was edited in one of the cells that share it: {len(found.split)} "
            f"set{'s' if len(found.split) > 1 else ''} ({named}); save the same edit in both"
        )
    return words


def held(store: Store) -> list[Held]:
    """All items in the queue's order with the reviews that count now."""
    reviews: dict[str, list[Review]] = {}
    for review in store.reviews():
        reviews.setdefault(review.sample, []).append(review)
    rows = store.query("SELECT * FROM whole WHERE present ORDER BY rank, cell_rank, number")
    return [
        Held(
            sample_of(row),
            row["sha256"],
            tuple(current_reviews(one for one in reviews.get(row["id"], ()) if one.sample_sha256 == row["sha256"])),
        )
        for row in rows
    ]


def import_file(store: Store, form: FormName, path: Path) -> Imported:
    """Take over all reviews of a file.  Raises DataError with every problem if there is one; then nothing is taken.

    A vote that the store has already, by its id or because the same person says the same, is counted and left alone.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give the file with the reviews")
    found = _READERS[form](path)
    book = _Book.of(store, found, history=form == "jsonl")
    problems = [f"{one.place}: {problem}" for one in found if (problem := book.problem(one.review)) is not None]
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(f"{path}: nothing was taken over: {'; '.join(problems[:_SHOWN])}{more}")
    new = [one.review for one in found if not book.knows(one.review)]
    store.add(new)
    return Imported(len(new), len(found) - len(new))


class _Book(NamedTuple):
    """What the store holds and how often the file says what, to check reviews against."""

    rows: dict[str, sqlite3.Row]
    have: dict[str, Review]
    votes: dict[_Key, Review]
    """That count now."""
    ids_in_file: Counter[str]
    votes_in_file: Counter[_Key]

    @classmethod
    def of(cls, store: Store, found: Sequence[Found], history: bool) -> _Book:
        """A file of our own holds what people decided before as well; elsewhere a second vote is a mistake."""
        reviews = store.reviews()
        return cls(
            {row["id"]: row for row in store.query("SELECT * FROM whole WHERE present")},
            {review.id: review for review in reviews},
            {_key(review): review for item in held(store) for review in item.reviews},
            Counter(one.review.id for one in found),
            Counter() if history else Counter(_key(one.review) for one in found),
        )

    def knows(self, review: Review) -> bool:
        """True if the store has this review, or the same person's vote that says the same."""
        vote = self.votes.get(_key(review))
        return review.id in self.have or (vote is not None and _says(vote) == _says(review))

    def problem(self, review: Review) -> str | None:
        """Why a review may not come; none if it may."""
        row, named = self.rows.get(review.sample), f"{review.reviewer!r} on {review.sample!r}"
        if row is None:
            return f"unknown id {review.sample!r}"
        if self.ids_in_file[review.id] > 1 or self.votes_in_file[_key(review)] > 1:
            return f"a second vote of {named}"
        if review.id in self.have and _says(self.have[review.id]) != _says(review):
            return f"review {review.id} is in the store and says something else"
        if review.id in self.have and review.withdrawn and not self.have[review.id].withdrawn:
            return f"review {review.id} is withdrawn in the file and counts in the store"
        if self.knows(review):
            return None
        if found := review_problem(review, sample_of(row), row["sha256"]):
            return f"sample {review.sample!r}: {found}"
        if _key(review) in self.votes and not review.withdrawn:
            return f"a second vote of {named}, who has voted in the store and says something else"
        other = review.sample, review.reviewer, "adjudicator" if review.role == "reviewer" else "reviewer"
        if other in self.votes or self.votes_in_file[other]:
            return f"{named} has voted and settled; another person must settle it"
        return None


def _key(review: Review) -> _Key:
    return review.sample, review.reviewer, review.role


def _says(review: Review) -> Review:
    """A review without what does not change its meaning."""
    same = {"id": "", "time": "", "seconds": None, "source": "", "blind": False, "withdrawn": False, "planned": 1}
    return review.model_copy(update=same)
