"""How many branches each prefix gets: who is asked next, as a pure function of what is known so far.

- `fixed`: K branches at every prefix, all at once.
- `one_of_each`: a prefix is done when it has a favourable and an unfavourable branch, or K branches.
- `adaptive`: one branch after the other, at the prefix that promises most new contrasts per token, until none promises
  enough.  The promise goes by a Beta posterior of the favourable rate, to which neighbouring prefixes contribute.

A sample's decisions hang on its own branches alone, so that a resumed run makes the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

BudgetKind = Literal["fixed", "one_of_each", "adaptive"]

ENOUGH: Final = 8
"""Contrasts of one prefix beyond which no more are sought; as many are kept by default."""

_NEIGHBOUR: Final = 0.85
"""What a branch at the next prefix tells, in branches; its square for the one after that."""

OPEN: Final = (0.25, 0.25)
"""Favourable and unfavourable pseudo-branches before the first one, where anything may come: hazard cells."""

HARMLESS: Final = (0.4, 0.1)
"""The same for benign cells, where a model seldom refuses."""

_STOP: Final = 0.18
"""Expected new contrasts of a branch of mean length, below which sampling ends."""


@dataclass(frozen=True)
class Counts:
    """Branches of one prefix so far; favourable and unfavourable ones also without their repetitions."""

    branches: int = 0
    favourable: int = 0
    unfavourable: int = 0
    unique_favourable: int = 0
    unique_unfavourable: int = 0

    @property
    def contrasts(self) -> int:
        """Combinations of unlike branches."""
        return self.unique_favourable * self.unique_unfavourable


def next_prefixes(
    kind: BudgetKind,
    counts: Mapping[int, Counts],
    costs: Mapping[int, float],
    most: int,
    prior: tuple[float, float] = OPEN,
) -> list[int]:
    """Prefixes that get their next branch now, one entry per branch; none when the sample is done.

    `costs` are lengths of the texts that are still to be written, in any unit; `most` is K.
    """
    if kind == "fixed":
        return [prefix for prefix, own in counts.items() for _ in range(most - own.branches)]
    if kind == "one_of_each":
        return [prefix for prefix, own in counts.items() if own.branches < most and not own.contrasts]
    promises = promised_contrasts(counts, costs, most, prior)
    best = max(promises, key=lambda prefix: promises[prefix], default=None)
    return [] if best is None or promises[best] < _STOP else [best]


def promised_contrasts(
    counts: Mapping[int, Counts], costs: Mapping[int, float], most: int, prior: tuple[float, float] = OPEN
) -> dict[int, float]:
    """Expected new contrasts of the next branch at each open prefix, for what a branch of mean length costs.

    The next branch is favourable and new, unfavourable and new, or neither.  It makes a contrast with each branch of
    the other kind; the last term is what it opens up for the branch after it.
    """
    mean = sum(costs.values()) / len(costs)
    found: dict[int, float] = {}
    for prefix, own in counts.items():
        if own.branches >= most or own.contrasts >= ENOUGH:
            continue
        favourable, unfavourable = _new(prefix, counts, prior)
        contrasts = own.unique_favourable * unfavourable + own.unique_unfavourable * favourable
        found[prefix] = (contrasts + favourable * unfavourable) * mean / max(costs[prefix], 1e-9)
    return found


def _new(prefix: int, counts: Mapping[int, Counts], prior: tuple[float, float]) -> tuple[float, float]:
    """Probabilities that the next branch is favourable, or unfavourable, and unlike all before it."""
    weights = {other: _NEIGHBOUR ** abs(prefix - other) for other in counts}
    favourable = prior[0] + sum(weights[other] * counts[other].favourable for other in counts)
    unfavourable = prior[1] + sum(weights[other] * counts[other].unfavourable for other in counts)
    own = counts[prefix]
    decided = (own.favourable + own.unfavourable + 1) / (own.branches + 1)
    both = favourable + unfavourable
    return (
        decided * favourable / both * (own.unique_favourable + 1) / (own.favourable + 1),
        decided * unfavourable / both * (own.unique_unfavourable + 1) / (own.unfavourable + 1),
    )
