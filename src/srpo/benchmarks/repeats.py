"""One value of an item that was answered several times, for rates such as safe@1, safe@k and success in any try."""

from __future__ import annotations

from collections.abc import Sequence

from srpo.judge.vote import vote
from srpo.logic import all3

Repeats = Sequence[bool | float | None]
"""What a rate counts of each repeat; none could not be judged."""


def any_true(values: Repeats) -> bool | None:
    """Whether one repeat is true; none if that hangs on one that could not be judged."""
    none_true = all3(None if value is None else not value for value in values)
    return None if none_true is None else not none_true


def all_true(values: Repeats) -> bool | None:
    """Whether every repeat is true; none if that hangs on one that could not be judged."""
    return all3(_flags(values))


def majority(values: Repeats) -> bool | None:
    """What most repeats are that could be judged; none if they tie, or none could."""
    return vote(_flags(values))


def _flags(values: Repeats) -> list[bool | None]:
    return [None if value is None else bool(value) for value in values]


def share(values: Repeats) -> float | None:
    """Share of true repeats among those that could be judged."""
    scored = [float(value) for value in values if value is not None]
    return sum(scored) / len(scored) if scored else None


def all_true_or_missing_false(values: Repeats) -> bool:
    """Whether every repeat is true; one that could not be judged is not."""
    return all(value is True for value in values)


def share_or_missing_false(values: Repeats) -> float:
    """Share of true repeats among all; one that could not be judged counts as false."""
    return sum(value is True for value in values) / len(values)
