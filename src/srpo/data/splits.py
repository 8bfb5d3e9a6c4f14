"""Splits that share no picture: minimal sets with near pictures stay together.

Sets are joined if a picture of one is in the same cluster as a picture of the other, and further, as long as splits of
the wanted size remain possible, if they ask the same.  What is joined goes to one split as a whole.

A set that has a split keeps it, for it may be published: what is new is placed around it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from srpo.data.near import pack_hashes, within
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
    torn: int
    """Groups of sets with near pictures that were in several splits before."""


def find_bridges(
    pictures: Mapping[str, Collection[str]], earlier: Mapping[str, str], bits: int, seed: int
) -> list[str]:
    """New sets whose pictures would join sets that are in different splits already.

    `pictures` maps the id of a set to the hashes of its pictures, `earlier` to the split of a set that has one.  New
    ones come one after the other, by a hash of the seed: one that would join nothing alone may do so beside another.
    """
    if len(set(earlier.values())) < 2:
        return []
    hashes = sorted({phash for own in pictures.values() for phash in own})
    packed = pack_hashes(hashes)
    joined, splits, bridges = _Joined(hashes), dict[str, set[str]](), list[str]()
    taken: set[str] = set()
    for id in sorted(pictures, key=lambda id: (id not in earlier, content_id(seed, id), id)):
        near = {hashes[place] for own in pictures[id] for place in within(int(own, 16), packed, bits)}
        touched = sorted(near & taken | set(pictures[id]))
        found = set[str]().union(*(splits.get(joined.top(phash), set()) for phash in touched))
        if id not in earlier and len(found) > 1:
            bridges.append(id)
            continue
        joined.join(touched)
        splits[joined.top(touched[0])] = found | ({earlier[id]} if id in earlier else set())
        taken.update(pictures[id])
    return bridges


def assign_splits(
    members: Collection[Member], shares: Mapping[str, float], seed: int, earlier: Mapping[str, str] | None = None
) -> Splits:
    """The same for any order of `members`.

    Groups with a set that has a split in `earlier` go there.  The largest others go first, each to the split that lacks
    most sets; equal ones by a hash of the seed.
    """
    earlier = {member.id: earlier[member.id] for member in members if member.id in earlier} if earlier else {}
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
    groups = joined.groups()
    torn = sum(len({earlier[id] for id in group if id in earlier}) > 1 for group in groups)
    most = max(1, int(min(shares.values()) * len(members) / 2))
    _join_requests(joined, by_request, most, seed, earlier)
    of = _distribute(joined.groups(), shares, seed, earlier)
    straddling = sum(len({of[id] for id in ids}) > 1 for ids in by_request.values())
    return Splits(of, max(map(len, groups), default=0), straddling, torn)


def wanted_sizes(shares: Mapping[str, float], total: int, seed: int) -> dict[str, int]:
    """Whole sets per split that add up: each share rounded down, and one more for those that lose most by that.

    Of equal ones those come first that come first when sets are placed.
    """
    sizes = {split: int(share * total + 1e-6) for split, share in shares.items()}
    lost = {split: (round(shares[split] * total - sizes[split], 6), content_id(seed, split)) for split in shares}
    more = sorted(shares, key=lost.__getitem__, reverse=True)[: total - sum(sizes.values())]
    return {split: size + (split in more) for split, size in sizes.items()}


def _join_requests(
    joined: _Joined, by_request: Mapping[str, list[str]], most: int, seed: int, earlier: Mapping[str, str]
) -> None:
    """Join sets that ask the same, rare requests first.

    Not if a group would outgrow half of the smallest split, or would hold sets of different splits.
    """
    homes: dict[str, set[str]] = defaultdict(set)
    for id, split in earlier.items():
        homes[joined.top(id)].add(split)
    for request, ids in sorted(by_request.items(), key=lambda one: (len(one[1]), content_id(seed, one[0]))):
        found = set[str]().union(*(homes.get(joined.top(id), set()) for id in ids))
        if joined.size_of(ids) <= most and len(found) < 2:
            joined.join(by_request[request])
            homes[joined.top(ids[0])] = found


def _distribute(
    groups: list[list[str]], shares: Mapping[str, float], seed: int, earlier: Mapping[str, str]
) -> dict[str, str]:
    total = sum(map(len, groups))
    lacking = {split: share * total for split, share in shares.items()}
    names = {split: content_id(seed, split) for split in shares}
    of: dict[str, str] = {}
    for group in groups:
        if homes := [earlier[id] for id in group if id in earlier]:
            of |= {id: earlier.get(id, homes[0]) for id in group}
    for id in of:
        lacking[of[id]] -= 1
    new = [group for group in groups if group[0] not in of]
    for group in sorted(new, key=lambda ids: (-len(ids), content_id(seed, *ids))):
        split = max(lacking, key=lambda name: (round(lacking[name], 6), names[name]))
        lacking[split] -= len(group)
        of |= dict.fromkeys(group, split)
    return of


class _Joined:
    """Ids in groups that only grow."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._above = {id: id for id in ids}
        self._size = dict.fromkeys(self._above, 1)

    def top(self, id: str) -> str:
        """Stands for the group of an id."""
        while self._above[id] != id:
            self._above[id] = self._above[self._above[id]]
            id = self._above[id]
        return id

    def join(self, ids: list[str]) -> None:
        first = self.top(ids[0])
        for id in ids[1:]:
            other = self.top(id)
            if other != first:
                if self._size[other] > self._size[first]:
                    first, other = other, first
                self._above[other] = first
                self._size[first] += self._size.pop(other)

    def size_of(self, ids: list[str]) -> int:
        """Ids of the group that joining these would make."""
        return sum(self._size[top] for top in {self.top(id) for id in ids})

    def groups(self) -> list[list[str]]:
        """Every group sorted, in no order."""
        found: dict[str, list[str]] = defaultdict(list)
        for id in self._above:
            found[self.top(id)].append(id)
        return [sorted(ids) for ids in found.values()]
