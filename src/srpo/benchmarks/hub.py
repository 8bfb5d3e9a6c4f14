"""What lies on a hub: files as their authors publish them, and datasets of the `datasets` library.

A dataset may also be a folder that the library saved, or Parquet files.  Both libraries are imported here only, and
only when there is something to load.  Pictures lie inside these datasets, but an
item names picture files; so they are written out, named by their bytes, and those that are there are not written again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from srpo.errors import DataError

_PREFIX: Final = "hub:"
_SAVED: Final = ("dataset_info.json", "dataset_dict.json")
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}\Z")
_BATCH: Final = 64
"""Rows in memory at once, pictures included."""


@dataclass(frozen=True)
class DatasetRow:
    """One row, with the part of the dataset that it stands in; a picture is the name of its file."""

    config: str
    split: str
    number: int
    fields: dict[str, Any]

    @property
    def place(self) -> str:
        return f"{self.config}/{self.split}, row {self.number}"


def is_dataset(path: Path) -> bool:
    """Whether `path` is `hub:NAME`, a folder saved by `datasets` (or of such folders), or holds Parquet."""
    if str(path).startswith(_PREFIX) or path.suffix == ".parquet":
        return True
    return path.is_dir() and (_is_saved(path) or any(map(_is_saved, path.iterdir())) or any(path.rglob("*.parquet")))


def local_copy(path: Path) -> Path:
    """The folder with the files of `hub:NAME` or `hub:NAME@REVISION`, downloaded if need be; any other path as it is.

    The hub's own cache keeps the files, so what was downloaded once is there without a network.  Raises DataError if
    the library is missing or the files cannot be had.
    """
    if not str(path).startswith(_PREFIX):
        return path
    if find_spec("huggingface_hub") is None:
        raise DataError(
            f'{path}: needs huggingface_hub; pip install "srpo[data]", or download the files and name their folder'
        )
    from huggingface_hub import snapshot_download

    name, _, revision = str(path).removeprefix(_PREFIX).partition("@")
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision or None))
    except Exception as error:  # the library lets errors of whatever HTTP client it has pass
        raise DataError(
            f"{path}: cannot be loaded ({type(error).__name__}: {_first_line(error)}); accept the terms and log in if "
            "it is gated, or download the files on a machine with a network, and give their folder"
        ) from error


def read_dataset(path: Path, images: Path | None, *, without: Collection[str] = ()) -> Iterator[DatasetRow]:
    """All rows of all parts; pictures are written to the folder `images`, and a field then holds the file's name.

    `path` is `hub:NAME`, `hub:NAME@REVISION`, a folder saved by `datasets`, a folder of such folders (one per
    configuration), or Parquet: a file or a folder of them, where a file's folder names the configuration and its stem
    the split.  Splits named in `without` are left out.  Raises DataError if the library is missing, nothing can be
    loaded, or there is no folder for pictures.
    """
    if find_spec("datasets") is None:
        raise DataError(
            f'{path}: needs the datasets library; pip install "srpo[data]", or export the rows where it is installed: '
            "datasets.load_dataset(NAME)[SPLIT].to_json(FILE)"
        )
    for config, split, batches in _parts(path):
        if split in without:
            continue
        number = 0
        for batch in batches:
            for fields in batch.to_pylist():
                number += 1
                named = {key: _named(value, path, images) for key, value in fields.items()}
                yield DatasetRow(config, split, number, named)


def _is_saved(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _SAVED)


def _parts(path: Path) -> Iterator[tuple[str, str, Iterator[Any]]]:
    """(configuration, split, Arrow batches).  Arrow, because there pictures are still bytes."""
    if str(path).startswith(_PREFIX):
        loaded = _from_hub(str(path).removeprefix(_PREFIX))
    elif path.suffix == ".parquet" or (path.is_dir() and any(path.rglob("*.parquet"))):
        yield from _from_parquet(path)
        return
    else:
        loaded = _from_disk(path)
    for config, dataset in loaded:
        splits = dataset.items() if isinstance(dataset, dict) else [(str(dataset.split or ""), dataset)]
        for split, rows in splits:
            yield config, split, rows.with_format("arrow").iter(_BATCH)


def _from_hub(name: str) -> Iterator[tuple[str, Any]]:
    import datasets

    name, _, revision = name.partition("@")
    try:
        for config in datasets.get_dataset_config_names(name, revision=revision or None):
            yield config, datasets.load_dataset(name, config, revision=revision or None)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"hub:{name}: cannot be loaded ({type(error).__name__}: {_first_line(error)}); accept the dataset's terms "
            "and log in if it is gated, or load it on a machine with a network, save it with save_to_disk, and give "
            "that folder"
        ) from error


def _from_disk(path: Path) -> Iterator[tuple[str, Any]]:
    import datasets

    folders = [path] if _is_saved(path) else sorted(folder for folder in path.iterdir() if _is_saved(folder))
    for folder in folders:
        try:
            yield folder.name, datasets.load_from_disk(str(folder))
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{folder}: not a dataset ({_first_line(error)}); save it again") from error


def _from_parquet(path: Path) -> Iterator[tuple[str, str, Iterator[Any]]]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    for file in [path] if path.is_file() else sorted(path.rglob("*.parquet")):
        try:
            batches = ParquetFile(file).iter_batches(_BATCH)
        except (OSError, pyarrow.ArrowException) as error:
            raise DataError(f"{file}: not Parquet ({_first_line(error)}); download it again") from error
        yield file.parent.name, _SHARD.sub("", file.stem), batches


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _named(value: Any, path: Path, images: Path | None) -> Any:
    """A picture's file name in place of its bytes; any other value as it is."""
    if not (isinstance(value, dict) and value.keys() == {"bytes", "path"}):
        return value
    if value["bytes"] is None:
        raise DataError(f"{path}: holds the path of a picture, not its bytes; save the dataset again with its pictures")
    if images is None:
        raise DataError(f"{path}: holds pictures; name a folder to write them to (images: FOLDER)")
    suffix = Path(value["path"] or "").suffix or ".png"
    file = images / (hashlib.sha256(value["bytes"]).hexdigest()[:32] + suffix)
    if not file.exists():
        images.mkdir(parents=True, exist_ok=True)
        file.write_bytes(value["bytes"])
    return file.name
