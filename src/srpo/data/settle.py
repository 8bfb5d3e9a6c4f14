"""What people decided, settled: which samples stay, which go, and which nobody has decided yet.

Pure functions of records.  The rules, in this order, per sample:

1. A review of other words (`sample_sha256` differs) or of an unknown sample is not used, and is reported.
2. Of one person in one role the last review counts; withdrawn ones do not.
3. The decision of an adjudicator wins, if they have not voted on the sample themselves; else it is not used either.
4. Otherwise all reviewers must agree: `keep` and `edit` both keep, and all edits must be the same.  Anything else is a
   disagreement, which leaves the sample undecided, as do fewer reviewers than were planned.
5. A set of which one cell is dropped is dropped whole.
6. So is a set of which two cells shared a request, and no longer do: what tells them apart must be the picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from srpo.data.parse import text_problem
from srpo.errors import DataError
from srpo.records import content_id, dump_row
from srpo.steps import SEGMENT_NAMES, body, join, well_formed
from srpo.types import CATEGORIES, ReasoningPath, Sample
from srpo.types.data import Edit, Review

Outcome = Literal["open", "keep", "drop", "disagreement"]
"""Of one sample: `open` = it has fewer votes than were planned."""

MAX_WORDS: Final = 20_000
"""Characters of one edited step or request; longer ones are a mistake."""


class Ruling(NamedTuple):
    """What the reviews of one sample come to."""

    outcome: Outcome
    edit: Edit | None = None
    adjudicated: bool = False


class Unused(NamedTuple):
    """A review that says nothing of the samples at hand."""

    review: Review
    reason: Literal["unknown", "changed", "own_vote"]
    """`unknown` = no sample has this id; `changed` = the sample has other words now; `own_vote` = an adjudicator's on a
    sample on which they have voted."""


@dataclass(frozen=True)
class Settled:
    """All samples, sorted by what people decided.  A sample is in exactly one of `kept`, `dropped` and `undecided`."""

    kept: tuple[Sample, ...]
    """With all edits, in the order of the file."""
    dropped: dict[str, str]
    """Sample id -> `review`, `adjudicator`, `set` where another cell of its set was dropped, or `edit_split` where the
    request was edited in one of the cells that share it."""
    undecided: tuple[str, ...]
    """Ids of samples that lack votes, or about which reviewers disagree."""
    disagreements: tuple[str, ...]
    """Ids among `undecided` that need an adjudicator."""
    edited: dict[str, str]
    """Id of a kept sample before its edit -> its id now."""
    split: tuple[str, ...]
    """Sets that went as `edit_split`: the same edit is needed in both cells."""
    unused: tuple[Unused, ...]


def sample_sha256(sample: Sample) -> str:
    """SHA-256 in hex of the row as it is written to `samples.jsonl`, without its split: what a reviewer decides about.

    One more picture may move sets between splits, which changes no word of them.
    """
    return hashlib.sha256(dump_row(sample.model_copy(update={"split": ""})).encode()).hexdigest()


def settle(samples: Sequence[Sample], reviews: Iterable[Review]) -> Settled:
    """Apply the rules above.  Reviews are in the order in which they were made.

    Raises DataError if an edit does not fit its sample.
    """
    hashes = {sample.id: sample_sha256(sample) for sample in samples}
    used: dict[str, list[Review]] = {}
    unused: list[Unused] = []
    for review in reviews:
        known = hashes.get(review.sample)
        if known == review.sample_sha256:
            used.setdefault(review.sample, []).append(review)
        else:
            unused.append(Unused(review, "unknown" if known is None else "changed"))
    for given in used.values():
        unused += [Unused(review, "own_vote") for review in _own_votes(current_reviews(given))]
    rulings = {sample.id: rule(used.get(sample.id, ())) for sample in samples}
    lost = {sample.group for sample in samples if rulings[sample.id].outcome == "drop"}
    kept = [(s, rulings[s.id].edit) for s in samples if rulings[s.id].outcome == "keep" and s.group not in lost]
    done = [(sample, sample if edit is None else apply_edit(sample, edit)) for sample, edit in kept]
    split = split_sets(done)
    done = [(old, now) for old, now in done if old.group not in split]
    open_ = [s for s in samples if rulings[s.id].outcome in ("open", "disagreement") and s.group not in lost | split]
    return Settled(
        kept=tuple(now for _, now in done),
        dropped={s.id: _reason(rulings[s.id], s.group in split) for s in samples if s.group in lost | split},
        undecided=tuple(s.id for s in open_),
        disagreements=tuple(s.id for s in open_ if rulings[s.id].outcome == "disagreement"),
        edited={old.id: now.id for old, now in done if now is not old},
        split=tuple(dict.fromkeys(s.group for s in samples if s.group in split)),
        unused=tuple(unused),
    )


def split_sets(edits: Iterable[tuple[Sample, Sample]]) -> set[str]:
    """Sets of which two cells had one request and have two now; each sample comes with what it is after edits."""
    now: dict[tuple[str, str], set[str]] = {}
    for old, new in edits:
        now.setdefault((old.group, old.question.strip()), set()).add(new.question.strip())
    return {group for (group, _), requests in now.items() if len(requests) > 1}


def rule(reviews: Iterable[Review]) -> Ruling:
    """What the reviews of one sample come to; all are of its present words, in the order in which they were made."""
    current = current_reviews(reviews)
    votes = [review for review in current if review.role == "reviewer"]
    own = _own_votes(current)
    adjudicators = [review for review in current if review.role == "adjudicator" and review not in own]
    if adjudicators:
        last = adjudicators[-1]
        return Ruling("drop" if last.decision == "drop" else "keep", last.edit, adjudicated=True)
    drops = [review.decision == "drop" for review in votes]
    edits = [review.edit for review in votes if review.edit is not None]
    if (any(drops) and not all(drops)) or any(edit != edits[0] for edit in edits):
        return Ruling("disagreement")
    if not votes or len(votes) < max(review.planned for review in votes):
        return Ruling("open")
    return Ruling("drop") if any(drops) else Ruling("keep", edits[0] if edits else None)


def _own_votes(current: Sequence[Review]) -> list[Review]:
    """Decisions as adjudicator of people who have voted themselves: nobody settles their own disagreement."""
    voters = {review.reviewer for review in current if review.role == "reviewer"}
    return [review for review in current if review.role == "adjudicator" and review.reviewer in voters]


def current_reviews(reviews: Iterable[Review]) -> list[Review]:
    """The last review of each person in each role that was not withdrawn, in the order in which they were made."""
    last: dict[tuple[str, str], Review] = {}
    for review in reviews:
        if not review.withdrawn:
            last.pop((review.reviewer, review.role), None)  # so that the order is that of the last ones
            last[review.reviewer, review.role] = review
    return list(last.values())


def apply_edit(sample: Sample, edit: Edit) -> Sample:
    """The sample with a reviewer's words, under a new id, with the old one among its parents.

    Paraphrases of an edited request are left out: they may say something else.  Raises DataError if the edit names
    an unknown step or category, changes nothing, or would not leave six steps and a reply.
    """
    if problem := edit_problem(sample, edit):
        raise DataError(f"sample {sample.id!r}: the edit {problem}")
    provenance = sample.provenance
    parents = (*(parent for parent in provenance.parents if parent != sample.id), sample.id)
    changes: dict[str, object] = {
        "id": content_id("edit", sample.id, edit.model_dump(mode="json")),
        "provenance": provenance.model_copy(update={"parents": parents}),
        "reference": _edited_path(sample.reference, edit),
    }
    if edit.question is not None:
        changes |= {"question": edit.question.strip(), "paraphrases": ()}
    if edit.category is not None:
        changes["category"] = edit.category
    return sample.model_copy(update=changes)


def edit_problem(sample: Sample, edit: Edit) -> str | None:
    """Why an edit cannot be applied, in words that follow `the edit`; none if it can."""
    written = [*edit.steps.values(), *([] if edit.question is None else [edit.question])]
    if unknown := [name for name in edit.steps if name not in SEGMENT_NAMES]:
        return f"names the step {unknown[0]!r}; choose from {', '.join(SEGMENT_NAMES)}"
    if any(not words.strip() for words in written):
        return "leaves a request or a step empty; write some words, or drop the sample"
    if any(len(words) > MAX_WORDS for words in written):
        return f"has a step or request of more than {MAX_WORDS:,} characters; shorten it"
    if foreign := next(filter(None, map(text_problem, written)), None):
        return f"has a request or step that {foreign}; take it out"
    if edit.category is not None and (problem := _category_problem(sample, edit.category)):
        return problem
    try:
        path = _edited_path(sample.reference, edit)
    except ValueError as error:
        return f"would break the six steps: {error}; write no line that begins like a marker"
    if edit.steps and not well_formed(path):
        return "leaves a path that is not six steps and a reply; fill in the missing ones, or drop the sample"
    same = (edit.question or sample.question).strip() == sample.question.strip()
    if same and path.text == sample.reference.text and edit.category in (None, sample.category):
        return "changes nothing; decide `keep` instead"
    return None


def _category_problem(sample: Sample, category: str) -> str | None:
    if category not in CATEGORIES:
        return f"names the category {category!r}; choose from {', '.join(CATEGORIES)}"
    return None if sample.cell == "hazard" else f"gives the cell {sample.cell} a category; only `hazard` has one"


def _edited_path(path: ReasoningPath, edit: Edit) -> ReasoningPath:
    """Untouched paths keep every character; touched ones are rendered anew.  Raises ValueError as `steps.join`."""
    if not edit.steps:
        return path
    bodies = {step.name: body(step) for step in path.steps}
    return join([edit.steps.get(name, bodies.get(name, "")).strip() for name in SEGMENT_NAMES])


def _reason(ruling: Ruling, split: bool) -> str:
    if split:
        return "edit_split"
    if ruling.outcome != "drop":
        return "set"
    return "adjudicator" if ruling.adjudicated else "review"
