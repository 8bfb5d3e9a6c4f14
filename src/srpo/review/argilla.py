"""Argilla 2: records as its SDK writes and reads them as JSON, and responses back.

A record is what `Record.to_dict` gives: `id`, `fields`, `metadata`, `suggestions` (question -> value, score, agent),
`responses` (question -> list of value and user_id) and `vectors`.  Its users have ids that must be UUIDs, so a
reviewer gets one that follows from name and role, and `metadata` says whose it is.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from srpo.errors import DataError
from srpo.review.forms import (
    SCORES,
    WORDS,
    Found,
    Held,
    build_review,
    edit_of,
    edited_words,
    get,
    read_json_list,
    text_of,
    words_of,
)
from srpo.types.data import Review

SOURCE: Final = "argilla"

QUESTIONS: Final = ("decision", *SCORES, "category", "first_wrong_step", *(f"edit_{name}" for name in WORDS), "note")
"""Questions of the dataset: labels, ratings from 1 to 5, and texts; only `decision` is required."""

_PEOPLE: Final = "reviewers"
"""Metadata with the names behind user ids, as JSON."""

_MORE: Final = ("role", "time", "seconds", "blind")
"""What Argilla has no place for, kept in the metadata."""

_NOTHING: Final = "1970-01-01T00:00:00+00:00"
"""Argilla exports no time of a response."""


def user_id(reviewer: str, role: str) -> str:
    """The id of a person in one role, the same whenever it is made: one user answers a question once."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"srpo-{role}:{reviewer}"))


def render_records(items: Sequence[Held], images_prefix: str = "") -> str:
    """Records as JSON, one per item.  `image` is a path relative to the dataset folder, behind the prefix."""
    return json.dumps([_record(item, images_prefix) for item in items], ensure_ascii=False, indent=1) + "\n"


def read_responses(path: Path) -> list[Found]:
    """Reviews of the responses in a file of `records.to_json`; a user's answers to one record are one review.

    A user is named as in the metadata, and else by the id.  Raises DataError if the file is no such export.
    """
    found = []
    for number, record in enumerate(read_json_list(path), 1):
        if not isinstance(record.get("responses"), dict) or not isinstance(record.get("metadata"), dict):
            raise DataError(f"{path}, record {number}: has no responses or metadata; write it with records.to_json")
        found += [_found(f"record {number}", record, user, answers) for user, answers in _by_user(number, record)]
    return found


def _record(item: Held, images_prefix: str) -> dict[str, Any]:
    sample = item.sample
    responses: dict[str, list[dict[str, Any]]] = {}
    people: dict[str, str] = {}
    more: dict[str, dict[str, Any]] = {}
    for review in item.reviews:
        user = user_id(review.reviewer, review.role)
        people[user] = review.reviewer
        more[user] = {name: getattr(review, name) for name in _MORE}
        for name, value in _answers(review).items():
            responses.setdefault(name, []).append({"value": value, "user_id": user})
    about = {"set": sample.group, "cell": sample.cell, "split": sample.split, "sample_sha256": item.sha256}
    about["category"] = sample.category or ""
    suggested = (
        {} if sample.category is None else {"category": {"value": sample.category, "score": None, "agent": "srpo"}}
    )
    picture = {} if sample.image is None else {"image": images_prefix + sample.image.path}
    return {
        "id": sample.id,
        "fields": {**picture, **words_of(sample)},
        "metadata": {**about, _PEOPLE: json.dumps(people, ensure_ascii=False), "votes": json.dumps(more)},
        "suggestions": suggested,
        "responses": responses,
        "vectors": {},
        "_server_id": None,
    }


def _answers(review: Review) -> dict[str, Any]:
    edit = review.edit
    given: dict[str, Any] = {"decision": review.decision, **{name: getattr(review, name) for name in SCORES}}
    given |= {"category": None if edit is None else edit.category, "first_wrong_step": review.first_wrong_step}
    given |= {f"edit_{name}": words for name, words in edited_words(edit).items()} | {"note": review.note or None}
    return {name: value for name, value in given.items() if value is not None}


def _by_user(number: int, record: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    users: dict[str, dict[str, Any]] = {}
    for question, answers in record["responses"].items():
        if question not in QUESTIONS or not isinstance(answers, list):
            raise DataError(f"record {number}: the question {question!r} is not of the dataset that was exported")
        for answer in answers:
            user = text_of(f"record {number}", get(answer, "user_id"))
            if question in users.setdefault(user, {}):
                raise DataError(f"record {number}: user {user} answers {question!r} twice")
            users[user][question] = get(answer, "value")
    return list(users.items())


def _found(place: str, record: dict[str, Any], user: str, answers: dict[str, Any]) -> Found:
    metadata = record["metadata"]
    more = get(_object(place, metadata.get("votes")), user) or {}
    words = {name: text_of(place, answers.get(f"edit_{name}")) for name in WORDS}
    return build_review(
        place,
        SOURCE,
        {
            "sample": record.get("id"),
            "sample_sha256": metadata.get("sample_sha256"),
            "reviewer": get(_object(place, metadata.get(_PEOPLE)), user) or user,
            "role": get(more, "role") or "reviewer",
            "decision": answers.get("decision"),
            **{name: answers.get(name) for name in SCORES},
            "edit": edit_of(words, answers.get("category"), metadata.get("category")),
            "first_wrong_step": answers.get("first_wrong_step"),
            "note": text_of(place, answers.get("note")),
            "time": get(more, "time") or _NOTHING,
            "seconds": get(more, "seconds"),
            "blind": get(more, "blind") is True,
        },
    )


def _object(place: str, given: object) -> object:
    """JSON in a text of the metadata.  Raises DataError if it is none."""
    try:
        return json.loads(text_of(place, given) or "{}")
    except (ValueError, RecursionError):
        raise DataError(f"{place}: metadata that was exported as JSON is none any more") from None
