"""The folder of a run: its files, one writer at a time, and a manifest of what made what."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from srpo.config import dump_config, parse_mapping, read_mapping
from srpo.errors import ConfigError, DataError
from srpo.records import write_text
from srpo.stage_files import StageFiles
from srpo.types import Record

_PACKAGES: Final = ("srpo", "torch", "transformers", "peft")
ABSENT: Final = "(absent)"


class Change(NamedTuple):
    """A setting that differs from the one in the file; a side that does not have it is `ABSENT`."""

    key: str
    old: Any
    new: Any


class Manifest(Record):
    """What a run was made with and of; hashes are SHA-256 in hex, of a folder over its files' names and hashes."""

    config_sha256: str | None = Field(default=None, description="of config.yaml")
    versions: dict[str, str] = Field(default_factory=dict, description="of Python and packages, at the last stage")
    seeds: dict[str, int] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict, description="file read -> hash; relative to the run if inside")
    outputs: dict[str, str] = Field(default_factory=dict, description="file written -> hash")
    seconds: dict[str, float] = Field(default_factory=dict, description="stage -> wall-clock time, every start added")
    judges: tuple[str, ...] = Field(default=(), description="names of the judges that scored last, in their order")
    labels: tuple[tuple[str, str, str], ...] = Field(
        default=(), description="benchmark, protocol and judge of the labels that count"
    )


