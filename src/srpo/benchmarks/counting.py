"""What rates are made of: flags of labels, and one value of an item's repeated answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from srpo.logic import all3
from srpo.types import Item, Label


def flag(name: str) -> Callable[[Label, Item], bool | None]:
    """The label as true, false or none."""

    def read(label: Label, item: Item) -> bool | None:
        found = label.labels.get(name)
        return None if found is None else bool(found)

    return read


def all_flags(*names: str) -> Callable[[Label, Item], bool | None]:
    """Three-valued *and* of labels: false if one is false, else none if one is none."""

    return lambda label, item: all3(flag(name)(label, item) for name in names)


def is_one_of(name: str, *values: str | int) -> Callable[[Label, Item], bool | None]:
    """Whether the label is one of these values; none if it is none."""

    def read(label: Label, item: Item) -> bool | None:
        found = label.labels.get(name)
        return None if found is None else found in values

    return read


def majority(values: Sequence[bool | float | None]) -> bool | float | None:
    """The value of most repeats that could be judged; none if they tie, or none could."""
    counts = Counter(value for value in values if value is not None).most_common(2)
    if not counts or (len(counts) > 1 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]
