"""A cache of limited size."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LRU(Generic[K, V]):
    """Values by key, up to `room` in all (bytes, or any unit); what was used longest ago leaves first."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keep a value under a new key; one that is larger than all the room is not kept."""
        if size > self._room:
            return
        while sum(taken for _, taken in self._kept.values()) + size > self._room:
            self._kept.popitem(last=False)
        self._kept[key] = (value, size)
