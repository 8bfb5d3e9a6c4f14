"""The last stage: from complete sets to samples.  It asks nobody, so every start does it anew, over all sets.

What it keeps from one start to the next are the splits: a set that is in `samples.jsonl` may be published, and stays in
its split.  That file is written last, so a kill before it changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from srpo.building.drawing import rendered
from srpo.building.stage import CHAIN, Files, StageCount
from srpo.data.clean import Cleaned, clean_sets, to_samples
from srpo.data.config import BuildConfig
from srpo.data.leakage import Corpus
from srpo.data.taking import refusal_id
from srpo.errors import DataError
from srpo.records import iterate_places, iterate_records, read_record, repair, write_records
from srpo.types import Rejection, Sample, Source

_ORDER: Final = ("sources", *CHAIN, "clean", "review")


_CUT: Final = "samples.jsonl was cut off; the sets that it lacked were placed anew, maybe in other splits than before."


class Cleaning(NamedTuple):
    """What the last stage came to, with what the user should know of the splits."""

    total: StageCount
    notes: tuple[str, ...]


def clean(config: BuildConfig, files: Files, sources: Sequence[Source], corpus: Corpus) -> Cleaning:
    """Write `rejected.jsonl`, `sets.jsonl` and `samples.jsonl`; each is whole at any time."""
    start, cut = time.monotonic(), repair(files.folder.samples)
    sets = list(files.through("cells").values())
    pictures = [*sources, *rendered(files.folder)]
    cleaned = clean_sets(sets, pictures, corpus, config, _splits(config, files))
    _write_rejections(files, cleaned.rejections, sources)
    write_records(files.folder.sets, (one for one, _ in cleaned.kept))
    write_records(files.folder.samples, _samples(config, cleaned, pictures))
    dropped = Counter(row.reason for row in cleaned.rejections)
    count = StageCount("clean", len(sets), len(cleaned.kept), dropped, seconds=time.monotonic() - start)
    notes = cleaned.notes if cleaned.kept else ()
    return Cleaning(count, (*notes, _CUT) if cut else notes)


def _splits(config: BuildConfig, files: Files) -> dict[str, str]:
    """Id of a set -> split, of those that an earlier start has placed.  Raises DataError for an unknown split."""
    path = files.folder.samples
    found: dict[str, str] = {}
    for sample in iterate_records(path, Sample) if path.exists() else ():
        if sample.split not in config.splits:
            problem = f"sample {sample.id} is in split {sample.split!r}, which `splits` does not have"
            raise DataError(f"{path}: {problem}; restore the file, or delete it to place all sets anew")
        found[sample.group] = sample.split
    return found


def _samples(config: BuildConfig, cleaned: Cleaned, pictures: Sequence[Source]) -> Iterator[Sample]:
    by_id = {source.id: source for source in pictures}
    for one, split in cleaned.kept:
        yield from to_samples(one, split, by_id, config)


def _write_rejections(files: Files, new: Sequence[Rejection], sources: Sequence[Source]) -> None:
    """Put those of this stage in the place of its earlier ones, and all in the order of stages and sets.

    So the file is the same wherever a build was stopped.  Of one given file the last refusal is left, and none if it
    was mended and is a source now.  A file of many whole sets: no more than one row is in memory.
    """
    path, last = files.folder.rejections, (len(files.order), 0)
    mended = {refusal_id(source.original) for source in sources}
    old: dict[tuple[str, str], tuple[tuple[int, tuple[int, int]], int]] = {}
    for place, row in iterate_places(path, Rejection) if path.exists() else ():
        if row.stage != "clean" and not (row.stage == "sources" and row.id in mended):
            old[row.stage, row.id] = (_ORDER.index(row.stage), files.order.get(row.id, last)), place
    kept = (read_record(path, place, Rejection) for _, place in sorted(old.values(), key=lambda row: row[0]))
    write_records(path, (row for part in (kept, new) for row in part))
