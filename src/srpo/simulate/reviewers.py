"""People who decide by the truth and err at stated rates; what they decide goes through the store of reviews.

Each looks at what is assigned to them without seeing the others, and somebody else settles what they disagree about.
A simulation that is killed goes on where the store of reviews was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import Field

from srpo.config import Settings
from srpo.data.folder import DatasetFolder
from srpo.data.settle import sample_sha256
from srpo.pictures import picture_of
from srpo.records import content_id, read_records
from srpo.review.exchange import export_file
from srpo.review.plan import Plan
from srpo.review.store import Store, now
from srpo.review.todo import Role
from srpo.simulate.errors import Draw
from srpo.simulate.truth import Scenes, judge_sample, mending, spoiled
from srpo.types import Decision, Edit, Review, Sample

ADJUDICATOR: Final = "adjudicator"
SOURCE: Final = "srpo world review"

_TOGETHER: Final = 100
"""Reviews of one transaction."""


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
    scenes, folder = Scenes(pool, run), DatasetFolder(run)
    names = tuple(f"simulated-{number + 1}" for number in range(settings.reviewers))
    with Store.open(run, Plan(reviewers=names, per_item=settings.reviewers, seed=settings.seed)) as store:
        samples = read_records(folder.samples, Sample)
        made = {review.id for review in store.reviews()}
        decisions = _add(
            store, made, (_review(s, name, "reviewer", scenes, settings) for s in samples for name in names)
        )
        disputed = [item.sample for item in store.disagreements()]
        settled = _add(store, made, (_review(s, ADJUDICATOR, "adjudicator", scenes, settings) for s in disputed))
        export_file(store, "jsonl", folder.reviews)
    return Reviewed(decisions + settled, settled)


def _add(store: Store, made: Collection[str], reviews: Iterable[Review]) -> int:
    """Keep new reviews, so many at a time that the disk does not wait for each; returns how many."""
    new = (review for review in reviews if review.id not in made)
    count = 0
    while some := list(islice(new, _TOGETHER)):
        count += store.add(some)
    return count


def _review(sample: Sample, name: str, role: Role, scenes: Scenes, settings: SimulatedReviewers) -> Review:
    choice, shown = choose(sample, name, scenes, settings), sample_sha256(sample)
    return Review(
        id=content_id("review", shown, name, role),
        sample=sample.id,
        sample_sha256=shown,
        reviewer=name,
        role=role,
        decision=choice.decision,
        edit=choice.edit,
        blind=role == "reviewer",
        time=now(),
        source=SOURCE,
    )


def choose(sample: Sample, name: str, scenes: Scenes, settings: SimulatedReviewers) -> _Choice:
    """What one person decides of a sample: always the same, whatever came before."""
    draw = Draw("review", settings.seed, name, sample.id)
    scene = scenes.of(picture_of(sample))
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
