"""What a release is made from: the dataset folder, read once, with what people decided applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from srpo.config import load_config
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.settle import Settled, current_reviews, settle, split_sets
from srpo.errors import DataError
from srpo.publish.licences import Strictest, strictest
from srpo.records import read_records
from srpo.review.store import Store
from srpo.runs import RunFolder
from srpo.types import CELLS, Draft, DraftSet, Rejection, Review, Sample, Source, Usage


@dataclass(frozen=True)
class Material:
    """The samples that are published and all that is known of them.

    - `samples`: whole minimal sets only, edits applied, by split and set;
    - `history`: all reviews of samples as they are now, in the order of the file; `reviews`: those that count;
    - `drawn`: ids of the sources that a renderer drew from captions;
    - `reviewed_as`: id of a published sample -> its id before a person's edit;
    - `groups`: id in `samples.jsonl` -> its set, of all samples there;
    - `undecided`: ids among the published samples that people have not decided, or not as many as were planned;
    - `left_out`: why sets of `samples.jsonl` are not published -> how many.
    """

    folder: DatasetFolder
    config: BuildConfig
    samples: tuple[Sample, ...]
    sets: dict[str, DraftSet]
    sources: dict[str, Source]
    drawn: frozenset[str]
    history: tuple[Review, ...]
    reviews: tuple[Review, ...]
    settled: Settled
    reviewed_as: dict[str, str]
    groups: dict[str, str]
    undecided: tuple[str, ...]
    left_out: dict[str, int]
    rejections: tuple[Rejection, ...]
    usage: tuple[Usage, ...]

    @property
    def edited(self) -> frozenset[str]:
        """Ids of published samples that a person has edited."""
        return frozenset(self.settled.edited.values())

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that hold samples, in the order of the settings."""
        found = {sample.split for sample in self.samples}
        known = [split for split in self.config.splits if split in found]
        return (*known, *sorted(found - set(known)))

    @property
    def drafts(self) -> list[Draft]:
        """Of the published samples, in their order."""
        return [self.draft_of(sample) for sample in self.samples]

    @cached_property
    def used_sources(self) -> list[Source]:
        """Sources of the published pictures, by id."""
        return [self.sources[name] for name in sorted({self.source_of(draft).id for draft in self.drafts})]

    @cached_property
    def licence(self) -> Strictest:
        """Of the samples and their pictures together."""
        return strictest([*(sample.licence for sample in self.samples), *(one.licence for one in self.used_sources)])

    def draft_of(self, sample: Sample) -> Draft:
        """The draft behind a sample.  Raises DataError if `sets.jsonl` does not have it."""
        found = self.sets.get(sample.group)
        if found is None or sample.cell not in found.cells:
            problem = f"no cell {sample.cell} of set {sample.group}, which sample {sample.id} comes from"
            raise DataError(f"{self.folder.sets}: {problem}; both files are written by `srpo build`")
        return found.cells[sample.cell]

    def source_of(self, draft: Draft) -> Source:
        """Where a draft's picture comes from.  Raises DataError if no file of sources has it."""
        found = self.sources.get(draft.source)
        if found is None:
            where = f"{self.folder.sources} and {self.folder.rendered.name}"
            raise DataError(f"{where}: no source {draft.source!r}, which {self.folder.sets} names")
        return found


def read_material(path: Path, *, unreviewed: bool) -> Material:
    """Read a dataset folder and settle its reviews.

    A set is published if people have kept all of its cells; with `unreviewed` also if some of them lack votes, but
    never if somebody wants one dropped or with other words and the rest do not agree, or have not voted.  Nor is it if
    a request was edited in one of the cells that share it, which would then differ by more than the picture.
    Raises DataError if the folder is not a dataset's, a file is missing or broken, or nothing is left to publish.
    """
    folder, config, samples = read_samples(path)
    reviews = _reviews(folder, unreviewed)
    settled = settle(samples, reviews)
    unused = {id(one.review) for one in settled.unused}
    history = tuple(review for review in reviews if id(review) not in unused)
    counting = _counting(history)
    wishes = {review.sample for review in counting if review.decision != "keep"}
    wanted, left_out = _whole_sets(samples, settled, wishes if unreviewed else None)
    if not wanted:
        raise DataError(f"{folder.samples}: {_nothing_left(left_out, unreviewed)}")
    given, counterparts = _sources(folder)
    drawn = [*counterparts, *(given if config.images.captions is not None else [])]
    before = {now: old for old, now in settled.edited.items()}
    undecided = set(settled.undecided)
    order = {split: i for i, split in enumerate(config.splits)}
    ordered = sorted(
        wanted, key=lambda s: (order.get(s.split, len(order)), s.split, s.group, CELLS.index(s.cell), s.id)
    )
    material = Material(
        folder=folder,
        config=config,
        samples=tuple(ordered),
        sets={one.id: one for one in read_records(folder.sets, DraftSet)},
        sources={one.id: one for one in (*given, *counterparts)},
        drawn=frozenset(one.id for one in drawn),
        history=history,
        reviews=counting,
        settled=settled,
        reviewed_as={sample.id: before.get(sample.id, sample.id) for sample in ordered},
        groups={sample.id: sample.group for sample in samples},
        undecided=tuple(sample.id for sample in ordered if sample.id in undecided),
        left_out=left_out,
        rejections=tuple(read_records(folder.rejections, Rejection)) if folder.rejections.exists() else (),
        usage=tuple(read_records(folder.usage, Usage)) if folder.usage.exists() else (),
    )
    material.used_sources  # noqa: B018  a missing draft or source is met before anything is written
    return material


