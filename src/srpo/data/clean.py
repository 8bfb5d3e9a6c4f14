"""The last stage: what may not be published goes, and the rest is split.

A set is dropped if it lacks something, comes near to a public benchmark, repeats another set, is too many of its
category, or would join two splits.  Order decides nothing: of two sets that repeat each other, one that is in a
split already stays, and else a hash of their ids says which one does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from srpo.data.config import BuildConfig, CleanSettings
from srpo.data.leakage import Corpus, Leak, describe, find_leaks
from srpo.data.licences import strictest
from srpo.data.near import Shingles, bits_between, image_clusters, pack_hashes, shingles, similarity, within, words
from srpo.data.quotas import choose_sets
from srpo.data.splits import Member, Splits, assign_splits, find_bridges, wanted_sizes
from srpo.errors import DataError
from srpo.records import content_id
from srpo.steps import split as split_steps
from srpo.steps import well_formed
from srpo.types import CATEGORIES, CELLS, Cell, Provenance, Sample
from srpo.types.data import Draft, DraftSet, Rejection, Source

_LEAKS_NAMED: Final = 5


@dataclass(frozen=True)
class Cleaned:
    """What is left, and what was dropped, both sorted by the ids of the sets."""

    kept: tuple[tuple[DraftSet, str], ...]
    """Sets, each with its split."""
    rejections: tuple[Rejection, ...]
    notes: tuple[str, ...]
    """What the user should know of the splits, in sentences."""


def clean_sets(
    sets: Sequence[DraftSet],
    sources: Sequence[Source],
    corpus: Corpus,
    config: BuildConfig,
    earlier: Mapping[str, str] | None = None,
) -> Cleaned:
    """Drop what may not be published, and split the rest; the same for any order of `sets` and `sources`.

    `earlier` maps ids of sets to the splits that they are in.  They keep them, and go before new ones.

    Raises DataError if an id is given twice, or a set uses a picture that is in no source.
    """
    known, earlier = _known(sets, sources), earlier or {}
    left = {one.id: one for one in sorted(sets, key=lambda one: one.id)}
    steps: tuple[Callable[[], Mapping[str, tuple[str, str]]], ...] = (
        lambda: {id: ("incomplete", problem) for id, one in left.items() if (problem := find_defect(one))},
        lambda: {id: ("leakage", words) for id, words in _leaking(left, known, corpus, config.clean).items()},
        lambda: _surplus(left, known, config, earlier),
        lambda: {id: ("straddling", words) for id, words in _straddling(left, known, config, earlier).items()},
    )
    rejections = []
    for find in steps:
        for id, (reason, detail) in find().items():
            rejections.append(Rejection(id=id, stage="clean", reason=reason, detail=detail, of=left.pop(id)))
    splits = assign_splits(_members(left, known, config.clean.image_bits), config.splits, config.seed, earlier)
    return Cleaned(
        kept=tuple((one, splits.of[id]) for id, one in left.items()),
        rejections=tuple(sorted(rejections, key=lambda row: row.id)),
        notes=_notes(splits, config.splits, config.seed, sum(row.reason == "straddling" for row in rejections)),
    )


def _known(sets: Sequence[DraftSet], sources: Sequence[Source]) -> dict[str, Source]:
    """Sources by id.  Raises DataError."""
    known = {source.id: source for source in sources}
    for id, count in Counter(one.id for one in sets).items():
        if count > 1:
            raise DataError(f"set {id} is given {count} times; delete all rows but one, or build the dataset anew")
    for one in sets:
        for cell, draft in one.cells.items():
            if draft.source not in known:
                problem = f"uses picture {draft.source}, which is in no row of sources.jsonl"
                raise DataError(f"set {one.id}, cell {cell}: {problem}; restore that file, or build the dataset anew")
    return known


def find_defect(draft_set: DraftSet) -> str | None:
    """What a set lacks to be published, or none."""
    missing = [cell for cell in CELLS if cell not in draft_set.cells]
    if missing:
        return f"cell {missing[0]} is missing"
    problems = ((cell, _defect_of(cell, draft_set.cells[cell])) for cell in CELLS)
    return next((f"cell {cell}: {problem}" for cell, problem in problems if problem), None)


def _defect_of(cell: Cell, draft: Draft) -> str | None:
    if draft.cell != cell:
        return f"holds a draft of cell {draft.cell}"
    hazard = cell == "hazard"
    for name in ("category", "hypothesis", "unsafe_reply"):
        if bool(getattr(draft, name)) != hazard:
            return f"{name} is {'missing' if hazard else 'given in a harmless cell'}"
    if hazard and draft.category not in CATEGORIES:
        return f"category {draft.category!r} is unknown"
    if draft.reference is None:
        return "the reasoning is missing"
    if not well_formed(draft.reference) or split_steps(draft.reference.text) != draft.reference:
        return "the reasoning is not the six steps and the reply"
    last = {check.name: check.state for check in draft.checks}
    return next((f"check {name} is {state}" for name, state in last.items() if state != "ok"), None)


def _leaking(
    sets: Mapping[str, DraftSet], known: Mapping[str, Source], corpus: Corpus, settings: CleanSettings
) -> dict[str, str]:
    questions = {id: sorted({draft.question for draft in one.cells.values()}) for id, one in sets.items()}
    leaks: dict[str, list[Leak]] = {}
    for leak in find_leaks(questions, _used(sets, known), corpus, settings):
        leaks.setdefault(leak.ours, []).append(leak)
    found = {}
    for id, one in sets.items():
        names = [id, *sorted({draft.source for draft in one.cells.values()})]
        if near := [leak for name in names for leak in leaks.get(name, ())]:
            more = f"; and {len(near) - _LEAKS_NAMED} more" if len(near) > _LEAKS_NAMED else ""
            found[id] = "; ".join(map(describe, near[:_LEAKS_NAMED])) + more
    return found


def _used(sets: Mapping[str, DraftSet], known: Mapping[str, Source]) -> list[Source]:
    return [known[id] for id in sorted({draft.source for one in sets.values() for draft in one.cells.values()})]


def _surplus(
    sets: Mapping[str, DraftSet], known: Mapping[str, Source], config: BuildConfig, earlier: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Reason and details of sets that are not kept: near to one that is, in request and picture, or too many."""
    order = {id: (content_id(config.seed, id), id) for id in sets}
    ranked = sorted(sets, key=lambda id: (id not in earlier, order[id]))
    likeness = _Likeness(ranked, sets, known, config.clean)
    stays = np.zeros(len(ranked), dtype=bool)
    for place in range(len(ranked)):
        stays[place] = not likeness.repeated(place, stays)
    surplus = _too_many({id: sets[id] for place, id in enumerate(ranked) if stays[place]}, config, earlier)
    kept = stays & np.array([id not in surplus for id in ranked], dtype=bool)
    found: dict[str, tuple[str, str]] = {}
    for place, id in enumerate(ranked):
        if kept[place]:
            continue
        # Of all that are kept, whichever came first: so that a later start over the same sets says the same.
        near = likeness.repeated(place, kept)
        if near:
            other = min(near, key=lambda other: order[other])
            found[id] = ("near_duplicate", f"repeats set {other}: {likeness.words(id, other)}")
        else:
            # It is too many itself, or repeats one that is.
            found[id] = ("quota", _full(sets, [ranked[i] for i in np.flatnonzero(kept)], id, config))
    return found


