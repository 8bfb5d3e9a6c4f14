"""Whose a set is: by the draw where people are named, and else of those who are at it.

People who work at once should not give an item more votes than were planned.  So opening an item that waits for a
person reserves its set for them for some minutes, and lets go of the one before.  A row runs out by itself: whoever
leaves, or a server that is killed, holds nothing up for longer.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from srpo.review.plan import Plan, assign
from srpo.review.todo import CLOCK, todo

SECONDS: Final = 600
"""How long a set stays with a person who does nothing."""

_RENEWED: Final = 60
"""Rows that are younger are left alone: each write waits for the disk."""


def waits(database: sqlite3.Connection, number: int, reviewer: str, plan: Plan) -> bool:
    """True if an item lacks a vote that this reviewer may give: others who are at it count as votes."""
    values = {"number": number, "reviewer": reviewer, "role": "reviewer", "per_item": plan.per_item}
    sql = f"SELECT 1 FROM items WHERE number = :number AND {todo(plan, 'reviewer')}"
    return database.execute(sql, values).fetchone() is not None


def holds(database: sqlite3.Connection, group: str, reviewer: str) -> bool:
    """True if the set is this reviewer's, and for long enough."""
    sql = f"SELECT 1 FROM reserved WHERE reviewer = ? AND grp = ? AND until > {CLOCK} + {SECONDS - _RENEWED}"
    return database.execute(sql, (reviewer, group)).fetchone() is not None


def reserve(database: sqlite3.Connection, group: str, reviewer: str) -> None:
    """Give a set to a reviewer, inside the caller's transaction."""
    sql = f"INSERT OR REPLACE INTO reserved VALUES (?, ?, {CLOCK} + {SECONDS})"
    database.execute(sql, (reviewer, group))


def share_out(database: sqlite3.Connection, plan: Plan, anew: bool) -> None:
    """Draw reviewers for sets that lack some, inside the caller's transaction; `anew`, also where nobody has voted."""
    if anew:
        voted = "SELECT grp FROM items JOIN votes ON votes.sample = items.id"
        database.execute(f"DELETE FROM assigned WHERE grp NOT IN ({voted})")
    if not plan.reviewers:
        return
    groups = {row["grp"] for row in database.execute("SELECT DISTINCT grp FROM items WHERE present")}
    given: dict[str, list[str]] = {}
    for row in database.execute("SELECT grp, reviewer FROM assigned"):
        given.setdefault(row["grp"], []).append(row["reviewer"])
    new = assign(groups, plan, given)
    pairs = [(group, name) for group, names in new.items() for name in names]
    database.executemany("INSERT INTO assigned VALUES (?, ?)", pairs)
