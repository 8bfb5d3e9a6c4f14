"""One picture after another into the dataset: is it new, is it of a benchmark, where does it go?"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from srpo.data.config import BuildConfig, ImageSettings
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus
from srpo.data.near import within
from srpo.data.pictures import Picture, PictureRefused, open_picture, perceptual_hash, pixel_hash, store_picture
from srpo.errors import DataError
from srpo.records import append_records, content_id, file_sha256, read_records, repair
from srpo.types.data import Rejection, Source

_ID_DIGITS: Final = 16


@dataclass(frozen=True)
class Given:
    """What the user says of a picture, under the names of `Source`."""

    licence: str
    attribution: str = ""
    url: str | None = None
    caption: str | None = None
    do_not_train: bool = False


class Taker:
    """The pictures of a dataset so far, and how the next one joins them.

    Raises DataError if the files of the dataset cannot be read.
    """

    def __init__(self, config: BuildConfig, folder: DatasetFolder, corpus: Corpus) -> None:
        self.config, self.folder = config, folder
        self._corpus, self._corpus_hashes = corpus, corpus.hashes
        for path in (folder.sources, folder.rejections):
            repair(path)
        self.by_original: dict[str, Source] = {}
        """Name of the given file -> source."""
        self._by_id: dict[str, Source] = {}
        self._by_phash: dict[str, list[Source]] = defaultdict(list)
        self._pixels: dict[str, str] = {}
        self._whole: set[str] = set()
        """Ids of sources whose stored files were looked at."""
        self._told: set[tuple[str, str]] = set()
        """Id and detail of every rejection."""
        for source in read_records(folder.sources, Source) if folder.sources.exists() else ():
            self._add(source)
        if folder.rejections.exists():
            rows = read_records(folder.rejections, Rejection)
            self._told |= {(row.id, row.detail) for row in rows if row.stage == "sources"}

    def append(self, rows: Iterable[Source | Rejection | None]) -> None:
        """Write new rows.  Both files stay in the order of the pictures, wherever a kill falls between them."""
        found = list(rows)
        sources = [row for row in found if isinstance(row, Source)]
        # What was refused is looked at again in every run, for it may have been mended.
        rejections = [row for row in found if isinstance(row, Rejection) and (row.id, row.detail) not in self._told]
        if sources:
            append_records(self.folder.sources, sources)
        if rejections:
            append_records(self.folder.rejections, rejections)
        self._told |= {(row.id, row.detail) for row in rejections}

    @property
    def rejected(self) -> set[str]:
        """Ids of what was refused, in this run or before."""
        return {id for id, _ in self._told}

    def take(self, name: str, data: bytes, given: Given, *, remember: bool = True) -> Source:
        """Store a picture; the caller appends the row.  Raises PictureRefused.

        One that is not remembered does not count as known when the next one comes.
        """
        id = source_id(hashlib.sha256(data).hexdigest())
        if id in self._by_id:
            raise PictureRefused("duplicate", f"{name!r} is the same file as {self._by_id[id].original!r}")
        picture = open_picture(data, name, self.config.images)
        phash = perceptual_hash(picture.pixels)
        self._check_new(name, picture, phash)
        self._check_leak(name, phash)
        source = Source(
            id=id,
            image=store_picture(picture, self.folder.path),
            original=name,
            phash=phash,
            changes=picture.changes,
            **asdict(given),
        )
        if remember:
            self._add(source)
            self._whole.add(id)
        return source

    def check_unchanged(self, name: str, sha256: str, given: Given, data: bytes | None) -> None:
        """Raises DataError if a file that was taken before is another one now, or other things are said of it."""
        source = self.by_original[name]
        mend = "take it back, or start a new dataset"
        if source.id != source_id(sha256):
            raise DataError(f"{name!r} has changed since it was taken ({source.id} -> {source_id(sha256)}); {mend}")
        for key, value in asdict(given).items():
            if (old := getattr(source, key)) != value:
                raise DataError(f"{name!r}: {key} was {old!r} when it was taken, and is {value!r} now; {mend}")
        if not is_damaged(source, self.folder):
            self._whole.add(source.id)
        elif data is not None:
            store_picture(open_picture(data, name, self.config.images), self.folder.path)

    def check_stored(self) -> None:
        """Raises DataError if a picture that was taken is gone or damaged, and its file did not come back."""
        check_stored([one for one in self._by_id.values() if one.id not in self._whole], self.folder)

    def _add(self, source: Source) -> None:
        self.by_original[source.original] = source
        self._by_id[source.id] = source
        self._by_phash[source.phash].append(source)

    def _check_new(self, name: str, picture: Picture, phash: str) -> None:
        others = self._by_phash.get(phash, ())
        pixels = pixel_hash(picture.pixels) if others else ""
        for other in others:
            if (other.image.width, other.image.height) == picture.pixels.size and self._pixels_of(other) == pixels:
                raise PictureRefused("duplicate", f"{name!r} has the same pixels as {other.original!r}")

    def _pixels_of(self, source: Source) -> str:
        if source.id not in self._pixels:
            path = self.folder.path / source.image.path
            self._pixels[source.id] = pixel_hash(_read_stored(path, self.config.images).pixels)
        return self._pixels[source.id]

    def _check_leak(self, name: str, phash: str) -> None:
        near = within(int(phash, 16), self._corpus_hashes, self.config.clean.image_bits)
        if near.size:
            theirs = sorted({self._corpus.pictures[int(place)][0] for place in near})
            raise PictureRefused("leakage", f"{name!r} is near to a picture of {', '.join(theirs[:5])}")


def is_damaged(source: Source, folder: DatasetFolder) -> bool:
    """Whether the stored file of a picture is gone or another one."""
    path = folder.path / source.image.path
    return not path.is_file() or file_sha256(path) != source.image.sha256


def check_stored(sources: Iterable[Source], folder: DatasetFolder) -> None:
    """Raises DataError that names the first picture whose stored file is gone or another one."""
    damaged = [source for source in sources if is_damaged(source, folder)]
    if damaged:
        first = damaged[0]
        mend = "put the file back there, or its original into images.folder"
        problem = f"is gone or was changed ({len(damaged)} such pictures), and is not made again"
        raise DataError(f"{folder.path / first.image.path}: the picture of {first.original!r} {problem}; {mend}")


def _read_stored(path: Path, settings: ImageSettings) -> Picture:
    try:
        return open_picture(path.read_bytes(), path.name, settings)
    except OSError as error:
        raise DataError(f"{path}: cannot read ({error.strerror}); restore it, or start a new dataset") from None
    except PictureRefused as refused:
        raise DataError(f"{path}: {refused.detail}; restore it, or start a new dataset") from None


def source_id(sha256: str) -> str:
    """Id of the picture whose given file has this hash."""
    return sha256[:_ID_DIGITS]


def refusal_id(name: str) -> str:
    """Id of the row of a given file that is not taken.

    It is not that of a source: the same bytes may be one under another name.
    """
    return content_id("file", name)


def refuse_file(name: str, refused: PictureRefused) -> Rejection:
    """The row of a file that is not taken."""
    return Rejection(id=refusal_id(name), stage="sources", reason=refused.reason, detail=refused.detail)