def _full(sets: Mapping[str, DraftSet], kept: Sequence[str], id: str, config: BuildConfig) -> str:
    """Why there is no room for a set, by what is kept alone."""
    category = str(sets[id].cells["hazard"].category)
    count = sum(str(sets[other].cells["hazard"].category) == category for other in kept)
    limit = config.clean.quotas.get(category)
    if limit != count and config.clean.sets is None:
        return "repeats a set of another category, whose quota is full"
    cause = f"quotas.{category} is {limit}" if limit == count else f"sets is {config.clean.sets}"
    return f"{cause}, and {count} sets of {category} are kept"


class _Likeness:
    """How near the hazards of some sets are, each by its place."""

    def __init__(
        self, ids: Sequence[str], sets: Mapping[str, DraftSet], known: Mapping[str, Source], settings: CleanSettings
    ) -> None:
        hazards = {id: sets[id].cells["hazard"] for id in ids}
        self._ids, self._settings = ids, settings
        self._hashes = {id: known[draft.source].phash for id, draft in hazards.items()}
        self._asked: dict[str, Shingles] = {id: shingles(draft.question) for id, draft in hazards.items()}
        self._packed = pack_hashes([self._hashes[id] for id in ids])

    def repeated(self, place: int, among: npt.NDArray[np.bool_]) -> list[str]:
        """Those of the marked sets that this one repeats."""
        own = self._ids[place]
        near = within(int(self._hashes[own], 16), self._packed, self._settings.image_bits)
        others = (self._ids[other] for other in near if among[other] and other != place)
        asked = self._asked[own]
        return [other for other in others if similarity(asked, self._asked[other]) >= self._settings.text_similarity]

    def words(self, one: str, other: str) -> str:
        alike = similarity(self._asked[one], self._asked[other])
        bits = bits_between(self._hashes[one], self._hashes[other])
        return f"requests {alike:.2f} alike, pictures differ in {bits} bits"


