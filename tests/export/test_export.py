"""The command: what it writes, what it refuses, and that a failed export leaves nothing."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from exported_run import export, judged_run, rows_of
from typer.testing import CliRunner

from run_files import call, error_line
from srpo.cli import app
from srpo.errors import ConfigError, DataError
from srpo.export import examples_of
from srpo.records import read_records, write_records
from srpo.runs import RunFolder
from srpo.types import Contrast, Sample


@pytest.fixture(scope="module")
def judged(tmp_path_factory: Any) -> Any:
    return judged_run(tmp_path_factory.mktemp("runs") / "judged")


@pytest.fixture
def copied(judged: Any, tmp_path: Path) -> Any:
    """The run in a folder of the test's own, and its settings."""
    shutil.copytree(judged[0].path, tmp_path / "copy")
    return RunFolder(tmp_path / "copy"), judged[1]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_command_prints_counts_and_paths(judged, tmp_path):
    words = ["export", str(judged[0].path), "--format", "llamafactory", "--out", str(tmp_path), "--copy-images"]
    result = CliRunner().invoke(app, words)
    lines = result.output.splitlines()
    assert result.exit_code == 0 and lines[0] == f"30 rows of kind preference in {tmp_path / 'srpo_preference.jsonl'}"
    assert lines[1].endswith(str(tmp_path / "dataset_info.json"))
    assert lines[2].endswith(f"pictures copied to {tmp_path / 'images'}")
    assert lines[3].startswith("2 rows left out: their text holds a tag (<image>, <video>, <audio>)")


def test_the_usual_kind_of_verl_is_reward(judged, tmp_path):
    words = ["export", str(judged[0].path), "--format", "verl", "--out", str(tmp_path)]
    assert "srpo_reward.parquet" in CliRunner().invoke(app, words).output
    assert files(tmp_path) == ["srpo_reward.parquet"]


def test_an_error_is_one_line(judged, tmp_path):
    done = call("export", judged[0].path, "--format", "verl", "--kind", "sft", "--out", tmp_path)
    assert "verl has no place for kind sft; it takes: reward" in error_line(done.returncode, done.stderr)


def test_nothing_is_replaced_without_force(judged, tmp_path):
    path = export(*judged, tmp_path, "trl", "preference").path
    path.write_text("mine\n")
    with pytest.raises(DataError, match=r"is there already; --force"):
        export(*judged, tmp_path, "trl", "preference")
    assert path.read_text() == "mine\n"
    assert export(*judged, tmp_path, "trl", "preference", force=True).rows == len(rows_of(path)) == 32


def test_other_descriptions_stay(judged, tmp_path):
    info = tmp_path / "dataset_info.json"
    info.write_text('{"mine": {"file_name": "mine.json"}}')
    with pytest.raises(DataError, match=r"dataset_info\.json: is there already"):
        export(*judged, tmp_path, "llamafactory", "sft")
    export(*judged, tmp_path, "llamafactory", "sft", force=True)
    assert list(json.loads(info.read_text())) == ["mine", "srpo_sft"]


@pytest.mark.parametrize("text", ["[1]", "{"])
def test_a_description_of_another_kind_is_not_touched(judged, tmp_path, text):
    (tmp_path / "dataset_info.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset_info\.json: .*choose another"):
        export(*judged, tmp_path, "llamafactory", "sft", force=True)
    assert files(tmp_path) == ["dataset_info.json"]


def test_pictures_are_named_absolutely_or_copied_beside_the_rows(judged, tmp_path):
    there = [row["images"][0] for row in rows_of(export(*judged, tmp_path / "a", "trl", "sft").path)]
    done = export(*judged, tmp_path / "b", "trl", "sft", copy_images=True)
    copies = [row["images"][0] for row in rows_of(done.path)]
    assert done.copied == len(set(copies)) == len(files(tmp_path / "b" / "images"))
    for original, copy in zip(there, copies, strict=True):
        assert Path(original).is_absolute() and Path(original).read_bytes() == (tmp_path / "b" / copy).read_bytes()
    assert export(*judged, tmp_path / "b", "trl", "reward", copy_images=True).copied == 0


def test_verl_has_its_pictures_inside(judged, tmp_path):
    with pytest.raises(ConfigError, match="leave the option out"):
        export(*judged, tmp_path, "verl", "reward", copy_images=True)


def test_a_missing_picture_is_named(copied, tmp_path):
    run, config = copied
    next(run.images.iterdir()).unlink()
    with pytest.raises(DataError, match=r"images/\w+\.png: no such picture, which sample \w+ needs"):
        export(run, config, tmp_path / "out", "trl", "sft")
    assert files(tmp_path / "out") == []


def test_contrasts_of_training_are_taken_if_it_has_run(copied, tmp_path):
    run, config = copied
    tree = json.loads(run.trees.read_text().splitlines()[0])["id"]
    write_records(run.contrasts, [Contrast(tree=tree, prefix=0, chosen=7, rejected=8)])
    assert export(run, config, tmp_path / "out", "trl", "preference").rows == 1
    for name, node, what in (("other", 8, "tree other"), (tree, 99, f"a branch of tree {tree}")):
        write_records(run.contrasts, [Contrast(tree=name, prefix=0, chosen=7, rejected=node)])
        with pytest.raises(DataError, match=rf"names {what}, which .*trees\.jsonl does not have"):
            export(run, config, tmp_path / "again", "trl", "preference")


def test_contrasts_need_judged_branches_and_references_do_not(copied, tmp_path):
    run, config = copied
    run.verdicts.unlink()
    with pytest.raises(DataError, match="run the stage that writes it first"):
        export(run, config, tmp_path / "out", "trl", "preference")
    assert export(run, config, tmp_path / "out", "trl", "sft").rows == 16


def test_rows_are_made_one_by_one_and_a_late_error_leaves_no_file(copied, tmp_path):
    run, config = copied
    first = json.loads(run.trees.read_text().splitlines()[0])["id"]
    write_records(run.contrasts, [Contrast(tree=first, prefix=0, chosen=7, rejected=8)])
    with run.trees.open("a") as file:
        file.write("broken\n")
    assert next(examples_of(run, config, "preference")).chosen is not None
    with pytest.raises(DataError, match="line 17: not JSON"):
        export(run, config, tmp_path / "out", "trl", "preference")
    assert files(tmp_path / "out") == []


def test_an_export_of_nothing_is_an_error(copied, tmp_path):
    run, config = copied
    write_records(run.contrasts, [])
    with pytest.raises(DataError, match=r"no example of kind preference to export \(it has none\)"):
        export(run, config, tmp_path / "out", "trl", "preference")
    tagged = [s.model_copy(update={"question": "<image>"}) for s in read_records(run.samples, Sample)]
    write_records(run.samples, tagged)
    with pytest.raises(DataError, match="all 16 hold a tag of the format"):
        export(run, config, tmp_path / "out", "swift", "sft")
    assert files(tmp_path / "out") == []


def test_a_folder_that_cannot_be_made_is_named(judged, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match=r"out: cannot be read or written \(File exists\)"):
        export(*judged, tmp_path / "out", "trl", "sft")


def test_a_parquet_file_needs_pyarrow(judged, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install pyarrow"):
        export(*judged, tmp_path, "verl", "reward")
    assert files(tmp_path) == []
