"""What a person may see of an item, and what went wrong when they decide."""

from __future__ import annotations

from dataclasses import dataclass

from srpo.data.settle import Outcome
from srpo.errors import DataError
from srpo.types import Sample
from srpo.types.data import Check, Review


@dataclass(frozen=True)
class Shown:
    """One item as one person may see it."""

    number: int
    """Of the item in this database; it stays when the dataset changes."""
    sample: Sample
    sha256: str
    """As `srpo.data.settle.sample_sha256`; a review names it."""
    version: int
    """Of what this person may know of the item's decisions; `Store.decide` takes it back."""
    own: Review | None
    """The person's vote that counts now."""
    votes: tuple[Review, ...] | None
    """All votes that count now; none = hidden until the own vote is saved."""
    checks: tuple[Check, ...] | None
    """What machines say; none = hidden like the votes."""
    outcome: Outcome | None
    """What the votes come to; none = hidden."""
    taken: bool = False
    """Nobody is named in the plan, and the item has its votes, or others are about to give them."""


class Refused(DataError):
    """A decision that cannot be taken, with what to do in its message."""


class Conflict(Refused):
    """Someone, or another tab, has decided since the item was shown.  Nothing was saved; look at the item again."""
