"""Rows of a dataset folder into the review database: all of them or, if nothing changed, none."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from srpo.data.folder import DatasetFolder
from srpo.data.settle import sample_sha256
from srpo.data.unspaced import UNSPACED
from srpo.errors import DataError
from srpo.records import dump_row, file_sha256, iterate_records
from srpo.review.plan import shuffled
from srpo.review.schema import has_search
from srpo.types import CATEGORIES, CELLS, Sample
from srpo.types.data import Check, CheckState, DraftSet

WITHOUT_CHECKS: Final = "none"
"""State of an item that no machine has checked."""

_UPSERT: Final = """
INSERT INTO items (id, sha256, place, present, grp, split, cell, cell_rank, category, rank, check_state)
VALUES (:id, :sha256, :place, 1, :grp, :split, :cell, :cell_rank, :category, :rank, :check_state)
ON CONFLICT (id) DO UPDATE SET sha256 = excluded.sha256, place = excluded.place, present = 1, grp = excluded.grp,
  split = excluded.split, cell = excluded.cell, cell_rank = excluded.cell_rank, category = excluded.category,
  rank = excluded.rank, check_state = excluded.check_state
"""
_TEXTS: Final = """
INSERT OR REPLACE INTO texts (number, sample, checks, question, words)
VALUES ((SELECT number FROM items WHERE id = :id), :sample, :checks, :question, :words)
"""


class Loaded(NamedTuple):
    """A sample and what machines say of it."""

    sample: Sample
    checks: tuple[Check, ...]


def fingerprint(folder: DatasetFolder, seed: int) -> str:
    """What the items depend on, as one text."""
    files = (folder.samples, folder.sets)
    return json.dumps([seed, *(file_sha256(path) if path.is_file() else None for path in files)])


def load_items(database: sqlite3.Connection, folder: DatasetFolder, seed: int) -> int:
    """Take over all rows inside the caller's transaction; returns how many.

    Items whose row is gone stay, hidden, for the sake of their decisions.  Raises DataError for rows that cannot be
    read, an id given twice, or a folder without samples.
    """
    rows = list(read_items(folder))
    if not rows:
        raise DataError(f"{folder.samples}: holds no sample; run `srpo build` first")
    ranks = {group: rank for rank, group in enumerate(shuffled({row.sample.group for row in rows}, seed))}
    database.execute("UPDATE items SET present = 0")
    for place, row in enumerate(rows):
        columns = _columns(place, row, ranks)
        database.execute(_UPSERT, columns)
        database.execute(_TEXTS, columns)
    if has_search(database):
        database.execute("INSERT INTO search (search) VALUES ('rebuild')")
    return len(rows)


def read_items(folder: DatasetFolder) -> Iterator[Loaded]:
    """Samples with their checks, in the order of the file.  Raises DataError as `load_items`."""
    if not folder.samples.is_file():
        raise DataError(f"{folder.samples}: no such file; give a folder with samples, made by `srpo build`")
    checks = _read_checks(folder.sets)
    seen: set[str] = set()
    for sample in iterate_records(folder.samples, Sample):
        if sample.id in seen:
            raise DataError(f"{folder.samples}: the id {sample.id!r} is there twice; ids are unique")
        seen.add(sample.id)
        yield Loaded(sample, checks.get((sample.group, sample.cell), ()))


def state_of(checks: tuple[Check, ...]) -> CheckState | str:
    """The worst state of some checks; `none` without any."""
    states = {check.state for check in checks}
    return next((state for state in ("fail", "missing", "ok") if state in states), WITHOUT_CHECKS)


def searchable(sample: Sample) -> str:
    """All words of a sample that people look for."""
    category = CATEGORIES.get(sample.category or "", sample.category)
    parts = (sample.id, sample.group, sample.question, category, sample.hypothesis, sample.caption, sample.unsafe_reply)
    return spaced("\n".join([*(part for part in parts if part), sample.reference.text]))


def spaced(text: str) -> str:
    """Text in which every character of a script without spaces stands alone."""
    return UNSPACED.sub(r" \1 ", text).replace("  ", " ")


def _read_checks(path: Path) -> dict[tuple[str, str], tuple[Check, ...]]:
    if not path.is_file():
        return {}
    found = iterate_records(path, DraftSet)
    return {(one.id, cell): draft.checks for one in found for cell, draft in one.cells.items()}


def _columns(place: int, row: Loaded, ranks: dict[str, int]) -> dict[str, object]:
    sample, checks = row
    try:
        digest = sample_sha256(sample)
    except UnicodeEncodeError:
        raise DataError(f"sample {sample.id!a}: holds half of a character, which no file can keep; mend it") from None
    return {
        "id": sample.id,
        "sha256": digest,
        "place": place,
        "grp": sample.group,
        "split": sample.split,
        "cell": sample.cell,
        "cell_rank": CELLS.index(sample.cell),
        "category": sample.category,
        "rank": ranks[sample.group],
        "sample": dump_row(sample),
        "checks": json.dumps([check.model_dump(mode="json") for check in checks], ensure_ascii=False),
        "check_state": state_of(checks),
        "question": sample.question,
        "words": searchable(sample),
    }
