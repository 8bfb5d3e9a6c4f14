"""Reviews as JSON lines, and as a table for spreadsheets: one row per vote, and one for an item without any."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from srpo.errors import DataError
from srpo.records import iterate_records
from srpo.review.forms import SCORES, WORDS, Found, Held, build_review, edit_of, edited_words, words_of
from srpo.types.data import Review

SOURCE: Final = "csv"

_ITEM: Final = ("sample", "sample_sha256", "set", "cell", "split", "item_category", *WORDS)
_VOTE: Final = ("reviewer", "role", "decision", *SCORES, "category", "first_wrong_step")
_EDITS: Final = tuple(f"edit_{name}" for name in WORDS)
COLUMNS: Final = (*_ITEM, *_VOTE, *_EDITS, "note", "time", "seconds", "blind")

_MARK: Final = "\ufeff"
"""Without it at the beginning some spreadsheets take UTF-8 for another encoding, and save it so."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""A cell that begins so may be a formula to a spreadsheet; a quote before it makes it text."""

_LONGEST: Final = 2**20
"""Characters of one cell."""


def read_jsonl(path: Path) -> list[Found]:
    """Reviews of a file of our own, with what their people decided before.  Raises DataError with the line."""
    return [Found(f"line {line}", review) for line, review in enumerate(iterate_records(path, Review), 1)]


def render_table(items: Sequence[Held]) -> str:
    """The table as CSV; to add votes fill in the columns from `reviewer` on, in a row of its own per vote."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    for item in items:
        for row in [_vote(review) for review in item.reviews] or [{}]:
            writer.writerow({name: _inert(value) for name, value in (_item(item) | row).items()})
    return _MARK + text.getvalue()


def read_table(path: Path) -> list[Found]:
    """Reviews of the rows that have a decision.  Raises DataError with the row if one cannot be read."""
    csv.field_size_limit(_LONGEST)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := [
                name for name in ("sample", "sample_sha256", *_VOTE) if name not in (reader.fieldnames or ())
            ]:
                raise DataError(f"{path}: the column {missing[0]!r} is missing; export a table and fill that in")
            rows = [(number, row) for number, row in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV in UTF-8 ({error}); save it so") from None
    return [_found(f"row {number}", row) for number, row in rows if row.get("decision")]


def _item(item: Held) -> dict[str, str]:
    sample = item.sample
    named = {"sample": sample.id, "sample_sha256": item.sha256, "set": sample.group, "cell": sample.cell}
    return {**named, "split": sample.split, "item_category": sample.category or "", **words_of(sample)}


def _vote(review: Review) -> dict[str, str]:
    given: dict[str, Any] = {
        name: getattr(review, name) for name in (*_VOTE, "note", "time", "seconds", "blind") if name != "category"
    }
    given["category"] = review.edit.category if review.edit is not None else None
    given |= {f"edit_{name}": words for name, words in edited_words(review.edit).items()}
    return {name: "" if value is None else str(value) for name, value in given.items()}


def _found(place: str, row: Mapping[str, Any]) -> Found:
    if None in row or None in row.values():
        raise DataError(f"{place}: has more or fewer cells than the header")
    cells = {name: _original(str(value)) for name, value in row.items()}
    words = {name: cells.get(f"edit_{name}", "") for name in WORDS}
    return build_review(
        place,
        SOURCE,
        {
            "sample": cells["sample"],
            "sample_sha256": cells["sample_sha256"],
            "reviewer": cells["reviewer"],
            "role": cells["role"] or "reviewer",
            "decision": cells["decision"].strip(),
            **{name: cells[name].strip() or None for name in SCORES},
            "edit": edit_of(words, cells["category"] or None, cells.get("item_category")),
            "first_wrong_step": cells["first_wrong_step"] or None,
            "note": cells.get("note", ""),
            "time": cells.get("time", ""),
            "seconds": cells.get("seconds") or None,
            "blind": cells.get("blind", "").strip().casefold() == "true",  # spreadsheets write it in capitals
        },
    )


def _inert(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value


def _original(value: str) -> str:
    return value[1:] if value.startswith("'") and value[1:].startswith(_FORMULA) else value
