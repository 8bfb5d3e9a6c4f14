"""Shortcut audit: can one tell the hazard without joining picture and request?

A set is hazardous by its picture *and* its request, so neither alone should say it.  Small classifiers try: from the
first word, the length, the words, the pixels, and the sum of what words and pixels say (`srpo.publish.classifiers`).
The measure is balanced accuracy, (true positive rate + true negative rate) / 2: chance is 1/2, while plain accuracy
would be 3/4 for a classifier that never finds a hazard.

In complete sets of four, one modality cannot get past 5/6 even if it knows which picture (or request) is the one of
the hazard: that one also stands in a harmless cell, so at most 2 of 3 harmless cells are told right.  The *sum* of
two modalities can reach 1, for a sum solves an AND; it is reported apart, and is no defect of a dataset by itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import Field

from srpo.pictures import picture_of
from srpo.progress import Bars
from srpo.publish.classifiers import VIEWS, Flags, Floats, held_out_odds
from srpo.records import seed_of
from srpo.stats.intervals import percentiles, resampled_totals, sums_by_cluster
from srpo.steps import answer
from srpo.types import CELLS, Cell, Metric, Record, Sample

CHANCE: Final = 1 / 2
BOUND: Final = 5 / 6
"""Most that one modality can reach in complete sets of four."""

FEWEST: Final = 20
"""Independent clusters that must hold each label; with fewer there is no figure."""

MOST_SHORTCUTS: Final = 10
"""Per modality."""

OPENING_WORDS: Final = 3
MOST_OPENINGS: Final = 10


class Shortcut(Record):
    """A sample that one modality tells right, and is sure of."""

    sample: str
    set: str
    cell: Cell
    view: str = Field(description="`text` or `image`")
    probability: float = Field(description="of the sample's own label, by a classifier that has not seen its cluster")


class Opening(Record):
    """How safe replies begin."""

    words: str
    hazard: int = Field(description="replies of hazard cells that begin so")
    benign: int


class Audit(Record):
    """What shortcuts there are in a dataset."""

    record: Literal["audit"] = "audit"
    samples: int
    sets: int
    complete_sets: int = Field(description="sets of four cells, for which the bound 5/6 holds")
    clusters: int = Field(
        description="groups of sets that share no picture with others; folds and intervals go by them"
    )
    seed: int
    chance: float = CHANCE
    bound: float = BOUND
    views: dict[str, Metric] = Field(description="balanced accuracy by what the classifier saw")
    shortcuts: tuple[Shortcut, ...] = Field(description="by words, then by pixels; surest first")
    openings: tuple[Opening, ...] = Field(description="of safe replies, the most common first")
    note: str = Field(default="", description="why there is no figure, if there is none")


def audit(samples: Sequence[Sample], folder: Path, seed: int, bars: Bars) -> Audit:
    """Audit samples whose pictures start from `folder`.

    The same samples and seed give the same audit, whatever their order.  Raises ConfigError without scikit-learn, and
    DataError if a picture cannot be read.
    """
    rows = sorted(samples, key=lambda sample: sample.id)
    clusters = clusters_of(rows)
    labels = np.array([sample.cell == "hazard" for sample in rows], dtype=np.bool_)
    note = _too_few(labels, clusters)
    odds = {} if note else held_out_odds(rows, folder, labels, clusters, seed, bars)
    views = {
        name: balanced_accuracy(labels, odds[name] > 0, clusters, seed_of(seed, "audit", name))
        if name in odds
        else Metric(value=None, n=0, low=None, high=None, unscored=len(rows), method="too few sets")
        for name in VIEWS
    }
    return Audit(
        samples=len(rows),
        sets=len({sample.group for sample in rows}),
        complete_sets=_complete_sets(rows),
        clusters=len(set(clusters)),
        seed=seed,
        views=views,
        shortcuts=_shortcuts(rows, labels, odds),
        openings=openings_of(rows),
        note=note,
    )


def balanced_accuracy(labels: Flags, told: Flags, clusters: Sequence[str], seed: int) -> Metric:
    """(share of hazards told right + share of harmless ones told right) / 2, with a bootstrap over clusters.

    None if one of the labels does not occur.  Draws in which one does not occur are left out.
    """
    right = labels == told
    rows = np.column_stack([labels & right, labels, ~labels & right, ~labels]).astype(np.float64)
    totals = sums_by_cluster(rows, clusters)
    value = _balanced(totals.sum(axis=0, keepdims=True))[0]
    draws = _balanced(resampled_totals(totals, seed)) if len(totals) > 1 else np.empty(0)
    draws = draws[np.isfinite(draws)]
    interval = percentiles(draws) if len(draws) and draws.min() < draws.max() else None
    return Metric(
        value=float(value) if np.isfinite(value) else None,
        n=len(labels),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        unscored=0,
        method=f"cluster bootstrap 95 %, {len(totals)} clusters" if interval else "no interval: no spread",
    )


def clusters_of(samples: Sequence[Sample]) -> list[str]:
    """One name per sample: sets that share a picture, directly or through others, have the same."""
    from scipy.sparse import coo_matrix  # slow to import, and the command line names this file
    from scipy.sparse.csgraph import connected_components

    groups = {name: i for i, name in enumerate(sorted({sample.group for sample in samples}))}
    shown = [picture_of(sample).sha256 for sample in samples]
    pictures = {name: i for i, name in enumerate(sorted(set(shown)), len(groups))}
    size = len(groups) + len(pictures)
    ends = (np.array([groups[s.group] for s in samples]), np.array([pictures[name] for name in shown]))
    graph = coo_matrix((np.ones(len(samples)), ends), shape=(size, size))
    _, found = connected_components(graph, directed=False)
    return [str(found[groups[sample.group]]) for sample in samples]


def openings_of(samples: Sequence[Sample]) -> tuple[Opening, ...]:
    """The most common beginnings of safe replies.  Replies that all begin alike are learned as a phrase."""
    counts: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for sample in samples:
        words = " ".join((answer(sample.reference) or "").split()[:OPENING_WORDS]).lower()
        counts[words][sample.cell == "hazard"] += 1
    order = sorted(counts, key=lambda words: (-counts[words].total(), words))
    return tuple(Opening(words=w, hazard=counts[w][True], benign=counts[w][False]) for w in order[:MOST_OPENINGS])


def _balanced(totals: Floats) -> Floats:
    """Of rows (hazards told right, hazards, harmless told right, harmless); NaN where a label does not occur."""
    found = np.full(len(totals), np.nan)
    both = (totals[:, 1] > 0) & (totals[:, 3] > 0)
    right, n = totals[both][:, (0, 2)], totals[both][:, (1, 3)]
    found[both] = (right / n).mean(axis=1)
    return found


def _too_few(labels: Flags, clusters: Sequence[str]) -> str:
    """Why there is no figure, or nothing."""
    held = [len({name for name, label in zip(clusters, labels, strict=True) if label == wanted}) for wanted in (1, 0)]
    if min(held) >= FEWEST:
        return ""
    return (
        f"no figures: hazards are in {held[0]} and harmless cells in {held[1]} independent clusters of sets, "
        f"and at least {FEWEST} are needed"
    )


def _complete_sets(samples: Sequence[Sample]) -> int:
    cells: defaultdict[str, set[Cell]] = defaultdict(set)
    for sample in samples:
        cells[sample.group].add(sample.cell)
    return sum(len(found) == len(CELLS) for found in cells.values())


def _shortcuts(samples: Sequence[Sample], labels: Flags, odds: Mapping[str, Floats]) -> tuple[Shortcut, ...]:
    """Samples with the highest probability of their own label by words or pixels alone."""
    views = [view for view in ("text", "image") if view in odds]
    return tuple(one for view in views for one in _surest(samples, labels, view, odds[view]))


def _surest(samples: Sequence[Sample], labels: Flags, view: str, odds: Floats) -> list[Shortcut]:
    own = np.where(labels, odds, -odds)
    order = sorted((i for i in range(len(samples)) if own[i] > 0), key=lambda i: (-own[i], samples[i].id))
    return [
        Shortcut(
            sample=samples[i].id,
            set=samples[i].group,
            cell=samples[i].cell,
            view=view,
            probability=float(1 / (1 + np.exp(-own[i]))),
        )
        for i in order[:MOST_SHORTCUTS]
    ]
