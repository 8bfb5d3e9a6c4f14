"""The one licence that the head of a dataset card can name, out of those of all sources.

What a licence asks, and which gives way to which, is said by `srpo.data.licences`.  It is a convention for the card and
no legal advice: every row names its own licence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from srpo.data.licences import TERMS, names_of, remaining

Demand = Literal["none", "name", "share alike", "no commerce", "no commerce, share alike"]
"""What a licence asks of those who take the data, from the mildest to the strictest."""

_DEMANDS: Final[dict[frozenset[str], Demand]] = {
    frozenset(): "none",
    frozenset({"by"}): "name",
    frozenset({"by", "sa"}): "share alike",
    frozenset({"by", "nc"}): "no commerce",
    frozenset({"by", "nc", "sa"}): "no commerce, share alike",
}

OTHER: Final = "other"
"""Licence of a dataset for which there is no single answer."""


@dataclass(frozen=True)
class Strictest:
    """Licence of the whole: an SPDX identifier or `other`, what it asks, and what is not known."""

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

    If a part is unknown, or one asks to be shared alike under terms that another does not allow, the answer is `other`.
    Among licences that ask the same it is the last of the order.  Raises ValueError if there is no licence.
    """
    found = sorted(set(licences))
    if not found:
        raise ValueError("no licence: there is no source")
    read = {text: names_of(text) for text in found}
    if unknown := tuple(text for text, names in read.items() if names is None):
        return Strictest(OTHER, None, unknown=unknown)
    kept = remaining({name for names in read.values() for name in names or ()})
    if len(kept) > 1 and any("sa" in TERMS[name] for name in kept):
        return Strictest(OTHER, None, clash=tuple(sorted(kept)))
    return Strictest(kept[-1], _DEMANDS[TERMS[kept[-1]]])
