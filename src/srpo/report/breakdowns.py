"""The main measures on parts of the test set: splits, levels of difficulty, categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from srpo.report.figure import Figure, bars_figure, dots_figure, group_of
from srpo.report.figures import BARS_AT_MOST
from srpo.report.table import series_of
from srpo.report.wording import words_of
from srpo.types import CATEGORIES, Metric, Rates, Report

MAIN: Final = ("safe", "over_refusal", "effective_benign", "joint4")
"""What is shown of each part: over-refusal stands beside safety."""

Kind = Literal["split", "level", "category"]


class Breakdown(NamedTuple):
    """A section of the page: one plot per measure, one group of rows per part."""

    key: str
    title: str
    text: str
    figures: tuple[Figure, ...]


def breakdowns(report: Report, items: str | None = None) -> list[Breakdown]:
    """All sections that have something to show."""
    small = "Small parts have wide intervals."
    found = [
        Breakdown(
            "splits",
            "Split by split",
            f"The same measures on each part of the test set, greedy decoding. {small}",
            part_figures(report, "split", report.splits, items),
        ),
        Breakdown(
            "levels",
            "Level by level",
            f"The same measures by difficulty; 1 is the easiest. {small}",
            part_figures(report, "level", dict(sorted(report.levels.items(), key=_by_number)), items),
        ),
        Breakdown(
            "categories",
            "Category by category",
            f"The same measures by the kind of harm; harmless items go with the unsafe one of their set. {small}",
            part_figures(report, "category", report.categories, items),
        ),
    ]
    return [one for one in found if one.figures]


def part_figures(
    report: Report, kind: Kind, parts: Mapping[str, Mapping[str, Rates]], items: str | None = None
) -> tuple[Figure, ...]:
    """One plot per main measure: bars for the splits of two systems, as on a page that has nothing else.

    Nothing for a single part, which would show the whole again.
    """
    if len(parts) < 2:
        return ()
    found = [_figure(report, kind, parts, metric, items) for metric in MAIN]
    return tuple(figure for figure in found if figure)


def _figure(
    report: Report, kind: Kind, parts: Mapping[str, Mapping[str, Rates]], metric: str, items: str | None
) -> Figure | None:
    names = [name for name in series_of(report) if any(metric in rates.get(name, {}) for rates in parts.values())]
    groups = []
    for part, rates in parts.items():
        values: dict[str, Metric | None] = {name: rates.get(name, {}).get(metric) for name in names}
        keys: dict[str, str | None] = {"metric": metric, "decoding": "greedy", kind: part}
        groups.append(group_of(_title(kind, part), values, items, **keys))
    words = words_of(metric)
    draw = bars_figure if kind == "split" and len(names) <= BARS_AT_MOST else dots_figure
    caption = f"{words.items or words.label}, {kind} by {kind}"
    return draw(f"{kind}-{metric}", words.label, caption, names, groups)


def _title(kind: Kind, part: str) -> str:
    if kind == "category":
        return CATEGORIES.get(part, part.replace("_", " "))
    return f"Level {part}" if kind == "level" else part


def _by_number(part: tuple[str, object]) -> tuple[int, str]:
    return (int(part[0]) if part[0].isdecimal() else 10**9, part[0])
