"""Rows to files: Parquet shards with pictures, JSON lines without, and samples with pictures in our own form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from PIL import Image as PILImage

from srpo.data.config import SPLIT_NAME
from srpo.errors import ConfigError, DataError
from srpo.pictures import picture_of
from srpo.progress import Advance
from srpo.publish.columns import features, load
from srpo.publish.material import Material
from srpo.publish.rows import GATED, Row, Tier, as_mapping
from srpo.records import write_records
from srpo.types import Sample

SHARD_BYTES: Final = 400_000_000
"""A shard is closed when it has grown to so many bytes of pictures and text."""

GROUP_ROWS: Final = 100
"""Rows of a row group: pages that show a few rows need not read a whole shard."""

_SUFFIXES: Final = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


def copy_pictures(material: Material, out: Path, advance: Advance) -> dict[str, str]:
    """Copy every picture to `images/` under the hash of its bytes; returns hash -> path from `out`.

    Raises DataError if a picture is missing, is not the one of its hash, or is of a kind that no browser shows.
    """
    (out / "images").mkdir(parents=True, exist_ok=True)
    paths: dict[str, str] = {}
    for sample in material.samples:
        digest = picture_of(sample).sha256
        if digest not in paths:
            data = _picture(material, sample)
            paths[digest] = name = f"images/{digest}{_suffix(material, sample)}"
            (out / name).write_bytes(data)
        advance(1)
    return paths


def write_samples(material: Material, images: Mapping[str, str], out: Path, tier: Tier) -> list[Sample]:
    """Write `samples.jsonl` in the form that stages of training read, and return what was written."""
    samples = []
    for sample in material.samples:
        image = picture_of(sample)
        image = image.model_copy(update={"path": images[image.sha256]})
        gated = dict.fromkeys(GATED) if tier == "open" else {}
        samples.append(sample.model_copy(update={"image": image, **gated}))
    write_records(out / "samples.jsonl", samples)
    return samples


def write_rows(rows: Sequence[Row], splits: Sequence[str], out: Path, tier: Tier, advance: Advance) -> None:
    """Write `data/SPLIT-*.parquet` and `jsonl/SPLIT.jsonl` from the same rows; pictures are read from `out`."""
    (out / "data").mkdir()
    (out / "jsonl").mkdir()
    for split in splits:
        mine = [row for row in rows if row.split == split]
        with (out / "jsonl" / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(as_mapping(row, tier), ensure_ascii=False) + "\n" for row in mine)
        _write_shards(mine, split, out, tier, advance)


def check_splits(splits: Sequence[str]) -> None:
    """Raises ConfigError if a split has a name that `datasets` refuses."""
    for split in splits:
        if not SPLIT_NAME.fullmatch(split):
            raise ConfigError(f"split {split!r}: published splits have letters, digits, _ and . in their names only")


def _write_shards(rows: Sequence[Row], split: str, out: Path, tier: Tier, advance: Advance) -> None:
    pa, parquet = load("pyarrow"), load("pyarrow.parquet")
    schema = features(tier).arrow_schema
    shards = list(_shards(rows, out))
    for number, shard in enumerate(shards):
        path = out / "data" / f"{split}-{number:05d}-of-{len(shards):05d}.parquet"
        with parquet.ParquetWriter(path, schema, write_page_index=True) as writer:
            for start in range(0, len(shard), GROUP_ROWS):
                group = shard[start : start + GROUP_ROWS]
                writer.write_table(pa.Table.from_pylist([_with_picture(row, out, tier) for row in group], schema))
                advance(len(group))


def _shards(rows: Sequence[Row], out: Path) -> Iterator[list[Row]]:
    shard: list[Row] = []
    size = 0
    for row in rows:
        shard.append(row)
        size += (out / row.image_path).stat().st_size + len(row.model_dump_json())
        if size >= SHARD_BYTES:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def _with_picture(row: Row, out: Path, tier: Tier) -> dict[str, Any]:
    path = out / row.image_path
    return {"image": {"bytes": path.read_bytes(), "path": path.name}, **as_mapping(row, tier)}


def _picture(material: Material, sample: Sample) -> bytes:
    image = picture_of(sample)
    path = material.folder.path / image.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), but sample {sample.id} shows it") from None
    found = hashlib.sha256(data).hexdigest()
    if found != image.sha256:
        raise DataError(f"{path}: sha256 is {found}, but sample {sample.id} says {image.sha256}; put it back")
    return data


def _suffix(material: Material, sample: Sample) -> str:
    """By the bytes and not by the name, which is anyone's."""
    path = material.folder.path / picture_of(sample).path
    try:
        with PILImage.open(path) as picture:
            kind = picture.format or "unknown"
    except (OSError, SyntaxError, ValueError, PILImage.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable picture ({error}), but sample {sample.id} shows it") from None
    if kind not in _SUFFIXES:
        raise DataError(f"{path}: is {kind}; published pictures are one of {', '.join(_SUFFIXES)}")
    return _SUFFIXES[kind]