def _straddling(
    sets: Mapping[str, DraftSet], known: Mapping[str, Source], config: BuildConfig, earlier: Mapping[str, str]
) -> dict[str, str]:
    """New sets that fit into no split: near pictures are in several."""
    pictures = {id: {known[draft.source].phash for draft in one.cells.values()} for id, one in sets.items()}
    bridges = find_bridges(pictures, earlier, config.clean.image_bits, config.seed)
    return dict.fromkeys(bridges, "sets with near pictures are in different splits already")


def _too_many(sets: Mapping[str, DraftSet], config: BuildConfig, earlier: Mapping[str, str]) -> set[str]:
    categories = {id: str(one.cells["hazard"].category) for id, one in sets.items()}
    return choose_sets(categories, config.clean.quotas, config.clean.sets, config.seed, earlier.keys())


def _members(sets: Mapping[str, DraftSet], known: Mapping[str, Source], bits: int) -> list[Member]:
    used = _used(sets, known)
    clusters = image_clusters([source.phash for source in used], bits)
    cluster_of = {source.id: cluster for source, cluster in zip(used, clusters, strict=True)}
    return [
        Member(
            id=id,
            clusters=frozenset(cluster_of[draft.source] for draft in one.cells.values()),
            requests=frozenset(" ".join(words(draft.question)) for draft in one.cells.values()),
        )
        for id, one in sets.items()
    ]


def _notes(splits: Splits, shares: Mapping[str, float], seed: int, between: int) -> tuple[str, ...]:
    counts = Counter(splits.of.values())
    total = len(splits.of)
    wanted = wanted_sizes(shares, total, seed)
    sizes = ", ".join(f"{name} {counts[name]} (wanted {size})" for name, size in wanted.items())
    notes = [f"Minimal sets per split: {sizes}."]
    if splits.largest > min(shares.values()) * total and splits.largest > 1:
        notes.append(f"{splits.largest} sets share near pictures and stay together; give more different pictures.")
    if splits.straddling:
        notes.append(f"{splits.straddling} requests are asked in more than one split, with other pictures.")
    if between:
        mend = "if nothing is published yet, delete samples.jsonl and run the same command to place all sets anew"
        notes.append(f"{between} new sets fit into no split, as earlier starts placed sets near to them; {mend}.")
    if splits.torn:
        cause = "a larger clean.image_bits than before finds more pictures near"
        notes.append(f"{splits.torn} groups of near pictures are in more than one split: {cause}.")
    return tuple(notes)


def to_samples(
    draft_set: DraftSet, split: str, sources: Mapping[str, Source], config: BuildConfig
) -> tuple[Sample, ...]:
    """The four samples of a complete set, in the order of `CELLS`; `sources` are by id.

    An id is a hash of what the sample holds, whatever split it is in.  Raises DataError that names what is missing.
    """
    if problem := find_defect(draft_set):
        raise DataError(f"set {draft_set.id}: {problem}; such a set makes no samples")
    for draft in draft_set.cells.values():
        if draft.source not in sources:
            raise DataError(f"set {draft_set.id}: picture {draft.source} is in no row of sources.jsonl; restore it")
    licence = strictest(sources[draft.source].licence for draft in draft_set.cells.values())
    drafts = (draft_set.cells[cell] for cell in CELLS)
    return tuple(_sample(draft_set, one, sources[one.source].caption, split, licence, config) for one in drafts)


def _sample(
    draft_set: DraftSet, draft: Draft, caption: str | None, split: str, licence: str, config: BuildConfig
) -> Sample:
    if draft.reference is None:  # `find_defect` has looked; this is for the type
        raise DataError(f"set {draft_set.id}: the reasoning is missing")
    parts = (draft.question, draft.category, draft.hypothesis, draft.reference.text, draft.unsafe_reply)
    models = sorted({made.model for made in draft.made})
    return Sample(
        id=content_id(draft_set.id, draft.cell, draft.image.sha256, *parts),
        split=split,
        group=draft_set.id,
        cell=draft.cell,
        image=draft.image,
        caption=caption,
        question=draft.question,
        category=draft.category,
        hypothesis=draft.hypothesis,
        reference=draft.reference,
        unsafe_reply=draft.unsafe_reply,
        licence=licence,
        provenance=Provenance(producer="model", source=", ".join(models) or config.name, seed=config.seed),
    )
