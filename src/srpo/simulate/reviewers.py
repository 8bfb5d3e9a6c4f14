"""People who decide by the truth and err at stated rates; what they decide goes through the store of reviews.

Each looks at what is assigned to them without seeing the others, and somebody else settles what they disagree about.
The store keeps every decision as it is made, so a simulation that is killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import Field

from srpo.config import Settings
from srpo.records import content_id
from srpo.review.plan import Plan
from srpo.review.shown import Shown
from srpo.review.store import Role, Store, draft_review
from srpo.simulate.errors import Draw
from srpo.simulate.truth import Scenes, judge_sample, mending, spoiled
from srpo.types import Decision, Edit, Review, Sample

ADJUDICATOR: Final = "adjudicator"
SOURCE: Final = "srpo world review"


class SimulatedReviewers(Settings):
    """How many people there are and how often they err; rates are probabilities of one decision."""

    reviewers: int = Field(default=2, ge=1, le=10, description="people; every sample is decided by all of them")
    errors: float = Field(
        default=0.05, ge=0, le=1, description="of decisions; what is right is dropped, what is wrong kept"
    )
    edits: float = Field(default=0.5, ge=0, le=1, description="of wrong samples that can be mended, those that are")
    edit_errors: float = Field(default=0.1, ge=0, le=1, description="of edits that leave the sample wrong")
    seed: int = Field(default=0, ge=0, description="of the errors")


class Reviewed(NamedTuple):
    """What the simulation came to: decisions made now, and those among them that settle a disagreement."""

    decisions: int
    settled: int


class _Choice(NamedTuple):
    decision: Decision
    edit: Edit | None = None


def review_run(run: Path, pool: Path, settings: SimulatedReviewers) -> Reviewed:
    """Decide what is undecided and write `reviews.jsonl`.

    Raises DataError if the folder has no samples, or a picture is not of the pool.
    """
    scenes = Scenes(pool, run)
    names = tuple(f"simulated-{number + 1}" for number in range(settings.reviewers))
    plan = Plan(reviewers=names, per_item=settings.reviewers, seed=settings.seed)
    with Store.open(run, plan) as store:
        decisions = sum(1 for name in names for _ in _decide_all(store, name, "reviewer", scenes, settings))
        settled = sum(1 for _ in _decide_all(store, ADJUDICATOR, "adjudicator", scenes, settings))
        store.export(run)
    return Reviewed(decisions + settled, settled)


def _decide_all(store: Store, name: str, role: Role, scenes: Scenes, settings: SimulatedReviewers) -> Iterator[Review]:
    while (item := store.next_item(name, role)) is not None:
        choice = choose(item.sample, name, scenes, settings)
        review = draft_review(
            item,
            name,
            choice.decision,
            role=role,
            edit=choice.edit,
            blind=role == "reviewer",
            id=_id(item, name, role),
            source=SOURCE,
        )
        store.decide(review, item.version)
        yield review


def choose(sample: Sample, name: str, scenes: Scenes, settings: SimulatedReviewers) -> _Choice:
    """What one person decides of a sample: always the same, whatever came before."""
    draw = Draw("review", settings.seed, name, sample.id)
    scene = scenes.of(sample.image)
    right = judge_sample(sample, scene).right
    if draw.happens("error", settings.errors):
        return _Choice("drop" if right else "keep")
    if right:
        return _Choice("keep")
    edit = mending(sample, scene)
    # Whether a sample is worth mending is seen alike by all, or two edits would seldom meet.
    if edit is None or not Draw("mend", settings.seed, sample.id).happens("mend", settings.edits):
        return _Choice("drop")
    return _Choice("edit", spoiled(edit) if draw.happens("edit error", settings.edit_errors) else edit)


def _id(item: Shown, name: str, role: Role) -> str:
    return content_id("review", item.sha256, name, role)
