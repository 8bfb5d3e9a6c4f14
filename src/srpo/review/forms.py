"""What the formats of other tools share: an item with its reviews, a review that was found, and strict reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from srpo.errors import DataError
from srpo.records import content_id
from srpo.steps import SEGMENT_NAMES, body
from srpo.types import Sample
from srpo.types.data import Edit, Review

SCORES: Final = ("safety", "difficulty", "informativeness")

WORDS: Final = ("question", *SEGMENT_NAMES)
"""Names of the words that can be edited: the request, six steps and the reply."""


class Held(NamedTuple):
    """An item with the reviews that count now."""

    sample: Sample
    sha256: str
    reviews: tuple[Review, ...]


class Found(NamedTuple):
    """A review of a file, and where in it."""

    place: str
    review: Review


def words_of(sample: Sample) -> dict[str, str]:
    """The words that can be edited, by name; a step that is missing is empty."""
    bodies = {step.name: body(step) for step in sample.reference.steps}
    return {"question": sample.question, **{name: bodies.get(name, "") for name in SEGMENT_NAMES}}


def edited_words(edit: Edit | None) -> dict[str, str]:
    """The words of an edit, by name."""
    if edit is None:
        return {}
    return {**({} if edit.question is None else {"question": edit.question}), **edit.steps}


def edit_of(words: Mapping[str, str], category: object, own: object) -> Edit | None:
    """An edit from words that are not empty and a category that is not the item's own; none without any.

    Raises DataError if the category is no text.
    """
    chosen = text_of("category", category)
    category = chosen if chosen and chosen != own else None
    steps = {name: text for name, text in words.items() if name in SEGMENT_NAMES and text.strip()}
    question = words.get("question", "").strip() or None
    if not steps and question is None and category is None:
        return None
    return Edit(question=question, category=category, steps=steps)


def build_review(place: str, source: str, fields: Mapping[str, Any]) -> Found:
    """A review with an id that is the same whenever the same vote is read.  Raises DataError with its place."""
    who = (fields.get("sample"), fields.get("reviewer"), fields.get("role", "reviewer"), fields.get("time"))
    given = {"id": content_id(source, *who), "source": source, "blind": False, **fields}
    try:
        return Found(place, Review.model_validate(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "review"
        raise DataError(f"{place}, {where}: {first['msg']}") from None


def read_json_list(path: Path) -> list[dict[str, Any]]:
    """A JSON file that holds a list of objects.  Raises DataError."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({type(error).__name__}); export the file again") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f"{path}: expected a list of objects; export all of it as JSON")
    return found


def get(given: object, *keys: str | int) -> Any:
    """A value deep in JSON; none where there is nothing of the kind."""
    for key in keys:
        if isinstance(given, dict) and isinstance(key, str):
            given = given.get(key)
        elif isinstance(given, list) and isinstance(key, int) and -len(given) <= key < len(given):
            given = given[key]
        else:
            return None
    return given


def text_of(place: str, given: object) -> str:
    """A text, or nothing for none.  Raises DataError for anything else."""
    if given is None:
        return ""
    if not isinstance(given, str):
        raise DataError(f"{place}: expected a text, got {type(given).__name__}")
    return given