@dataclass(frozen=True)
class RunFolder(StageFiles):
    """A folder that holds one run.  Make one with `create` or `open`, and write to it inside `lock`.

    The first round's files lie in the run folder itself, those of a later one in a folder of its own.
    """

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """The run in `path`, made if need be.  Raises DataError if other files are there already."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            strangers = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
        except OSError as error:
            raise DataError(f"{path}: cannot be a run folder ({error.strerror}); choose another path") from None
        run = cls(path)
        if strangers and not run.config.exists():
            held = min(strangers)
            raise DataError(f"{path}: not a run folder, it holds {held!r} but no config.yaml; choose an empty folder")
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The run that is in `path`.  Raises DataError if there is none."""
        if not path.is_dir():
            raise DataError(f"{path}: no such folder; check the path, or start a run there first")
        run = cls(path)
        if not run.config.is_file():
            raise DataError(f"{path}: not a run folder (no config.yaml); check the path, or start a run there first")
        return run

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def references(self) -> Path:
        """Verdicts on the references of the training samples."""
        return self.path / "references.jsonl"

    @property
    def kept(self) -> Path:
        """The samples without those whose reference was rejected."""
        return self.path / "kept.jsonl"

    @property
    def items(self) -> Path:
        """Items of public benchmarks."""
        return self.path / "items.jsonl"

    @property
    def probes(self) -> Path:
        """Folder of pictures that were changed to probe a system."""
        return self.path / "probes"

    @property
    def images(self) -> Path:
        """Folder of the samples' pictures."""
        return self.path / "images"

    @property
    def report_json(self) -> Path:
        return self.path / "report.json"

    @property
    def report_html(self) -> Path:
        return self.path / "report.html"

    @property
    def items_html(self) -> Path:
        """Page on which all scored items can be searched."""
        return self.path / "items.html"

    @property
    def tables(self) -> Path:
        """Folder of the report's tables as CSV, Markdown and LaTeX."""
        return self.path / "tables"

    def round(self, number: int) -> StageFiles:
        """Files of a round, which count from 1."""
        return self if number == 1 else StageFiles(self.path / f"round-{number}")

    def contents(self) -> list[Path]:
        """Every file and folder that a run writes into its own folder, there or not."""
        known = [getattr(self, name) for kind in (StageFiles, RunFolder) for name in _properties(kind)]
        return [*(path for path in known if path.parent == self.path), *self.path.glob("round-*")]

    @contextmanager
    def lock(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the run alone, or with other shards.  Raises DataError that names the process which holds it already.

        The lock belongs to the process: it is free again when the process ends, in whatever way.
        """
        with self._lock_file() as file:
            self._acquire(file, shared)
            try:
                yield
            finally:
                # The file stays: removing it would let two processes lock two files of one name.
                _rewrite(file, "")
                fcntl.flock(file, fcntl.LOCK_UN)

    def _acquire(self, file: IO[str], shared: bool) -> None:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            _rewrite(file, "" if shared else str(os.getpid()))
        except BlockingIOError:
            holder = file.read().strip()
            held = f"process {holder}" if holder else "a shard of a stage"
            raise DataError(f"{self.path}: in use by {held}; wait for it, or use another folder") from None
        except OSError as error:
            problem = f"cannot be locked ({error.strerror}); use a local disk with free space"
            raise DataError(f"{self.path}: {problem}") from None

    def _lock_file(self) -> IO[str]:
        try:
            return os.fdopen(os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="ascii")
        except OSError as error:
            raise DataError(f"{self.path}: cannot write there ({error.strerror}); fix the path or its rights") from None

    def save_config(self, config: BaseModel, may_change: Callable[[Change], bool] = lambda change: False) -> None:
        """Write config.yaml and its hash; on resuming, check that nothing has changed but what may.

        Raises ConfigError that names every setting that differs from the file, as old -> new.
        """
        text = dump_config(config)
        if self.config.exists():
            self.check_config()
            changes = self.changes(config)
            if wrong := [change for change in changes if not may_change(change)]:
                listed = "; ".join(f"{change.key}: {change.old!r} -> {change.new!r}" for change in wrong)
                problem = f"the run was made with other settings ({listed})"
                raise ConfigError(f"{self.config}: {problem}; take them back to resume, or use a new folder")
            if changes:
                self._update({"config_sha256": None})  # a kill must not leave a file that is not the one of the hash
                write_text(self.config, text)
        else:
            write_text(self.config, text)
        self._update({"config_sha256": digest(self.config)})

    def changes(self, config: BaseModel) -> list[Change]:
        """Settings that are other ones than in config.yaml."""
        return _changes(read_mapping(self.config), parse_mapping(dump_config(config)))

    def check_config(self) -> None:
        """Raises ConfigError if config.yaml is not the one that the run began with."""
        known = self.read_manifest().config_sha256
        if known is not None and known != digest(self.config):
            mend = f"take the edit back, or start anew in another folder with a copy of {self.config} as settings"
            raise ConfigError(f"{self.config}: was edited after the run began; {mend}")

    def input_changed(self, path: Path) -> bool:
        """Whether a file or folder is another one than when it was recorded as read."""
        known = self.read_manifest().inputs.get(self._name(path))
        return known is not None and known != digest(path)

    def read_manifest(self) -> Manifest:
        """What is recorded so far, nothing if there is no file yet.  Raises DataError if the file is broken."""
        try:
            return Manifest.model_validate_json(self.manifest.read_bytes())
        except FileNotFoundError:
            return Manifest()
        except OSError as error:
            raise DataError(f"{self.manifest}: cannot read ({error.strerror})") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "file"
            raise DataError(f"{self.manifest}, {where}: {first['msg']}; delete the file to have it made anew") from None

    def record_files(self, inputs: Iterable[Path] = (), outputs: Iterable[Path] = ()) -> None:
        """Add the hashes of files and folders that a stage has read and written.

        Raises DataError if one of them is not there.
        """
        manifest = self.read_manifest()
        self._update(
            {
                "inputs": manifest.inputs | {self._name(path): digest(path) for path in inputs},
                "outputs": manifest.outputs | {self._name(path): digest(path) for path in outputs},
            }
        )

    def record_seeds(self, seeds: Mapping[str, int]) -> None:
        """Add the seeds that a stage used, by name."""
        self._update({"seeds": self.read_manifest().seeds | dict(seeds)})

    def record_judges(self, names: Iterable[str], labels: Iterable[tuple[str, str, str]] = ()) -> None:
        """Keep the names of the judges whose results count, and (benchmark, protocol, judge) of labels that count."""
        self._update({"judges": tuple(names), "labels": tuple(dict.fromkeys(labels))})

    def record_seconds(self, stage: str, seconds: float) -> None:
        """Add wall-clock seconds to a stage; what a resumed stage took comes on top of what it took before."""
        spent = self.read_manifest().seconds
        self._update({"seconds": spent | {stage: spent.get(stage, 0.0) + seconds}})

    def _update(self, change: Mapping[str, Any]) -> None:
        manifest = self.read_manifest().model_copy(update={**change, "versions": installed_versions()})
        write_text(self.manifest, manifest.model_dump_json(indent=2) + "\n")

    def _name(self, path: Path) -> str:
        absolute, home = path.resolve(), self.path.resolve()
        return absolute.relative_to(home).as_posix() if absolute.is_relative_to(home) else str(path)


def installed_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _properties(kind: type) -> list[str]:
    return [name for name, value in vars(kind).items() if isinstance(value, property)]


def _rewrite(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces; of a folder, over the sorted names and hashes of its files."""
    try:
        if path.is_dir():
            files = sorted((f.relative_to(path).as_posix(), f) for f in path.rglob("*") if f.is_file())
            return hashlib.sha256("".join(f"{name}\0{digest(f)}\n" for name, f in files).encode()).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be hashed ({error.strerror}); run the stage that writes it first") from None


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    before, after = _flatten(old), _flatten(new)
    keys = [*before, *(key for key in after if key not in before)]
    values = (Change(key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys)
    return [change for change in values if repr(change.old) != repr(change.new)]


def _flatten(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys; an empty mapping stays a value."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= _flatten(value, f"{above}{key}.") if isinstance(value, dict) and value else {f"{above}{key}": value}
    return flat
