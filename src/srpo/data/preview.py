"""What a start would take of the user's folder: by licences and by the heads of files, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.listing import Entry
from srpo.data.pictures import PictureRefused, check_head
from srpo.data.sources import check_allowed, read_file, read_given
from srpo.data.taking import Given, refusal_id, source_id
from srpo.types import Rejection, Source

_BEYOND_HEADS: Final = ("duplicate", "leakage", "broken", "mode", "transparent")
"""Reasons of an earlier start that no head shows."""


class Preview(NamedTuple):
    """The files of the folder."""

    files: int
    new: int
    """Files that are not taken yet, and can be as far as their heads tell."""
    refused: Counter[str]
    """Reason -> files."""
    first: dict[str, str]
    """Reason -> what is said of the first such file."""
    hidden: int
    """Hidden files and folders, which are passed over."""


def preview_files(
    config: BuildConfig, folder: DatasetFolder, sources: Iterable[Source], rejections: Iterable[Rejection]
) -> Preview:
    """Look at every file that is not among `sources`; `rejections` are those of earlier starts.

    Raises ConfigError and DataError as a start does for a folder, a table or licences that do not fit.
    """
    given, hidden = read_given(config, folder)
    taken = {source.original: source.id for source in sources}
    known = {id: name for name, id in taken.items()}
    earlier = {row.id: row for row in rejections if row.reason in _BEYOND_HEADS}
    refused, first = Counter[str](), dict[str, str]()
    for entry, about in given:
        if entry.name in taken:
            continue
        problem = _problem(entry, about, config, known, earlier.get(refusal_id(entry.name)))
        if problem is not None:
            refused[problem.reason] += 1
            first.setdefault(problem.reason, problem.detail)
    new = sum(entry.name not in taken for entry, _ in given) - refused.total()
    return Preview(len(given), new, refused, first, hidden)


def _problem(
    entry: Entry, about: Given, config: BuildConfig, known: dict[str, str], earlier: Rejection | None
) -> PictureRefused | None:
    """Why a file cannot be taken, as far as can be told; one that can is added to `known`, by its id."""
    try:
        data, sha256 = read_file(entry, config)
        check_head(check_allowed(entry, about, data), entry.name, config.images)
    except PictureRefused as refused:
        return refused
    id = source_id(sha256)
    if id in known:
        return PictureRefused("duplicate", f"{entry.name!r} is the same file as {known[id]!r}")
    if earlier is not None:
        return PictureRefused(earlier.reason, earlier.detail)
    known[id] = entry.name
    return None
