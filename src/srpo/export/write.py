"""Rows to files: checked before the first one is written, made one by one, and there only when they are whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

from srpo.errors import ConfigError, DataError
from srpo.export.examples import Example, Kind, examples_of
from srpo.export.formats import FORMATS, FormatName, Row, dataset_info
from srpo.pictures import picture_of
from srpo.records import write_text
from srpo.run_config import RunConfig
from srpo.runs import RunFolder

_GROUP: Final = 64
"""Rows of a parquet file, pictures included, that are in memory at a time."""


@dataclass(frozen=True)
class Plan:
    """What is wanted: format and kind, the folder, copies of the pictures in it, and leave to replace files."""

    format: FormatName
    kind: Kind
    out: Path
    copy_images: bool = False
    force: bool = False

    @property
    def path(self) -> Path:
        """The file of the rows."""
        return self.out / f"srpo_{self.kind}.{'parquet' if self.format == 'verl' else 'jsonl'}"

    @property
    def info(self) -> Path | None:
        """The description that goes with it, if the format has one."""
        return self.out / "dataset_info.json" if self.format == "llamafactory" else None


@dataclass
class Exported:
    """What an export has written, counted as it goes on."""

    path: Path
    rows: int = 0
    pictured: int = 0
    """Rows that hold a picture."""
    copied: int = 0
    left_out: int = 0
    first_left_out: str | None = None
    """Id of a sample whose text holds a tag of the format."""

    def lines(self, plan: Plan) -> Iterator[str]:
        """What to tell the user."""
        yield f"{self.rows} rows of kind {plan.kind} in {self.path}"
        if plan.info is not None:
            yield f"described as {self.path.stem} in {plan.info}"
        if plan.copy_images:
            yield f"{self.copied} pictures copied to {plan.out / 'images'}"
        if self.left_out:
            tags = ", ".join(FORMATS[plan.format].tags)
            problem = f"their text holds a tag ({tags}), which {plan.format} would take for a file"
            yield f"{self.left_out} rows left out: {problem}; the first is of sample {self.first_left_out}"


def export_run(run: RunFolder, config: RunConfig, plan: Plan) -> Exported:
    """Write the run's examples in a format of another trainer.

    An example whose own text holds a tag of the format is left out and counted.  Raises ConfigError if the format
    has no place for the kind, and DataError if a file is there already, the run is not far enough, or nothing
    is left to write.
    """
    return export_examples(examples_of(run, config, plan.kind), plan, str(run.path))


def export_examples(examples: Iterable[Example], plan: Plan, source: str) -> Exported:
    """Write examples, whatever they come from, in a format of another trainer; `source` names that in errors.

    Raises as `export_run` does.
    """
    _check(plan)
    done = Exported(plan.path)
    rows = _rows(examples, plan, done)
    with _replacing(plan.path) as temporary:
        (_write_parquet if plan.format == "verl" else _write_lines)(temporary, rows)
        if not done.rows:
            why = f"all {done.left_out} hold a tag of the format" if done.left_out else "it has none"
            raise DataError(f"{source}: no example of kind {plan.kind} to export ({why})")
    if plan.info is not None:
        entry = {plan.path.stem: dataset_info(plan.kind, plan.path.name, pictures=done.pictured > 0)}
        write_text(plan.info, json.dumps(_read_info(plan.info) | entry, indent=2, ensure_ascii=False) + "\n")
    return done


def _check(plan: Plan) -> None:
    kinds = FORMATS[plan.format].kinds
    if plan.kind not in kinds:
        problem = f"the format {plan.format} has no place for kind {plan.kind}"
        raise ConfigError(f"{problem}; it takes: {', '.join(kinds)}")
    if plan.format == "verl" and plan.copy_images:
        raise ConfigError("--copy-images: the format verl has the pictures in its file; leave the option out")
    there = [path for path in (plan.path, plan.info) if path is not None and path.exists()]
    if RunFolder(plan.out).config.exists():
        raise DataError(f"{plan.out}: is a run folder, which holds the files of its run only; choose another --out")
    if there and not plan.force:
        raise DataError(f"{there[0]}: is there already; --force replaces it, --out goes elsewhere")
    if plan.info is not None:
        _read_info(plan.info)


def _rows(examples: Iterable[Example], plan: Plan, done: Exported) -> Iterator[Row]:
    form = FORMATS[plan.format]
    for example in examples:
        if any(tag in text for text in example.texts for tag in form.tags):
            done.left_out += 1
            done.first_left_out = done.first_left_out or example.sample.id
            continue
        yield form.row(example, _image(example, plan, done))
        done.rows += 1
        done.pictured += example.picture is not None


def _image(example: Example, plan: Plan, done: Exported) -> str | None:
    """The path of the picture as it stands in the row, none without one.

    A copy lies under the hash of its bytes, and its path starts from `plan.out`, so that the folder can be moved.
    """
    if example.picture is None or not plan.copy_images:
        return None if example.picture is None else str(example.picture)
    name = f"images/{picture_of(example.sample).sha256}{example.picture.suffix}"
    if not (plan.out / name).exists():
        with _replacing(plan.out / name) as temporary:
            shutil.copyfile(example.picture, temporary)
        done.copied += 1
    return name


def _write_lines(path: Path, rows: Iterator[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, rows: Iterator[Row]) -> None:
    try:
        pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError("the format verl is a parquet file, which needs pyarrow; pip install pyarrow") from None
    with parquet.ParquetWriter(path, _parquet_schema(pa)) as writer:
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=writer.schema))


def _parquet_schema(pa: Any) -> Any:
    text, binary = pa.string(), pa.binary()

    def struct(*names: str) -> Any:
        return pa.struct([(name, text) for name in names])

    return pa.schema(
        [
            ("data_source", text),
            ("prompt", pa.list_(struct("role", "content"))),
            ("images", pa.list_(pa.struct([("bytes", binary), ("path", text)]))),
            ("ability", text),
            ("reward_model", struct("style", "ground_truth")),
            ("extra_info", struct("split", "index", "cell")),
            ("problem", text),
            ("answer", text),
        ]
    )


def _read_info(path: Path) -> Row:
    """The descriptions that are there already.  Raises DataError if the file is none of LLaMA-Factory's."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); mend it, or choose another --out") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected an object, got {type(found).__name__}; choose another --out")
    return found


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place at the end, and is gone if anything fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        problem = f"cannot be read or written ({error.strerror}); check rights and free space"
        raise DataError(f"{error.filename or path}: {problem}") from None
    finally:
        with suppress(OSError):  # there may be no folder, or none that lets files go
            temporary.unlink()
