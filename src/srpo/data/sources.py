"""Pictures taken over into the dataset's folder, from a folder of files or drawn from captions.

Every file becomes a `Source` or a `Rejection`, in the order of the names.  A killed run goes on where it stopped, and
leaves the same rows.  Only a picture with the very same pixels as another is a duplicate: near ones are wanted, since
the harmless counterpart of a picture is to look like it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

from srpo.data.captions import draw_all
from srpo.data.config import BuildConfig
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus
from srpo.data.licences import forbids
from srpo.data.listing import Entry, TableRow, list_files, read_captions, read_table
from srpo.data.meter import Ledger
from srpo.data.pictures import PictureRefused
from srpo.data.render import Renderer
from srpo.data.taking import Given, Taker, refuse_file
from srpo.errors import ConfigError, DataError
from srpo.types.data import Rejection, Source

Bars = Callable[[str, int, int], AbstractContextManager[Callable[[int], None]]]
"""(what is being done, units in all, units done before) -> a bar; `srpo.progress` makes some."""

_CHUNK: Final = 32
"""Files whose rows are synced together."""

_METADATA_BYTES: Final = 2**24
_PIXEL_BYTES: Final = 8
"""Red, green, blue and alpha of 16 bits each: no file of a picture needs more."""


class GivenFiles(NamedTuple):
    """Files of the user's folder."""

    files: list[tuple[Entry, Given]]
    """Each with what is said of it, in the order of the names."""
    hidden: int
    """Hidden files and folders, which are passed over."""


def take_sources(config: BuildConfig, folder: DatasetFolder, bars: Bars, corpus: Corpus, ledger: Ledger) -> int:
    """Take over every picture that is not yet, and append to `sources.jsonl` and `rejected.jsonl`.

    A picture that is near to one of a public benchmark is refused.  Stored ones that are gone or damaged are stored
    again.  Returns how many captions wait for the renderer, which failed on them; a later run asks again.

    Raises ConfigError for a picture without licence or a folder, table or file of captions that is not there;
    DataError for a table that does not fit, a file that is another one than when it was taken, or a damaged picture
    that cannot be stored again; ModelError if the renderer does not draw at all.
    """
    taker = Taker(config, folder, corpus)
    if config.images.captions is not None and config.renderer is not None:
        captions = read_captions(Path(config.images.captions).expanduser())
        taker.check_stored()
        return draw_all(captions, Renderer(config.renderer), taker, ledger, bars)
    _take_folder(config, taker, bars)
    taker.check_stored()
    return 0


def _take_folder(config: BuildConfig, taker: Taker, bars: Bars) -> None:
    given = read_given(config, taker.folder).files
    done = sum(entry.name in taker.by_original for entry, _ in given)
    with bars("take pictures", len(given), done) as advance:
        for start in range(0, len(given), _CHUNK):
            chunk = given[start : start + _CHUNK]
            new = sum(entry.name not in taker.by_original for entry, _ in chunk)
            rows = [_take_file(entry, about, taker) for entry, about in chunk]
            taker.append(rows)
            advance(new)


def check_given(config: BuildConfig, folder: DatasetFolder) -> int:
    """Look at folder, table and licences, or captions, before anything is written; returns what is hidden.

    Raises ConfigError and DataError as `take_sources` would.
    """
    if config.images.captions is None:
        return read_given(config, folder).hidden
    read_captions(Path(config.images.captions).expanduser())
    return 0


def read_given(config: BuildConfig, folder: DatasetFolder) -> GivenFiles:
    """Files that the user gives as pictures: all of the folder but the table.  None is opened.

    Raises ConfigError if there is no such folder or a file has no licence, DataError for a table that does not fit.
    """
    table_file = _table_file(config)
    entries, hidden = list_files(Path(config.images.folder or "").expanduser(), folder.path)
    entries = [entry for entry in entries if table_file is None or entry.path.resolve() != table_file.resolve()]
    if not entries:
        home = config.images.folder
        raise DataError(f"{home}: holds no file; put pictures there, or name another folder (images.folder)")
    table = {} if table_file is None else read_table(table_file, {entry.name for entry in entries})
    given = [(entry, _about(table.get(entry.name, TableRow()), config)) for entry in entries]
    unlicensed = [entry.name for entry, about in given if not (about.licence or about.do_not_train)]
    if unlicensed:
        mend = "set images.licence to the SPDX expression of all pictures, or give each a row in images.table"
        raise ConfigError(
            f"images: {len(unlicensed)} of {len(given)} files have no licence, first {unlicensed[0]!r}; {mend}"
        )
    return GivenFiles(given, hidden)


def _table_file(config: BuildConfig) -> Path | None:
    return None if config.images.table is None else Path(config.images.table).expanduser()


def _about(row: TableRow, config: BuildConfig) -> Given:
    return Given(
        licence=row.licence or (config.images.licence or "").strip(),
        attribution=row.attribution or config.images.attribution,
        url=row.url or None,
        caption=row.caption or None,
        do_not_train=row.do_not_train,
    )


def _take_file(entry: Entry, about: Given, taker: Taker) -> Source | Rejection | None:
    """The row of a file, or none if it was taken before.  Raises DataError if it has changed since."""
    try:
        data, sha256 = read_file(entry, taker.config)
        if entry.name in taker.by_original:
            taker.check_unchanged(entry.name, sha256, about, data)
            return None
        return taker.take(entry.name, check_allowed(entry, about, data), about)
    except PictureRefused as refused:
        return refuse_file(entry.name, refused)


def check_allowed(entry: Entry, about: Given, data: bytes | None) -> bytes:
    """The bytes of a file that may be taken.  Raises PictureRefused if it may not be used, or has too many."""
    if about.do_not_train:
        raise PictureRefused("licence", f"{entry.name!r} is marked do_not_train; its source forbids training")
    if why := forbids(about.licence):
        raise PictureRefused("licence", f"{entry.name!r} is under {about.licence!r}, which {why}")
    if data is None:
        size = entry.path.stat().st_size
        raise PictureRefused("too_large", f"{entry.name!r} has {size} bytes, more than any picture that is taken")
    return data


def read_file(entry: Entry, config: BuildConfig) -> tuple[bytes | None, str]:
    """Bytes of a file, or none if they are too many, and their SHA-256.  Raises PictureRefused."""
    if entry.problem is not None:
        raise PictureRefused(*entry.problem)
    most = _PIXEL_BYTES * config.images.max_pixels + _METADATA_BYTES
    try:
        with entry.path.open("rb") as file:
            if entry.path.stat().st_size > most:
                return None, hashlib.file_digest(file, "sha256").hexdigest()
            data = file.read()
    except OSError as error:
        raise PictureRefused("unreadable", f"{entry.name!r} cannot be read ({error.strerror})") from None
    return data, hashlib.sha256(data).hexdigest()
