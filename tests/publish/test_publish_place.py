"""Where a release goes: only in the place of an earlier one, and only when it is whole."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from published import dataset, review

from srpo.data.folder import DatasetFolder
from srpo.errors import DataError
from srpo.progress import silent
from srpo.publish import PublishPlan, place, publish
from srpo.records import read_records
from srpo.types import Sample


@pytest.fixture
def run(tmp_path: Path) -> DatasetFolder:
    folder = dataset(tmp_path / "run", train=1, val=1)
    review(folder, read_records(folder.samples, Sample))
    return folder


def go(run: DatasetFolder, out: Path, **wishes: object) -> list[str]:
    publish(PublishPlan(run.path, out, audited=False, **wishes), silent)
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def drop_the_last_set(run: DatasetFolder) -> None:
    samples = read_records(run.samples, Sample)
    review(run, samples, lambda number, name: "drop" if number == len(samples) - 1 else "keep")


def test_an_earlier_release_is_replaced_whole(run, tmp_path):
    out = tmp_path / "deep" / "out"
    before = go(run, out)
    drop_the_last_set(run)
    after = go(run, out)
    assert "data/val-00000-of-00001.parquet" in before
    assert set(after) < set(before)
    assert sorted(path.name for path in out.parent.iterdir()) == ["out"]


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(run, tmp_path):
    home, link = tmp_path / "disk", tmp_path / "link"
    home.mkdir()
    link.symlink_to(home)
    for _ in range(2):
        files = go(run, link)
    assert link.is_symlink() and home.is_dir()
    assert sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()) == files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link", "run"]


def test_the_manifest_names_every_file_and_its_hash(run, tmp_path):
    files = go(run, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "publication.json").read_text(encoding="utf-8"))
    assert sorted([*manifest["files"], "publication.json"]) == files
    assert manifest["splits"] == {"train": 4, "val": 4}
    assert set(manifest["inputs"]) >= {"samples.jsonl", "sets.jsonl", "reviews.jsonl", "sources.jsonl"}


@pytest.mark.parametrize("name", ["thesis.txt", "data/mine.parquet"])
def test_files_of_others_are_not_touched(run, tmp_path, name):
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match=f"holds '{name}', which no publication wrote; --force"):
        go(run, out)
    assert [path.name for path in out.rglob("*") if path.is_file()] == [Path(name).name]
    assert name in go(run, out, force=True)
    # It is still there, and is still nobody's.
    with pytest.raises(DataError, match=f"holds '{name}'"):
        go(run, out)
    drop_the_last_set(run)
    files = go(run, out, force=True)
    assert "data/val-00000-of-00001.parquet" not in files
    assert (out / name).read_text(encoding="utf-8") == "mine"


def test_a_manifest_cannot_have_files_outside_deleted(run, tmp_path):
    out = tmp_path / "out"
    go(run, out)
    outside = tmp_path / "outside.txt"
    outside.write_text("mine", encoding="utf-8")
    (out / "stranger.txt").write_text("x", encoding="utf-8")
    manifest = json.loads((out / "publication.json").read_text(encoding="utf-8"))
    manifest["files"] |= {"../outside.txt": "0", str(outside): "0"}
    (out / "publication.json").write_text(json.dumps(manifest), encoding="utf-8")
    go(run, out, force=True)
    assert outside.read_text(encoding="utf-8") == "mine"


def test_a_broken_manifest_is_named(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "publication.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"publication.json: cannot be read"):
        go(run, tmp_path / "out")


def test_the_dataset_itself_is_never_the_place(run, tmp_path):
    before = sorted(run.path.rglob("*"))
    for out in (run.path, run.path.parent, run.path / "published", run.path / "deep" / "published"):
        with pytest.raises(DataError, match="holds the dataset's or lies in it; choose another --out"):
            go(run, out, force=True)
    assert sorted(run.path.rglob("*")) == before
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="is a file"):
        go(run, tmp_path / "file")
    with pytest.raises(DataError, match=r"file: cannot be written"):
        go(run, tmp_path / "file" / "out")


def test_a_release_that_fails_leaves_the_earlier_one(run, tmp_path, monkeypatch):
    out = tmp_path / "out"
    before = go(run, out)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place.Path, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        go(run, out)
    monkeypatch.undo()
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


KILLED = """
import sys
from pathlib import Path
from srpo.progress import silent
from srpo.publish import PublishPlan, publish
while True:
    publish(PublishPlan(Path(sys.argv[1]), Path(sys.argv[2]), audited=False), silent)
    print("done", flush=True)
"""


def test_a_kill_at_any_time_leaves_a_whole_release_or_none(run, tmp_path):
    out, whole = tmp_path / "home" / "out", tmp_path / "whole"
    expected = {name: (whole / name).read_bytes() for name in go(run, whole)}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(run.path), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "done\n"
        # It goes on in a loop, so that this is somewhere within a release.
        time.sleep(random.Random(4).uniform(0.05, 0.3))
        process.kill()
        process.wait()
    (out.parent / f".out.{process.pid}.tmp").mkdir(exist_ok=True)
    if out.exists():
        assert {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} == set(expected)
    assert {name: (out / name).read_bytes() for name in go(run, out)} == expected
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_release_that_was_set_aside_by_a_killed_process_comes_back(run, tmp_path):
    out = tmp_path / "home" / "out"
    go(run, out)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    out.rename(out.parent / f".out.{process.pid}.old")
    (out.parent / f".out.{os.getppid()}.tmp").mkdir()
    with place.beside(out):
        assert (out / "publication.json").is_file()
    # What a process that runs is writing stays.
    assert sorted(path.name for path in out.parent.iterdir()) == [f".out.{os.getppid()}.tmp", "out"]
