"""Requests of the page to the store, as plain functions; nothing here knows HTTP."""

from __future__ import annotations

import json
import threading
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from srpo.records import content_id
from srpo.review import browse
from srpo.review.browse import Filter
from srpo.review.plan import clean_name
from srpo.review.shown import Refused
from srpo.review.store import Store, draft_review
from srpo.review.todo import Role
from srpo.review.views import item_view, progress_view
from srpo.types import Record
from srpo.types.data import Decision, Edit

R = TypeVar("R", bound=Record)


class DecideRequest(Record):
    """A decision as the page sends it."""

    key: str = Field(pattern="^[0-9a-f]{32}$", description="drawn by the page, so that a repeated request counts once")
    version: int = Field(ge=0, description="of the item as it was shown")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of the sample as it was shown")
    decision: Decision
    safety: int | None = Field(default=None, ge=1, le=5)
    difficulty: int | None = Field(default=None, ge=1, le=5)
    informativeness: int | None = Field(default=None, ge=1, le=5)
    edit: Edit | None = None
    first_wrong_step: str | None = None
    note: str = ""
    seconds: float | None = Field(default=None, ge=0, le=864_000, allow_inf_nan=False)


class UndoRequest(Record):
    """A withdrawal as the page sends it."""

    version: int = Field(ge=0, description="of the item as it was shown")


_LAST: Final = """
SELECT items.number FROM votes JOIN items ON items.id = votes.sample AND items.present
WHERE votes.reviewer = ? AND votes.role = ? ORDER BY votes.number DESC LIMIT 1
"""


class Person:
    """One person's requests to a store.  Raises Refused if the name or role cannot be."""

    def __init__(self, store: Store, name: str, role: str) -> None:
        try:
            self.name = clean_name(name)
        except ValueError as error:
            raise Refused(str(error)) from None
        self.role = _role(role)
        self._store = store
        if self.role == "reviewer" and store.plan.reviewers and self.name not in store.plan.reviewers:
            raise Refused(f"{self.name} is not among the reviewers: {', '.join(store.plan.reviewers)}")

    @staticmethod
    def problem(store: Store, name: str, role: str) -> dict[str, Any]:
        """Why a person cannot review here, as an answer: a name that does not fit is no fault of the page."""
        try:
            Person(store, name, role)
        except Refused as error:
            return {"problem": str(error)}
        return {"problem": None}

    def listing(self, query: dict[str, str]) -> dict[str, Any]:
        """Numbers of the items that fit a filter."""
        found = browse.numbers(self._store, _parse(Filter, query), self.name, self.role)
        return {"numbers": found, "progress": self._progress()}

    def rows(self, numbers: str) -> dict[str, Any]:
        """Lines of the list for numbers, separated by commas."""
        wanted = [int(part) for part in numbers.split(",") if part.isascii() and part.isdigit() and len(part) < 16]
        return {"rows": browse.rows(self._store, wanted, self.name, self.role)}

    def item(self, number: int) -> dict[str, Any]:
        """One item."""
        shown = self._store.item(number, self.name, self.role)
        return item_view(self._store, shown, self.name, self.role) | {"sha256": shown.sha256}

    def whole_set(self, number: int) -> dict[str, Any]:
        """All cells of an item's minimal set; hidden parts are hidden here too."""
        return {"cells": [self.item(one) for one in browse.mates(self._store, number)]}

    def next(self) -> dict[str, Any]:
        """Number of the item to look at next; none when all is done."""
        shown = self._store.next_item(self.name, self.role)
        return {"number": None if shown is None else shown.number, "progress": self._progress()}

    def last(self) -> dict[str, Any]:
        """Number of the item that this person decided last; none if there is none."""
        found = self._store.query(_LAST, (self.name, self.role))
        return {"number": found[0]["number"] if found else None}

    def decide(self, number: int, text: str) -> dict[str, Any]:
        """Keep a decision; returns the item as it is now.  Raises Conflict or Refused as `Store.decide`."""
        asked = _parse(DecideRequest, text)
        before = self._store.item(number, self.name, self.role)
        one = content_id(asked.key, before.sample.id, self.name, self.role)
        more = asked.model_dump(exclude={"key", "version", "sha256", "decision", "edit"})
        review = draft_review(
            before, self.name, asked.decision, role=self.role, edit=asked.edit, blind=True, id=one, **more
        )
        review = review.model_copy(update={"sample_sha256": asked.sha256})
        self._store.decide(review, asked.version)
        return self.item(number) | {"progress": self._progress()}

    def undo(self, number: int, text: str) -> dict[str, Any]:
        """Withdraw the own decision on an item.  Raises Conflict or Refused as `Store.withdraw`."""
        asked = _parse(UndoRequest, text)
        sample = self._store.item(number, self.name, self.role).sample.id
        self._store.withdraw(sample, self.name, asked.version, self.role)
        return self.item(number) | {"progress": self._progress()}

    def _progress(self) -> dict[str, int]:
        return progress_view(self._store, self.name, self.role)


class AgreementDesk:
    """Figures of agreement, worked out beside the page: with thousands of votes they take a while."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._done: dict[str, Any] | None = None
        self._failed: Exception | None = None
        self._busy = False

    def ask(self) -> dict[str, Any]:
        """The last figures, or `ready: false` while the first are being worked out.

        `as_of` is the number of the last decision that they know; if it is not the last of all, `current` is false
        and new ones are being worked out.  Raises what went wrong with that, once; asking again tries again.
        """
        last = self._last()
        with self._lock:
            failed, self._failed = self._failed, None
            if failed is not None:
                raise failed
            current = self._done is not None and self._done["as_of"] == last
            if not current and not self._busy:
                self._busy = True
                threading.Thread(target=self._work, args=(last,), daemon=True).start()
            return {"ready": self._done is not None, "current": current, **(self._done or {})}

    def _work(self, last: int) -> None:
        done: dict[str, Any] | None = None
        failed: Exception | None = None
        try:
            # Here, because statistics take seconds to load, which the first page should not wait for.
            from srpo.review.agreement import agreement_of

            done = {**agreement_of(self._store).model_dump(mode="json"), "as_of": last}
        except Exception as error:  # it rises where somebody asks
            failed = error
        with self._lock:
            self._busy, self._done, self._failed = False, done or self._done, failed

    def _last(self) -> int:
        return int(self._store.query("SELECT COALESCE(MAX(number), 0) AS n FROM decisions")[0]["n"])


def _role(role: str) -> Role:
    roles: dict[str, Literal["reviewer", "adjudicator"]] = {"reviewer": "reviewer", "adjudicator": "adjudicator"}
    if role not in roles:
        raise Refused("the role is reviewer or adjudicator")
    return roles[role]


def _parse(kind: type[R], given: str | dict[str, str]) -> R:
    """A request of the page.  Raises Refused with the first field that does not fit."""
    try:
        return kind.model_validate(json.loads(given) if isinstance(given, str) else given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "request"
        raise Refused(f"{where}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise Refused("the request is not JSON; reload the page") from None
