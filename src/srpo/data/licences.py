"""What a licence asks for: whether a picture may be used at all, and the strictest of several licences.

Only widespread licences are known by name.  A licence that is not known forbids nothing, and stands beside the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_FORBIDDING: Final = (
    (r"\bnd\b|no[- ]?deriv", "forbids works made from it"),
    (r"\bno[- ](ai|ml)\b|\bnoai\b", "forbids its use for AI"),
    (r"\b(no|not|never|without)\b[^,;.]{0,60}\btrain(ed|ing)?\b", "forbids training"),
    (r"\btraining\b[^,;.]{0,60}\b(forbidden|prohibited|not|excluded)\b", "forbids training"),
    (r"\bmoss-?bench\b", "is that of MOSSBench, which forbids training"),
    (r"\ball rights reserved\b", "allows no use; with the owner's permission, name that instead"),
)
"""Pattern in the licence's words -> what it does."""

_TERMS: Final = (
    (r"(cc0|public domain|pddl|unlicense|0bsd)\b", frozenset[str]()),
    (r"(mit|apache|bsd|isc|odc-by)\b", frozenset({"by"})),
    (r"odbl\b", frozenset({"by", "sa"})),
    (r"cc[- ]by[- ]nc[- ]sa\b", frozenset({"by", "nc", "sa"})),
    (r"cc[- ]by[- ]nc\b", frozenset({"by", "nc"})),
    (r"cc[- ]by[- ]sa\b", frozenset({"by", "sa"})),
    (r"cc[- ]by\b", frozenset({"by"})),
)
"""Beginning of a licence -> its terms: credit, no commerce, the same licence for what is made of it."""

_ABOVE_ALL: Final = re.compile(r"\s+and\s+|\s+or\s+", re.IGNORECASE)


def forbids(licence: str) -> str | None:
    """Why a picture under this licence must not be used, or none.

    Of alternatives (`A OR B`) one that may be used is enough.
    """
    found = [_reason(part) for part in re.split(r"\s+OR\s+", licence)] if "(" not in licence else [_reason(licence)]
    return None if None in found else found[0]


def _reason(licence: str) -> str | None:
    text = licence.casefold()
    return next((why for pattern, why in _FORBIDDING if re.search(pattern, text)), None)


def strictest(licences: Iterable[str]) -> str:
    """The licence whose terms hold all others, or all that none other holds, joined by AND (SPDX).

    So CC-BY-4.0 gives way to CC-BY-NC-4.0, while CC-BY-SA-4.0 and CC-BY-NC-4.0 both stay, as does every licence that
    is not known.  Raises ValueError if there are none.
    """
    distinct = sorted(set(licences))
    if not distinct:
        raise ValueError("expected at least one licence")
    terms = {licence: _terms(licence) for licence in distinct}
    kept = [one for one in distinct if not any(_holds(terms[other], terms[one]) for other in distinct if other != one)]
    if len(kept) == 1:
        return kept[0]
    return " AND ".join(f"({licence})" if _ABOVE_ALL.search(licence) else licence for licence in kept)


def _terms(licence: str) -> frozenset[str] | None:
    """None if they are not known; expressions of several licences are not taken apart."""
    text = licence.casefold().strip()
    if _ABOVE_ALL.search(text) or re.search(r"[,;]", text):
        return None
    return next((terms for pattern, terms in _TERMS if re.match(pattern, text)), None)


def _holds(strict: frozenset[str] | None, mild: frozenset[str] | None) -> bool:
    return strict is not None and mild is not None and mild < strict
