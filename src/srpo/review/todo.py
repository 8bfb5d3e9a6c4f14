"""What is left to do for a person, as conditions on `items`; the queue and the list of the page share them."""

from __future__ import annotations

from typing import Final, Literal

from srpo.review.plan import Plan

Role = Literal["reviewer", "adjudicator"]

OWN_VOTE: Final = (
    "EXISTS (SELECT 1 FROM votes WHERE sample = items.id AND votes.reviewer = :reviewer AND votes.role = :role)"
)
ASSIGNED: Final = "EXISTS (SELECT 1 FROM assigned WHERE grp = items.grp AND assigned.reviewer = :reviewer)"
DISPUTED: Final = "outcome = 'disagreement'"


def todo(plan: Plan, role: Role) -> str:
    """The condition that an item waits for this person; its parameters are `reviewer`, `role` and `per_item`.

    A disputed item still gets all its votes: figures of agreement would be biased if only the others did.
    """
    if role == "adjudicator":
        return DISPUTED
    return f"NOT {OWN_VOTE} AND {ASSIGNED if plan.reviewers else 'votes < :per_item AND NOT adjudicated'}"
