"""Filters, search and progress: which items a person may list, without telling a blind one what is hidden."""

from __future__ import annotations

import sqlite3
from typing import Any, Final, Literal, NamedTuple

from pydantic import Field

from srpo.review.loading import spaced
from srpo.review.plan import Plan
from srpo.review.store import Store
from srpo.review.todo import ASSIGNED, DISPUTED, OWN_VOTE, Role, todo
from srpo.types import Record

State = Literal["todo", "mine", "disagreements", "all"]
"""`todo`: lacks a decision that this person should take; `mine`: they have decided it."""

MAX_ROWS: Final = 200
"""Rows of the list that are given out at once."""

_TERMS: Final = 16
"""Words of a search that count."""


class Filter(Record):
    """What a list is narrowed to; an empty text is no narrowing."""

    state: State = "todo"
    category: str = Field(default="", description="slug of a category")
    cell: str = Field(default="", description="cell of a minimal set")
    split: str = Field(default="", description="name of a split")
    check: str = Field(default="", description="ok, fail, missing, or none for items without checks")
    words: str = Field(default="", max_length=500, description="words that an item holds, each from its beginning")


class Progress(NamedTuple):
    """How far the work is."""

    mine: int
    """Items that this person has decided."""
    my_total: int
    """Items that this person should decide; as many as there are if nothing is assigned."""
    decided: int
    """Items that have all their votes, or an adjudicator's decision."""
    total: int
    disagreements: int
    """That wait for an adjudicator; 0 for a blind reviewer, who may not know."""


def numbers(store: Store, wanted: Filter, reviewer: str, role: Role) -> list[int]:
    """Numbers of the items that fit, in the queue's order."""
    conditions, values = _conditions(store, wanted, reviewer, role)
    sql = f"SELECT number FROM items WHERE {' AND '.join(conditions)} ORDER BY rank, cell_rank, number"
    return store.column(sql, values)


def rows(store: Store, wanted: list[int], reviewer: str, role: Role) -> list[dict[str, Any]]:
    """Lines of the list for up to `MAX_ROWS` items, in the order asked for."""
    marks = ", ".join("?" * len(wanted[:MAX_ROWS]))
    sql = f"""SELECT number, id, grp, cell, category, split, substr(question, 1, 160) AS question, check_state, outcome,
      adjudicated, (SELECT decision FROM votes WHERE sample = whole.id AND reviewer = ? AND role = ?) AS own
      FROM whole WHERE present AND number IN ({marks})"""
    found = {row["number"]: row for row in store.query(sql, (reviewer, role, *wanted[:MAX_ROWS]))}
    open_to_all = not _is_blind(store.plan, role)
    return [_line(found[number], open_to_all) for number in wanted[:MAX_ROWS] if number in found]


def mates(store: Store, number: int) -> list[int]:
    """Numbers of the items of the same minimal set, in the order of the cells."""
    sql = "SELECT number FROM items WHERE present AND grp = (SELECT grp FROM items WHERE number = ?) ORDER BY cell_rank"
    return store.column(sql, (number,))


def same_request(store: Store, number: int) -> list[int]:
    """Numbers of the other items of the set with this item's request, which an edit of it must not part."""
    sql = """SELECT other.number FROM whole AS one JOIN whole AS other ON other.grp = one.grp AND other.present
      AND other.number != one.number AND trim(other.question) = trim(one.question)
      WHERE one.number = ? ORDER BY other.cell_rank"""
    return store.column(sql, (number,))


def progress(store: Store, reviewer: str, role: Role) -> Progress:
    """How far this person is, and all together."""
    values = {"reviewer": reviewer, "role": role, "per_item": store.plan.per_item}
    mine = f"present AND {ASSIGNED}" if store.plan.reviewers and role == "reviewer" else "present"
    sql = f"""SELECT
      (SELECT COUNT(*) FROM votes JOIN items ON items.id = votes.sample AND items.present
        WHERE votes.reviewer = :reviewer AND votes.role = :role) AS mine,
      (SELECT COUNT(*) FROM items WHERE {mine}) AS my_total,
      COALESCE(SUM(adjudicated OR (votes >= :per_item AND outcome != 'disagreement')), 0) AS decided,
      COUNT(*) AS total, COALESCE(SUM(outcome = 'disagreement'), 0) AS disagreements FROM items WHERE present"""
    found = Progress(**dict(store.query(sql, values)[0]))
    return found._replace(disagreements=0) if _is_blind(store.plan, role) else found


def choices(store: Store) -> dict[str, list[str]]:
    """Values that filters can take in this dataset."""
    names = {"category": "category", "cell": "cell", "split": "split", "check": "check_state"}
    return {name: _values(store, column) for name, column in names.items()}


def search_condition(words: str, indexed: bool) -> tuple[str, dict[str, str]]:
    """SQL that finds items with all the words: by the index, or in every row where that cannot be."""
    terms = [" ".join(spaced(term).split()) for term in words.split()[:_TERMS]]
    if not terms:
        return "1", {}
    if indexed and all(any(c.isalnum() for c in term) for term in terms):
        # Quoted, a term is only words to the index, whatever operators it may hold.
        query = " ".join('"' + term.replace('"', '""') + '"*' for term in terms)
        return "items.number IN (SELECT rowid FROM search WHERE search MATCH :words)", {"words": query}
    parts = " AND ".join(f"words LIKE :word{n} ESCAPE '\\'" for n in range(len(terms)))
    found = f"items.number IN (SELECT number FROM texts WHERE {parts})"
    return found, {f"word{n}": f"%{_literal(term)}%" for n, term in enumerate(terms)}


def _conditions(store: Store, wanted: Filter, reviewer: str, role: Role) -> tuple[list[str], dict[str, object]]:
    blind = _is_blind(store.plan, role)
    searched, values = search_condition(wanted.words.replace("\x00", " "), store.searchable)
    parts = ["present", searched, todo(store.plan, role) if wanted.state == "todo" else _STATES[wanted.state]]
    for name in ("category", "cell", "split"):
        if value := getattr(wanted, name):
            parts.append(f"{name} = :{name}")
            values[name] = value
    if wanted.check:
        parts.append("check_state = :check")
        values["check"] = wanted.check
    if blind and (wanted.check or wanted.state == "disagreements"):
        parts.append(OWN_VOTE)  # or the list would tell what the page hides
    return parts, {**values, "reviewer": reviewer, "role": role, "per_item": store.plan.per_item}


_STATES: Final[dict[State, str]] = {"mine": OWN_VOTE, "disagreements": DISPUTED, "all": "1"}


def _line(row: sqlite3.Row, open_to_all: bool) -> dict[str, Any]:
    line = dict(row)
    if not open_to_all and row["own"] is None:
        line |= {"check_state": None, "outcome": None, "adjudicated": None}
    return line


def _values(store: Store, column: str) -> list[str]:
    return sorted(store.column(f"SELECT DISTINCT {column} FROM items WHERE present AND {column} IS NOT NULL"))


def _is_blind(plan: Plan, role: Role) -> bool:
    return plan.blind and role == "reviewer"


def _literal(term: str) -> str:
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
