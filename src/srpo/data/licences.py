"""What a licence asks for: whether a picture may be used at all, and the strictest of several licences.

Only widespread licences are known by name.  A licence that is not known forbids nothing, and stands beside the others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
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

_CC: Final = ("1.0", "2.0", "2.5", "3.0", "4.0")


def _versions(name: str) -> tuple[str, ...]:
    return tuple(f"{name}-{version}" for version in _CC)


_ROWS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("", ("CC0-1.0", "PDDL-1.0", "Unlicense", "0BSD", "MIT-0")),
    ("by", ("MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ODC-By-1.0", *_versions("CC-BY"))),
    ("by sa", ("ODbL-1.0", *_versions("CC-BY-SA"))),
    ("by nc", _versions("CC-BY-NC")),
    ("by nc sa", _versions("CC-BY-NC-SA")),
)

TERMS: Final = {name: frozenset(terms.split()) for terms, names in _ROWS for name in names}
"""SPDX identifier -> its terms: credit, no commerce, the same licence for what is made of it.  The mildest is first."""

_PLACES: Final = {name: place for place, name in enumerate(TERMS)}
_SPELLED: Final = {name.lower(): name for name in TERMS}
_ABOVE_ALL: Final = re.compile(r"\s+and\s+|\s+or\s+", re.IGNORECASE)
_MOST_BRACKETS: Final = 20

Names = frozenset[str] | None
"""Identifiers of `TERMS` that hold together; none if one is not known."""


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
    """The licence whose terms hold all others, or all that must stay, joined by AND (SPDX).

    A single one stays as it is written.  Of alternatives (`A OR B`) the milder counts.  A licence that is not known
    stays beside the others.  Raises ValueError if there are none.
    """
    distinct = sorted(set(licences))
    if not distinct:
        raise ValueError("expected at least one licence")
    if len(distinct) == 1:
        return distinct[0]
    read = {text: names_of(text) for text in distinct}
    known = {name for names in read.values() for name in names or ()}
    kept = sorted([*remaining(known), *(text for text, names in read.items() if names is None)])
    if len(kept) == 1:
        return kept[0]
    return " AND ".join(f"({licence})" if _ABOVE_ALL.search(licence) else licence for licence in kept)


def remaining(names: Collection[str]) -> list[str]:
    """Those of `TERMS` that none of the others replaces, the mildest first.

    So CC-BY-4.0 gives way to CC-BY-NC-4.0.  What is to be shared alike gives way to later versions of itself only.
    """
    left = [one for one in names if not any(_replaces(other, one) for other in names)]
    return sorted(left, key=_PLACES.__getitem__)


def _replaces(strict: str, mild: str) -> bool:
    if strict.startswith("CC-") and strict.rpartition("-")[0] == mild.rpartition("-")[0]:
        return _PLACES[strict] > _PLACES[mild]
    return "sa" not in TERMS[mild] and TERMS[mild] < TERMS[strict]


def names_of(expression: str) -> Names:
    """The licences of an expression of names, AND, OR and brackets; of `A OR B` the milder."""
    if expression.count("(") > _MOST_BRACKETS:
        return None
    if name := _SPELLED.get("-".join(expression.split()).lower()):  # `CC BY 4.0`, as people write it
        return frozenset({name})
    found, rest = _either(re.findall(r"[()]|[^\s()]+", expression))
    return None if rest else found


def _either(tokens: list[str]) -> tuple[Names, list[str]]:
    """`A OR B`: the milder one; an unknown one is no help."""
    found, rest = _both(tokens)
    while rest[:1] in (["OR"], ["or"]):
        other, rest = _both(rest[1:])
        found = min(found, other, key=_strictness) if found and other else None
    return found, rest


def _strictness(names: Iterable[str]) -> int:
    return max(_PLACES[name] for name in names)


def _both(tokens: list[str]) -> tuple[Names, list[str]]:
    """`A AND B`: all of them."""
    found, rest = _one(tokens)
    while rest[:1] in (["AND"], ["and"]):
        other, rest = _one(rest[1:])
        found = found | other if found and other else None
    return found, rest


def _one(tokens: list[str]) -> tuple[Names, list[str]]:
    if not tokens:
        return None, []
    if tokens[0] == "(":
        found, rest = _either(tokens[1:])
        return (found, rest[1:]) if rest[:1] == [")"] else (None, ["("])
    name = _SPELLED.get(tokens[0].lower())
    return (frozenset({name}) if name else None), tokens[1:]
