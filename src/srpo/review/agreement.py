"""How far reviewers agree beyond chance: kappa of each two, alpha of all, with intervals over whole minimal sets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final, Literal, NamedTuple

from pydantic import Field

from srpo.data.settle import current_reviews
from srpo.review.forms import SCORES
from srpo.review.store import Store
from srpo.stats import Category, Interval, cohens_kappa, krippendorff_alpha
from srpo.types import Record
from srpo.types.data import Review

Measure = Literal["keep or drop", "keep, drop or edit", "safety", "difficulty", "informativeness", "first wrong step"]

_RESAMPLES: Final = 500
"""Draws of an interval of alpha, which takes a while per draw."""


class Agreement(Record):
    """One figure."""

    measure: Measure
    statistic: Literal["Cohen's kappa", "Krippendorff's alpha"]
    reviewers: tuple[str, ...]
    value: float | None = Field(description="1 = always alike, 0 = as by chance; none if it cannot be told")
    low: float | None = Field(description="lower end of the 95 % interval, drawn over minimal sets")
    high: float | None
    n: int = Field(ge=0, description="items that at least two of them decided")
    alike: int = Field(ge=0, description="of these, items on which all of them say the same")


class AgreementTable(Record):
    """All figures of a folder."""

    figures: tuple[Agreement, ...]
    reviewers: dict[str, int] = Field(description="reviewer -> items that they have decided")
    blind: int = Field(ge=0, description="votes that count here and were given blind")
    votes: int = Field(ge=0, description="votes that count here")


class _Votes(NamedTuple):
    """Votes of reviewers that count: item -> reviewer -> vote, and item -> its set."""

    by_item: dict[str, dict[str, Review]]
    groups: dict[str, str]


def agreement(reviews: Sequence[Review], groups: dict[str, str], seed: int = 0) -> AgreementTable:
    """Figures from the reviewers' votes; adjudicators do not count, who have seen the votes.

    `groups` gives the minimal set of each sample and decides which samples count.  With two reviewers there is one
    kappa per measure, with more also alpha over all of them.
    """
    votes = _collect(reviews, groups)
    each = [vote for of_item in votes.by_item.values() for vote in of_item.values()]
    names = sorted({vote.reviewer for vote in each})
    figures = [_kappa(votes, measure, pair, seed) for measure in _MEASURES for pair in combinations(names, 2)]
    if len(names) > 2:
        figures = [_alpha(votes, measure, names, seed) for measure in _MEASURES] + figures
    return AgreementTable(
        figures=tuple(figure for figure in figures if figure.n),
        reviewers={name: sum(vote.reviewer == name for vote in each) for name in names},
        blind=sum(vote.blind for vote in each),
        votes=len(each),
    )


_MEASURES: Final[tuple[Measure, ...]] = (
    "keep or drop",
    "keep, drop or edit",
    "safety",
    "difficulty",
    "informativeness",
    "first wrong step",
)


def agreement_of(store: Store, seed: int = 0) -> AgreementTable:
    """As `agreement`, of the votes on the words as they are now."""
    items = {row["id"]: row for row in store.query("SELECT id, grp, sha256 FROM items WHERE present")}
    known = [one for one in store.reviews() if one.sample in items]
    reviews = [one for one in known if one.sample_sha256 == items[one.sample]["sha256"]]
    return agreement(reviews, {sample: row["grp"] for sample, row in items.items()}, seed)


def _collect(reviews: Sequence[Review], groups: dict[str, str]) -> _Votes:
    by_sample: dict[str, list[Review]] = {}
    for review in reviews:
        if review.sample in groups and review.role == "reviewer":
            by_sample.setdefault(review.sample, []).append(review)
    return _Votes({sample: _votes(by_sample[sample]) for sample in sorted(by_sample)}, groups)


def _votes(reviews: Sequence[Review]) -> dict[str, Review]:
    """Reviewer -> vote: the last blind one if there is any, for what is changed after a look at the others agrees."""
    now = {one.reviewer: one for one in current_reviews(reviews)}
    blind = {one.reviewer: one for one in current_reviews(one for one in reviews if one.blind)}
    return now | blind


def _kappa(votes: _Votes, measure: Measure, pair: tuple[str, str], seed: int) -> Agreement:
    first, second = pair
    both = [
        (item, _label(of[first], measure), _label(of[second], measure))
        for item, of in votes.by_item.items()
        if first in of and second in of
    ]
    rows = [(item, a, b) for item, a, b in both if a is not None and b is not None]
    labels = [a for _, a, _ in rows], [b for _, _, b in rows]
    found = cohens_kappa(*labels, [votes.groups[item] for item, _, _ in rows], seed)
    alike = sum(a == b for _, a, b in rows)
    return _figure(measure, "Cohen's kappa", pair, (found.value, found.interval), (len(rows), alike))


def _alpha(votes: _Votes, measure: Measure, names: Sequence[str], seed: int) -> Agreement:
    items = list(votes.by_item)
    ratings = [[_label_of(votes.by_item[item].get(name), measure) for item in items] for name in names]
    level: Literal["ordinal", "nominal"] = "ordinal" if measure in SCORES else "nominal"
    found = krippendorff_alpha(ratings, level, [votes.groups[item] for item in items], seed, _RESAMPLES)
    units = [[label for label in unit if label is not None] for unit in zip(*ratings, strict=True)]
    shared = [unit for unit in units if len(unit) > 1]
    counts = len(shared), sum(len(set(unit)) == 1 for unit in shared)
    return _figure(measure, "Krippendorff's alpha", tuple(names), (found.value, found.interval), counts)


def _figure(
    measure: Measure,
    statistic: Literal["Cohen's kappa", "Krippendorff's alpha"],
    names: tuple[str, ...],
    found: tuple[float | None, Interval | None],
    counts: tuple[int, int],
) -> Agreement:
    value, interval = found
    low, high = interval if interval else (None, None)
    n, alike = counts
    return Agreement(
        measure=measure, statistic=statistic, reviewers=names, value=value, low=low, high=high, n=n, alike=alike
    )


def _label_of(vote: Review | None, measure: Measure) -> Category | None:
    return None if vote is None else _label(vote, measure)


def _label(vote: Review, measure: Measure) -> Category | None:
    """What a vote says in one measure; none if it says nothing."""
    if measure == "keep or drop":
        return "drop" if vote.decision == "drop" else "keep"
    if measure == "keep, drop or edit":
        return vote.decision
    if measure == "first wrong step":
        return vote.first_wrong_step
    score: int | None = getattr(vote, measure)
    return score
