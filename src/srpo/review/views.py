"""What the page is sent, as JSON-able objects; the page puts every text into text nodes."""

from __future__ import annotations

from typing import Any, Final

from srpo.data.settle import MAX_WORDS
from srpo.review import browse
from srpo.review.plan import MAX_NAME
from srpo.review.rows import MAX_NOTE
from srpo.review.shown import Shown
from srpo.review.store import Store
from srpo.review.todo import Role
from srpo.steps import ANSWER, SEGMENT_NAMES, TITLES, body
from srpo.types import CATEGORIES, CELLS, Sample
from srpo.types.data import Check, Review

MAX_RAW: Final = 4_000
"""Characters of a judge's own words that are shown."""

_CELL_LABELS: Final[dict[str, str]] = {
    "hazard": "hazard",
    "benign_image": "harmless picture",
    "benign_text": "harmless request",
    "benign_both": "both harmless",
}


def session_view(store: Store) -> dict[str, Any]:
    """What the page needs once."""
    plan = store.plan
    return {
        "dataset": store.folder.path.resolve().name,
        "reviewers": plan.reviewers,
        "per_item": plan.per_item,
        "blind": plan.blind,
        "categories": CATEGORIES,
        "cells": {cell: _CELL_LABELS[cell] for cell in CELLS},
        "steps": {name: _title(name) for name in SEGMENT_NAMES},
        "choices": browse.choices(store),
        "limits": {"name": MAX_NAME, "note": MAX_NOTE, "words": MAX_WORDS},
    }


def item_view(store: Store, shown: Shown, reviewer: str, role: Role) -> dict[str, Any]:
    """One item with its decisions, as far as the person may know them."""
    others = browse.rows(store, browse.mates(store, shown.number), reviewer, role)
    return {
        **_sample_view(shown.sample),
        "number": shown.number,
        "version": shown.version,
        "own": None if shown.own is None else _review_view(shown.own),
        "votes": None if shown.votes is None else [_review_view(vote) for vote in shown.votes],
        "checks": None if shown.checks is None else [_check_view(check) for check in shown.checks],
        "outcome": shown.outcome,
        "taken": shown.taken,
        "same_request": browse.same_request(store, shown.number),
        "set": [{"number": row["number"], "cell": row["cell"], "own": row["own"]} for row in others],
    }


def progress_view(store: Store, reviewer: str, role: Role) -> dict[str, int]:
    """Counts for the bar at the top."""
    return browse.progress(store, reviewer, role)._asdict()


def _sample_view(sample: Sample) -> dict[str, Any]:
    fields = ("id", "group", "cell", "split", "question", "category", "hypothesis", "unsafe_reply", "licence")
    return {
        **{name: getattr(sample, name) for name in fields},
        "source": f"{sample.provenance.producer}: {sample.provenance.source}",
        "caption": sample.caption,
        "image": sample.image and {"width": sample.image.width, "height": sample.image.height},
        "steps": [{"name": step.name, "text": body(step)} for step in sample.reference.steps],
    }


def _review_view(review: Review) -> dict[str, Any]:
    return review.model_dump(mode="json", exclude={"record", "sample_sha256", "source"})


def _check_view(check: Check) -> dict[str, Any]:
    votes = [
        {"judge": vote.judge, "ok": vote.ok, "score": vote.score, "reason": vote.reason, "raw": _cut(vote.raw)}
        for vote in check.votes
    ]
    return check.model_dump(mode="json", exclude={"votes"}) | {"votes": votes}


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_RAW else f"{text[:MAX_RAW]} [{len(text) - MAX_RAW:,} more]"


def _title(name: str) -> str:
    return "Reply" if name == ANSWER else TITLES[name]
