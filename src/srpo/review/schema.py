"""The database of reviews: its tables, its version, and how it is opened.

`decisions` is the truth and only grows; triggers refuse every change of a row that is there.  `items` and `texts`
are a copy of the dataset's rows, apart because lists read all items and no texts; `votes` holds the decisions that
count now.  All three can be made again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from srpo.errors import DataError

VERSION: Final = 3
"""Of the tables, kept as SQLite's `user_version`."""

_BUSY_SECONDS: Final = 30.0
"""How long to wait for another process that writes."""

_TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, place INTEGER NOT NULL,
  present INTEGER NOT NULL, grp TEXT NOT NULL, split TEXT NOT NULL, cell TEXT NOT NULL, cell_rank INTEGER NOT NULL,
  category TEXT, rank INTEGER NOT NULL, check_state TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT 'open',
  adjudicated INTEGER NOT NULL DEFAULT 0, votes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE texts (
  number INTEGER PRIMARY KEY REFERENCES items, sample TEXT NOT NULL, checks TEXT NOT NULL, question TEXT NOT NULL,
  words TEXT NOT NULL
);
CREATE VIEW whole AS SELECT items.*, texts.sample, texts.checks, texts.question FROM items JOIN texts USING (number);
CREATE INDEX items_in_order ON items (present, rank, cell_rank, number);
CREATE INDEX items_of_set ON items (grp);
CREATE INDEX items_by_outcome ON items (outcome);
CREATE TABLE assigned (grp TEXT NOT NULL, reviewer TEXT NOT NULL, PRIMARY KEY (grp, reviewer)) WITHOUT ROWID;
CREATE TABLE decisions (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('decision', 'withdrawal')),
  sample TEXT NOT NULL, sample_sha256 TEXT NOT NULL, reviewer TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('reviewer', 'adjudicator')),
  decision TEXT NOT NULL CHECK (decision IN ('keep', 'drop', 'edit')),
  time TEXT NOT NULL, seconds REAL, source TEXT NOT NULL,
  review TEXT NOT NULL, withdraws INTEGER REFERENCES decisions
);
CREATE INDEX decisions_of_sample ON decisions (sample, reviewer, role);
CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
CREATE TRIGGER decisions_are_kept BEFORE DELETE ON decisions
  BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
CREATE TABLE votes (
  sample TEXT NOT NULL, reviewer TEXT NOT NULL, role TEXT NOT NULL, number INTEGER NOT NULL REFERENCES decisions,
  decision TEXT NOT NULL, PRIMARY KEY (sample, reviewer, role)
) WITHOUT ROWID;
CREATE INDEX votes_of_reviewer ON votes (reviewer, role, sample);
CREATE TABLE revealed (
  sample TEXT NOT NULL, reviewer TEXT NOT NULL, time TEXT NOT NULL, PRIMARY KEY (sample, reviewer)
) WITHOUT ROWID;
"""

_RESERVED: Final = "CREATE TABLE reserved (reviewer TEXT PRIMARY KEY, grp TEXT NOT NULL, until INTEGER NOT NULL)"

_SEARCH: Final = "CREATE VIRTUAL TABLE search USING fts5(words, content='texts', content_rowid='number')"


def connect(path: Path) -> sqlite3.Connection:
    """The database in a file, made if need be; every commit is on the disk when it returns.

    Raises DataError if the file is no database of reviews, or of another version.
    """
    try:
        database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        _prepare(database, path)
    except sqlite3.Error as error:
        raise DataError(f"{path}: cannot be opened as a database of reviews ({error}); move it away") from error
    return database


def has_search(database: sqlite3.Connection) -> bool:
    """True if this database has an index of words."""
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'search'").fetchone() is not None


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables in one transaction, so that a process killed in between leaves none."""
    database.execute("BEGIN IMMEDIATE")
    try:
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found == 2:
            database.execute(_RESERVED)
            database.execute("DELETE FROM meta WHERE key = 'items'")  # what votes come to is worked out anew
            found = VERSION
            database.execute(f"PRAGMA user_version = {VERSION}")
        if found not in (0, VERSION):
            reason = f"version {found} of the review database, but this program reads {VERSION}"
            raise DataError(f"{path}: {reason}; go on with the program that made it, or move it away to begin anew")
        if found == 0:
            _make(database, path)
        database.execute("SELECT 1 FROM whole, decisions, votes, assigned, revealed, reserved, meta LIMIT 0")
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _make(database: sqlite3.Connection, path: Path) -> None:
    if database.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
        raise DataError(f"{path}: holds tables that are not of reviews; move it away")
    statement = ""
    for line in _TABLES.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            database.execute(statement)
            statement = ""
    database.execute(_RESERVED)
    if _can_search(database):
        database.execute(_SEARCH)
    database.execute(f"PRAGMA user_version = {VERSION}")


def _can_search(database: sqlite3.Connection) -> bool:
    """Some builds of SQLite come without FTS5; then words are looked for in every row."""
    return bool(database.execute("SELECT sqlite_compileoption_used('ENABLE_FTS5')").fetchone()[0])
