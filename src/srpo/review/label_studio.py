"""Label Studio: tasks with the votes as annotations, an interface that fits them, and annotations back.

The shapes are those of its task format: a task has `data` and `annotations`, an annotation has `result`, and each
result names a control of the interface (`from_name`), what it is about (`to_name`), its type and its value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
from srpo.steps import SEGMENT_NAMES
from srpo.types import CATEGORIES
from srpo.types.data import Review

SOURCE: Final = "label-studio"


def _choices(name: str, values: Sequence[str], more: str = "") -> str:
    lines = "".join(f'\n    <Choice value="{value}"/>' for value in values)
    return f'  <Choices name="{name}" toName="question" choice="single-radio"{more}>{lines}\n  </Choices>\n'


def _interface() -> str:
    shown = "".join(
        f'  <Header value="{name}"/>\n  <Text name="{name}_text" value="${name}"/>\n' for name in SEGMENT_NAMES
    )
    scores = "".join(
        f'  <Header value="{name}"/>\n  <Rating name="{name}" toName="question" maxRating="5"/>\n' for name in SCORES
    )
    areas = "".join(
        f'  <Header value="edit: {name}"/>\n'
        f'  <TextArea name="edit_{name}" toName="question" rows="3" maxSubmissions="1" editable="true"/>\n'
        for name in WORDS
    )
    note = '  <Header value="note"/>\n  <TextArea name="note" toName="question" rows="2" maxSubmissions="1"/>\n'
    decision = _choices("decision", ("keep", "drop", "edit"), ' required="true"')
    picked = _choices("category", tuple(CATEGORIES)) + _choices("first_wrong_step", SEGMENT_NAMES)
    return (
        '<View>\n  <Image name="image" value="$image"/>\n  <Header value="request"/>\n'
        '  <Text name="question" value="$question"/>\n'
        f"{shown}{decision}{scores}{picked}{areas}{note}</View>\n"
    )


LABELING_CONFIG: Final = _interface()
"""The labelling interface of the project; its controls are what `read_annotations` reads."""


def render_tasks(items: Sequence[Held], images_prefix: str = "") -> str:
    """Tasks as JSON, one per item.  `image` is a path relative to the dataset folder, behind the prefix."""
    tasks = [
        {"data": _data(item, images_prefix), "annotations": [_annotation(one) for one in item.reviews]}
        for item in items
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def read_annotations(path: Path) -> list[Found]:
    """Reviews of the annotations in a JSON export; skipped (cancelled) ones are left out.

    An annotator is named by their email address where the export has it, and else by their number.  Raises DataError
    if the file is no such export, or a result is not of the interface.
    """
    found = []
    for number, task in enumerate(read_json_list(path), 1):
        annotations = task.get("annotations")
        if not isinstance(task.get("data"), dict) or not isinstance(annotations, list):
            raise DataError(f"{path}, task {number}: has no data or annotations; export as JSON, not as JSON-MIN")
        for at, annotation in enumerate(annotations, 1):
            place = f"task {number}, annotation {at}"
            if get(annotation, "was_cancelled") is not True:
                found.append(_found(place, task["data"], annotation))
    return found


def _data(item: Held, images_prefix: str) -> dict[str, Any]:
    sample = item.sample
    named = {"sample": sample.id, "sample_sha256": item.sha256}
    if sample.image is not None:
        named["image"] = images_prefix + sample.image.path
    about = {"set": sample.group, "cell": sample.cell, "split": sample.split, "category": sample.category or ""}
    return {**named, **words_of(sample), **about}


def _annotation(review: Review) -> dict[str, Any]:
    lead = {} if review.seconds is None else {"lead_time": review.seconds}
    return {
        "result": list(_results(review)),
        "was_cancelled": False,
        "ground_truth": review.role == "adjudicator",
        "created_at": review.time,
        "completed_by": {"email": review.reviewer},
        **lead,
    }


def _results(review: Review) -> Iterator[dict[str, Any]]:
    yield _result("decision", "choices", [review.decision])
    for name in SCORES:
        if (score := getattr(review, name)) is not None:
            yield _result(name, "rating", score)
    if review.edit is not None and review.edit.category is not None:
        yield _result("category", "choices", [review.edit.category])
    if review.first_wrong_step is not None:
        yield _result("first_wrong_step", "choices", [review.first_wrong_step])
    for name, words in edited_words(review.edit).items():
        yield _result(f"edit_{name}", "textarea", [words])
    if review.note:
        yield _result("note", "textarea", [review.note])


def _result(name: str, kind: str, value: object) -> dict[str, Any]:
    key = "text" if kind == "textarea" else kind
    return {"id": name, "from_name": name, "to_name": "question", "type": kind, "value": {key: value}}


def _found(place: str, data: dict[str, Any], annotation: object) -> Found:
    values = _values(place, annotation)
    words = {name: text_of(place, get(values.get(f"edit_{name}"), 0)) for name in WORDS}
    person = get(annotation, "completed_by", "email") or get(annotation, "completed_by")
    return build_review(
        place,
        SOURCE,
        {
            "sample": data.get("sample"),
            "sample_sha256": data.get("sample_sha256"),
            "reviewer": str(person) if isinstance(person, (str, int)) else None,
            "role": "adjudicator" if get(annotation, "ground_truth") is True else "reviewer",
            "decision": get(values.get("decision"), 0),
            **{name: values.get(name) for name in SCORES},
            "edit": edit_of(words, get(values.get("category"), 0), data.get("category")),
            "first_wrong_step": get(values.get("first_wrong_step"), 0),
            "note": text_of(place, get(values.get("note"), 0)),
            "time": get(annotation, "created_at"),
            "seconds": get(annotation, "lead_time"),
        },
    )


def _values(place: str, annotation: object) -> dict[str, Any]:
    """Control -> what was entered.  Raises DataError for a result that is not of the interface, or given twice."""
    results = get(annotation, "result")
    if not isinstance(results, list):
        raise DataError(f"{place}: has no list of results")
    kinds = {"decision": "choices", "category": "choices", "first_wrong_step": "choices", "note": "textarea"}
    kinds |= dict.fromkeys(SCORES, "rating") | {f"edit_{name}": "textarea" for name in WORDS}
    found: dict[str, Any] = {}
    for result in results:
        name, kind = get(result, "from_name"), get(result, "type")
        if not isinstance(name, str) or kinds.get(name) != kind:
            raise DataError(f"{place}: {name!r} of type {kind!r} is not of the interface that was exported")
        if name in found:
            raise DataError(f"{place}: {name!r} is there twice")
        found[name] = get(result, "value", "text" if kind == "textarea" else kind)
    return found