def read_samples(path: Path) -> tuple[DatasetFolder, BuildConfig, list[Sample]]:
    """What machines let through, whatever people say of it.

    Raises DataError if the folder is not a dataset's or holds no sample, and ConfigError for broken settings.
    """
    RunFolder.open(path)
    folder = DatasetFolder(path)
    config = load_config(folder.config, [], BuildConfig)
    if not folder.samples.exists():
        raise DataError(f"{folder.samples}: no such file; finish the dataset with `srpo build` first")
    samples = read_records(folder.samples, Sample)
    if not samples:
        raise DataError(f"{folder.samples}: holds no sample; {folder.rejections.name} says why all were dropped")
    bare = next((sample.id for sample in samples if sample.image is None), None)
    if bare is not None:
        raise DataError(f"{folder.samples}: sample {bare} has no picture, and what is published shows one; drop it")
    return folder, config, samples


def _sources(folder: DatasetFolder) -> tuple[list[Source], list[Source]]:
    """Of the pictures that the dataset began with, and of those drawn as counterparts, if there are any."""
    counterparts = read_records(folder.rendered, Source) if folder.rendered.exists() else []
    return read_records(folder.sources, Source), counterparts


def _reviews(folder: DatasetFolder, unreviewed: bool) -> list[Review]:
    """What `reviews.jsonl` holds, which must be what the review database holds, if there is one."""
    found = read_records(folder.reviews, Review) if folder.reviews.exists() else None
    if folder.review_database.exists():
        with Store.open(folder.path) as store:
            decided = store.reviews()
        if decided != (found or []):
            problem = f"has {len(found or [])} reviews, and {folder.review_database.name} {len(decided)} or other ones"
            raise DataError(f"{folder.reviews}: {problem}; write it with `srpo review export {folder.path}`")
    if found is None and not unreviewed:
        raise DataError(
            f"{folder.reviews}: no such file, so nobody has reviewed this dataset; run `srpo review {folder.path}` and "
            f"then `srpo review export {folder.path}`, or publish what machines let through with --unreviewed"
        )
    return found or []


def _whole_sets(
    samples: Sequence[Sample], settled: Settled, wishes: set[str] | None
) -> tuple[list[Sample], dict[str, int]]:
    """Samples of the sets that are published, and why others are not -> how many sets.

    `wishes`: samples that somebody wants dropped or with other words; of those that are not decided, the others are
    published too.  None = only what is decided.
    """
    by_id = {sample.id: sample for sample in samples}
    before = {now: old for old, now in settled.edited.items()}
    sizes = Counter(sample.group for sample in samples)
    undecided = set(settled.undecided)
    open_ = [sample for sample in samples if sample.id in undecided]
    dropped = {sample.group for sample in samples if sample.id in settled.dropped} - set(settled.split)
    disagreed = set(settled.disagreements)
    disputed = {sample.group for sample in open_ if sample.id in disagreed}
    waiting = {sample.group for sample in open_ if wishes is None or sample.id in wishes} - disputed
    chosen = [sample for sample in (*settled.kept, *open_) if sample.group not in disputed | waiting]
    split = split_sets((by_id[before.get(sample.id, sample.id)], sample) for sample in chosen)
    there = Counter(sample.group for sample in chosen if sample.group not in split)
    wanted = [sample for sample in chosen if there[sample.group] == sizes[sample.group]]
    reasons = {
        "dropped in review": len(dropped),
        "edit_split": len(split | set(settled.split)),
        "disputed": len(disputed),
        "not decided": len(waiting),
    }
    return wanted, {reason: count for reason, count in reasons.items() if count}


def _nothing_left(left_out: dict[str, int], unreviewed: bool) -> str:
    found = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    hints = {
        "edit_split": "save the same request in both cells that share it",
        "disputed": "let an adjudicator decide",
        "not decided": "finish `srpo review`" + ("" if unreviewed else ", or add --unreviewed"),
    }
    mend = "".join(f"; {hint}" for reason, hint in hints.items() if reason in left_out)
    return f"no minimal set is left to publish ({found}){mend}"


def _counting(history: Sequence[Review]) -> tuple[Review, ...]:
    """The last review of every person on every sample."""
    of_sample: dict[str, list[Review]] = {}
    for review in history:
        of_sample.setdefault(review.sample, []).append(review)
    return tuple(one for group in of_sample.values() for one in current_reviews(group))
