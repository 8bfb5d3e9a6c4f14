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
CLOCK: Final = "CAST(strftime('%s', 'now') AS INTEGER)"

_VOTED: Final = (
    "EXISTS (SELECT 1 FROM votes AS given WHERE given.sample = items.id AND given.reviewer = {} "
    "AND given.role = 'reviewer')"
)
_AT_IT: Final = (
    f"(SELECT COUNT(*) FROM reserved WHERE reserved.grp = items.grp AND reserved.reviewer != :reviewer "
    f"AND until > {CLOCK} AND NOT {_VOTED.format('reserved.reviewer')})"
)
"""Others who are about to vote."""


def todo(plan: Plan, role: Role) -> str:
    """The condition that an item waits for this person; its parameters are `reviewer`, `role` and `per_item`.

    A disputed item still gets all its votes: figures of agreement would be biased if only the others did.  Nobody
    settles an item on which they have voted.
    """
    if role == "adjudicator":
        return f"{DISPUTED} AND NOT {_VOTED.format(':reviewer')}"
    lacking = f"votes < :per_item AND NOT adjudicated AND votes + {_AT_IT} < :per_item"
    return f"NOT {OWN_VOTE} AND {ASSIGNED if plan.reviewers else lacking}"
