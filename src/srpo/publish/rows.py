"""One published row: a sample with its checks, reviews and where it comes from, typed from top to bottom.

The columns of the Parquet files and the keys of the JSON lines are the fields of `Row`; the pixels alone are apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final, Literal

from pydantic import Field

from srpo.pictures import picture_of
from srpo.publish.material import Material
from srpo.steps import STEP_NAMES, answer, body
from srpo.types import CONDENSED, Cell, Check, Draft, Record, Review, Sample, Source

VERSION: Final = "ssui/1"
"""Of the columns; it changes when one of them does."""

Tier = Literal["full", "open"]
"""`open` leaves out what would help to cause the harm that a sample is about."""

GATED: Final = ("hypothesis", "unsafe_reply")
"""Columns that the open tier does not have."""


class Steps(Record):
    """The six steps, without their markers."""

    visual: str
    request: str
    synthesis: str
    intent_risk: str
    consequences: str
    strategy: str


class PublishedVote(Record):
    """What one judge said."""

    judge: str
    ok: bool | None = Field(description="none = could not judge")
    score: float | None
    reason: str = Field(description="empty in the open tier")


class PublishedCheck(Record):
    """What the judges made of one sample."""

    name: str
    of: str = Field(description="`safe_reply` or `unsafe_reply` if one of them was judged, else empty")
    state: str = Field(description="`ok`, `fail` or `missing`")
    score: float | None
    threshold: float | None
    shown: str = Field(description="what was judged, if no column holds it; empty in the open tier")
    votes: tuple[PublishedVote, ...]


class PublishedReview(Record):
    """What one person decided.  Names, times and notes of people are not published."""

    reviewer: str = Field(description="a number in place of a name, the same in all rows")
    role: str
    decision: str
    safety: int | None
    difficulty: int | None
    informativeness: int | None
    first_wrong_step: str | None
    blind: bool


class PublishedPicture(Record):
    """Where the picture comes from."""

    source: str = Field(description="id: start of the SHA-256 of the file as it was given")
    file: str = Field(description="name of that file")
    licence: str
    attribution: str
    url: str | None
    phash: str = Field(description="perceptual hash, 64 bits in hex")
    changes: tuple[str, ...]


class Call(Record):
    """A call that made a text of the sample."""

    role: str
    model: str
    prompt_sha256: str
    seed: int
    temperature: float
    repaired: bool


class Row(Record):
    """One sample as it is published."""

    schema_version: str = Field(default=VERSION, description="of these columns")
    id: str
    set: str = Field(description="minimal set: four samples that differ in picture, request or both")
    cell: Cell
    split: str
    image_sha256: str = Field(description="of the bytes of the picture")
    image_path: str = Field(description="in the published folder")
    question: str
    category: str | None = Field(description="of the risk; none in benign cells")
    hypothesis: str | None = Field(description="the unsafe event; none in benign cells; not in the open tier")
    safe_reply: str
    unsafe_reply: str | None = Field(description="overlooks the risk; none in benign cells; not in the open tier")
    steps: Steps
    target: str = Field(description="steps and reply as a model should write them, with markers")
    rule: str | None
    level: int | None
    caption: str | None
    paraphrases: tuple[str, ...]
    licence: str = Field(description="of the sample")
    producer: str
    edited: bool = Field(description="by a person, after the checks")
    rewritten: int = Field(description="times that reflection had the path rewritten")
    checks: tuple[PublishedCheck, ...]
    reviews: tuple[PublishedReview, ...]
    picture: PublishedPicture
    calls: tuple[Call, ...]


def build_rows(material: Material, images: Mapping[str, str], tier: Tier) -> list[Row]:
    """All rows, in the order of the samples.  `images` maps a picture's hash to its path in the published folder."""
    people = pseudonyms(material.history)
    reviews: dict[str, list[Review]] = {}
    for review in material.reviews:
        reviews.setdefault(review.sample, []).append(review)
    found = []
    for sample in material.samples:
        mine = sorted(
            reviews.get(material.reviewed_as[sample.id], []), key=lambda one: (one.role, people[one.reviewer])
        )
        row = _row(material, sample, [_review(one, people) for one in mine], tier)
        found.append(row.model_copy(update={"image_path": images[picture_of(sample).sha256]}))
    return found


