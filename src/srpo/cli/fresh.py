"""What `srpo demo` does with a run that is there already: go on, delete it, or leave it alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from srpo.errors import DataError, SrpoError
from srpo.inputs import check_inputs, check_outside
from srpo.run_config import RunConfig, recipe_path
from srpo.runs import RunFolder


def settings_source(out: Path, config: Path | None, overrides: list[str] | None, resume: bool) -> Path:
    """Where the settings come from: a run that goes on keeps its own unless others are given."""
    saved = RunFolder(out).config
    return saved if resume and config is None and not overrides and saved.is_file() else recipe_path(config)


def prepare(out: Path, resume: bool, fresh: bool, settings: RunConfig) -> None:
    """Decide what happens to a run that is there already; nothing does before the new one can be built."""
    if resume and fresh:
        raise SrpoError("--resume goes on with a run and --fresh deletes it; give one of them")
    there = (out / "config.yaml").exists()
    if there and not (fresh or resume):
        raise SrpoError(
            f"{out}: holds a run already; --resume goes on with it, --fresh starts anew, --out goes elsewhere"
        )
    # A run that has its samples reads them, and not the file that they came from.
    inputs = [] if resume and RunFolder(out).samples.exists() else check_inputs(settings)
    if there and fresh:
        check_outside(out, inputs)
        folder = RunFolder.open(out)
        with folder.lock():
            _delete(folder)


def _delete(run: RunFolder) -> None:
    """Delete the files of a run, and nothing else.  Raises DataError if the folder holds anything that is no run's."""
    own = run.contents()
    strangers = sorted(path.name for path in run.path.iterdir() if path not in own and not path.name.startswith("."))
    if strangers or run.read_manifest().config_sha256 is None:
        reason = f"holds {strangers[0]!r}, which no run writes" if strangers else "has no manifest.json of a run"
        raise DataError(f"{run.path}: {reason}, so --fresh deletes nothing; choose another folder with --out")
    # What tells that this is a run goes last, so that a deletion that was stopped can be done again.
    for path in sorted(own, key=lambda path: (path == run.config, path == run.manifest)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
