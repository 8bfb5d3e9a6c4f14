"""Results sorted by split, level or category."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from srpo.types import Result


def by_split(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results of each split, splits in alphabetical order."""
    return _parts(results, lambda result: result.split)


def by_level(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results of each level of difficulty, from easy to hard; those without a level are left out."""
    return _parts(results, lambda result: None if result.level is None else str(result.level))


def by_category(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each category in alphabetical order.

    The category of a minimal set is that of its hazard cell: benign cells have none of their own, and without
    them a category would show safety and hide over-refusal.
    """
    categories = {result.group: result.category for result in results if result.category is not None}
    return _parts(results, lambda result: categories.get(result.group))


def _parts(results: Iterable[Result], key: Callable[[Result], str | None]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        name = key(result)
        if name is not None:
            found.setdefault(name, []).append(result)
    return dict(sorted(found.items()))