def pseudonyms(reviews: Iterable[Review]) -> dict[str, str]:
    """`reviewer-1` and so on by the least id of the reviewer's decisions, so that numbers do not follow the names."""
    least: dict[str, str] = {}
    for review in reviews:
        least[review.reviewer] = min(least.get(review.reviewer, review.id), review.id)
    return {name: f"reviewer-{i}" for i, name in enumerate(sorted(least, key=lambda name: (least[name], name)), 1)}


def columns(tier: Tier) -> tuple[str, ...]:
    """Names of the columns beside the picture, in order."""
    return tuple(name for name in Row.model_fields if tier == "full" or name not in GATED)


def as_mapping(row: Row, tier: Tier) -> dict[str, object]:
    """The row as it is written, in JSON's types."""
    whole = row.model_dump(mode="json")
    return {name: whole[name] for name in columns(tier)}


def _row(material: Material, sample: Sample, reviews: Sequence[PublishedReview], tier: Tier) -> Row:
    draft = material.draft_of(sample)
    bodies = {step.name: body(step) for step in sample.reference.steps}
    return Row(
        id=sample.id,
        set=sample.group,
        cell=sample.cell,
        split=sample.split,
        image_sha256=picture_of(sample).sha256,
        image_path="",
        question=sample.question,
        category=sample.category,
        hypothesis=sample.hypothesis,
        safe_reply=answer(sample.reference) or "",
        unsafe_reply=sample.unsafe_reply,
        steps=Steps(**{name: bodies.get(name, "") for name in STEP_NAMES}),
        target=sample.reference.text,
        rule=sample.rule,
        level=sample.level,
        caption=sample.caption,
        paraphrases=sample.paraphrases,
        licence=sample.licence,
        producer=sample.provenance.producer,
        edited=sample.id in material.edited,
        rewritten=sum(version.reason != CONDENSED for version in draft.versions),
        checks=tuple(_check(check, draft, tier) for check in draft.checks),
        reviews=tuple(reviews),
        picture=_picture(material.source_of(draft)),
        calls=_calls(draft),
    )


def _check(check: Check, draft: Draft, tier: Tier) -> PublishedCheck:
    """Reasons and what was judged put the danger into words too, and go the way of the gated columns."""
    replies = {draft.safe_reply: "safe_reply", draft.unsafe_reply: "unsafe_reply"}
    of = replies.get(check.shown, "") if check.name == "joint" else ""
    full = tier == "full"
    votes = tuple(
        PublishedVote(judge=vote.judge, ok=vote.ok, score=vote.score, reason=vote.reason if full else "")
        for vote in check.votes
    )
    return PublishedCheck(
        name=check.name,
        of=of,
        state=check.state,
        score=check.score,
        threshold=check.threshold,
        shown=check.shown if full and not of else "",
        votes=votes,
    )


def _review(review: Review, people: Mapping[str, str]) -> PublishedReview:
    return PublishedReview(
        reviewer=people[review.reviewer],
        role=review.role,
        decision=review.decision,
        safety=review.safety,
        difficulty=review.difficulty,
        informativeness=review.informativeness,
        first_wrong_step=review.first_wrong_step,
        blind=review.blind,
    )


def _picture(source: Source) -> PublishedPicture:
    return PublishedPicture(
        source=source.id,
        file=PurePosixPath(source.original).name,
        licence=source.licence,
        attribution=source.attribution,
        url=source.url,
        phash=source.phash,
        changes=source.changes,
    )


def _calls(draft: Draft) -> tuple[Call, ...]:
    kept = ("role", "model", "prompt_sha256", "seed", "temperature", "repaired")
    return tuple(Call(**made.model_dump(include=set(kept))) for made in draft.made)
