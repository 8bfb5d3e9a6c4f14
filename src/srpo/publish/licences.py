"""The one licence that the head of a dataset card can name, out of those of all sources.

The order is by what a licence asks of those who take the data; within one demand it is the order of the table.  It is
a convention for the card and no legal advice: every row names its own licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Demand = Literal["none", "name", "share alike", "no commerce", "no commerce, share alike", "no changes"]
"""What a licence asks of those who take the data, from the mildest to the strictest."""

ORDER: Final[dict[Demand, tuple[str, ...]]] = {
    "none": ("CC0-1.0", "PDDL-1.0", "Unlicense", "0BSD", "MIT-0"),
    "name": (
        *("MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ODC-By-1.0"),
        *("CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0"),
    ),
    "share alike": ("ODbL-1.0", "CC-BY-SA-2.0", "CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0"),
    "no commerce": ("CC-BY-NC-2.0", "CC-BY-NC-2.5", "CC-BY-NC-3.0", "CC-BY-NC-4.0"),
    "no commerce, share alike": ("CC-BY-NC-SA-2.0", "CC-BY-NC-SA-2.5", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0"),
    "no changes": (
        *("CC-BY-ND-2.0", "CC-BY-ND-2.5", "CC-BY-ND-3.0", "CC-BY-ND-4.0"),
        *("CC-BY-NC-ND-2.0", "CC-BY-NC-ND-2.5", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0"),
    ),
}
"""SPDX identifiers by their demand, the mildest first."""

OTHER: Final = "other"
"""Licence of a dataset for which the table has no answer."""

_RANKS: Final = {
    name.lower(): (rank, place, name)
    for rank, names in enumerate(ORDER.values())
    for place, name in enumerate(names)
}  # fmt: skip
_DEMAND_OF_RANK: Final = tuple(ORDER)
_ALIKE: Final = (_DEMAND_OF_RANK.index("share alike"), _DEMAND_OF_RANK.index("no commerce, share alike"))
_MOST_BRACKETS: Final = 20


@dataclass(frozen=True)
class Strictest:
    """Licence of the whole: an SPDX identifier or `other`, what it asks, and what the table does not know."""

    licence: str
    demand: Demand | None
    unknown: tuple[str, ...] = ()
    clash: tuple[str, ...] = ()
    """Licences that cannot hold together: data to be shared alike, and other terms on the same data."""

    @property
    def hub_name(self) -> str:
        """As hubs write it in the head of a card."""
        return self.licence.lower()


def strictest(licences: Iterable[str]) -> Strictest:
    """The licence for a dataset whose parts have these SPDX expressions.

    Of `A AND B` the stricter counts, of `A OR B` the milder.  If a part is unknown, or one asks to be shared alike
    under terms that another does not allow, the answer is `other`; versions of one such licence go with one another.
    Raises ValueError if there is no licence.
    """
    found = sorted(set(licences))
    if not found:
        raise ValueError("no licence: there is no source")
    parts = {text: _places(text) for text in found}
    if unknown := tuple(text for text, places in parts.items() if places is None):
        return Strictest(OTHER, None, unknown=unknown)
    known = frozenset[_Place]().union(*(places for places in parts.values() if places))
    rank, _, name = max(known)
    alike = {place[2] for place in known if place[0] in _ALIKE}
    above = {place[2] for place in known if place[0] > min(_ALIKE) and place[2] not in alike}
    if len({_without_version(one) for one in alike}) > 1 or (alike and above):
        return Strictest(OTHER, None, clash=tuple(sorted(alike | above)))
    return Strictest(name, _DEMAND_OF_RANK[rank])


def _without_version(name: str) -> str:
    return name.rpartition("-")[0]


_Place = tuple[int, int, str]
"""Rank of the demand, place in its row, name."""

_Places = frozenset[_Place] | None
"""Of all licences that hold together; none if one is unknown."""


def _places(text: str) -> _Places:
    """Of an expression of names, AND, OR and brackets; none if it holds anything else."""
    if text.count("(") > _MOST_BRACKETS:
        return None
    if place := _RANKS.get("-".join(text.split()).lower()):  # `CC BY 4.0`, as people write it
        return frozenset({place})
    found, rest = _either(re.findall(r"[()]|[^\s()]+", text))
    return None if rest else found


def _either(tokens: list[str]) -> tuple[_Places, list[str]]:
    """`A OR B`: the milder one; an unknown one is no help."""
    found, rest = _both(tokens)
    while rest[:1] in (["OR"], ["or"]):
        other, rest = _both(rest[1:])
        found = min(found, other, key=max) if found and other else None
    return found, rest


def _both(tokens: list[str]) -> tuple[_Places, list[str]]:
    """`A AND B`: all of them."""
    found, rest = _one(tokens)
    while rest[:1] in (["AND"], ["and"]):
        other, rest = _one(rest[1:])
        found = found | other if found and other else None
    return found, rest


def _one(tokens: list[str]) -> tuple[_Places, list[str]]:
    if not tokens:
        return None, []
    if tokens[0] == "(":
        found, rest = _either(tokens[1:])
        return (found, rest[1:]) if rest[:1] == [")"] else (None, ["("])
    place = _RANKS.get(tokens[0].lower())
    return (frozenset({place}) if place else None), tokens[1:]
