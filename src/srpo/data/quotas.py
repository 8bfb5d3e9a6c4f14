"""How many minimal sets of each category, and which: the same ones for any order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from srpo.records import content_id


def choose_sets(
    categories: Mapping[str, str], quotas: Mapping[str, int], wanted: int | None, seed: int, first: Collection[str] = ()
) -> set[str]:
    """Ids of the sets that are too many; `categories` maps the id of a set to its category.

    No category keeps more than its quota.  If more than `wanted` are left, the largest categories give way until all
    are as equal as can be.  Which sets of a category stay is drawn by hash, so that it does not depend on the others;
    those in `first` go before the others.
    """
    ranked: dict[str, list[str]] = defaultdict(list)
    for id, category in categories.items():
        ranked[category].append(id)
    for ids in ranked.values():
        ids.sort(key=lambda id: (id not in first, content_id(seed, id), id))
    room = {name: min(len(ids), quotas.get(name, len(ids))) for name, ids in ranked.items()}
    level = _balanced(room, wanted, seed)
    return {id for name, ids in ranked.items() for id in ids[level[name] :]}


def _balanced(room: Mapping[str, int], wanted: int | None, seed: int) -> dict[str, int]:
    """Sets per category: at most `room`, `wanted` in all, as equal as can be."""
    left = sum(room.values()) if wanted is None else min(wanted, sum(room.values()))
    level: dict[str, int] = {}
    # The smallest first: what it cannot fill is shared by the others; the rest of a division goes to the last ones.
    for done, name in enumerate(sorted(room, key=lambda name: (room[name], content_id(seed, name)))):
        level[name] = min(room[name], left // (len(room) - done))
        left -= level[name]
    return level
