"""Splits that share no picture: minimal sets with near pictures stay together.

Sets are joined if a picture of one is in the same cluster as a picture of the other, and further, as long as splits of
the wanted size remain possible, if they ask the same.  What is joined goes to one split as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from srpo.records import content_id


@dataclass(frozen=True)
class Member:
    """What decides where a minimal set may go."""

    id: str
    clusters: frozenset[int]
    """Clusters of its pictures."""
    requests: frozenset[str]
    """Its requests, in the form in which they are compared."""


@dataclass(frozen=True)
class Splits:
    """Which split each set is in."""

    of: Mapping[str, str]
    """Id of the set -> split."""
    largest: int
    """Sets that had to stay together, at most."""
    straddling: int
    """Requests that are asked in more than one split."""


def assign_splits(members: Collection[Member], shares: Mapping[str, float], seed: int) -> Splits:
    """The same for any order of `members`.

    The largest groups go first, each to the split that lacks most sets; equal ones by a hash of the seed.
    """
    joined = _Joined(member.id for member in members)
    by_cluster: dict[int, list[str]] = defaultdict(list)
    by_request: dict[str, list[str]] = defaultdict(list)
    for member in members:
        for cluster in member.clusters:
            by_cluster[cluster].append(member.id)
        for request in member.requests:
            by_request[request].append(member.id)
    for ids in by_cluster.values():
        joined.join(ids)
    largest = max((len(group) for group in joined.groups()), default=0)
    _join_requests(joined, by_request, most=max(1, int(min(shares.values()) * len(members) / 2)), seed=seed)
    of = _distribute(joined.groups(), shares, seed)
    straddling = sum(len({of[id] for id in ids}) > 1 for ids in by_request.values())
    return Splits(of, largest, straddling)


def _join_requests(joined: _Joined, by_request: Mapping[str, list[str]], most: int, seed: int) -> None:
    """Join sets that ask the same, rare requests first, unless a group would outgrow half of the smallest split."""
    for request, ids in sorted(by_request.items(), key=lambda one: (len(one[1]), content_id(seed, one[0]))):
        if joined.size_of(ids) <= most:
            joined.join(by_request[request])


def _distribute(groups: list[list[str]], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    total = sum(map(len, groups))
    lacking = {split: share * total for split, share in shares.items()}
    names = {split: content_id(seed, split) for split in shares}
    of: dict[str, str] = {}
    for group in sorted(groups, key=lambda ids: (-len(ids), content_id(seed, *ids))):
        split = max(lacking, key=lambda name: (round(lacking[name], 6), names[name]))
        lacking[split] -= len(group)
        of |= dict.fromkeys(group, split)
    return of


class _Joined:
    """Ids in groups that only grow."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._above = {id: id for id in ids}
        self._size = dict.fromkeys(self._above, 1)

    def _top(self, id: str) -> str:
        while self._above[id] != id:
            self._above[id] = self._above[self._above[id]]
            id = self._above[id]
        return id

    def join(self, ids: list[str]) -> None:
        first = self._top(ids[0])
        for id in ids[1:]:
            other = self._top(id)
            if other != first:
                if self._size[other] > self._size[first]:
                    first, other = other, first
                self._above[other] = first
                self._size[first] += self._size.pop(other)

    def size_of(self, ids: list[str]) -> int:
        """Ids of the group that joining these would make."""
        return sum(self._size[top] for top in {self._top(id) for id in ids})

    def groups(self) -> list[list[str]]:
        """Every group sorted, in no order."""
        found: dict[str, list[str]] = defaultdict(list)
        for id in self._above:
            found[self._top(id)].append(id)
        return [sorted(ids) for ids in found.values()]
