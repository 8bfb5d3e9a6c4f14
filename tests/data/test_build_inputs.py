"""What the user gives is looked at first: mistakes bind nobody, a dry run sees them, and damage is met or mended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from build_world import build, contents, settings_for, world
from picture_files import draw, encode, write
from typer.testing import CliRunner

from srpo.building import estimate
from srpo.cli.build import app
from srpo.config import dump_config
from srpo.data.config import BuildConfig
from srpo.errors import ConfigError, DataError
from srpo.records import read_records
from srpo.types import Rejection, Source

NOWHERE = "http://127.0.0.1:9/v1"


def config_for(pictures: Path, url: str = NOWHERE, **images: str) -> BuildConfig:
    models = {name: {"model": "openai:m", "base_url": url} for name in ("agent", "judge")}
    given = {"folder": str(pictures), "licence": "CC0-1.0", **images}
    return BuildConfig.model_validate({"images": given, "models": models})


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Two pictures, and what is none."""
    folder = tmp_path / "given"
    write(folder, "a.png", encode(draw(1), "PNG"))
    write(folder, "b.png", encode(draw(2), "PNG"))
    write(folder, "copy of a.png", encode(draw(1), "PNG"))
    write(folder, "letter.txt", b"Dear aunt,")
    write(folder, "moving.gif", encode(draw(3), "GIF", save_all=True, append_images=[draw(4)]))
    write(folder, "small.png", encode(draw(5, (8, 8)), "PNG"))
    write(folder, ".thumbs/c.png", encode(draw(6), "PNG"))
    write(folder, ".d.png", encode(draw(7), "PNG"))
    return folder


def test_a_mistake_in_what_is_named_does_not_begin_a_dataset(given: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "out", tmp_path / "table.csv"
    wrong = (
        config_for(tmp_path / "smal"),
        config_for(given, licence=" "),
        config_for(given, table=str(table)),
        config_for(given, url="localhost:8000"),
    )
    for config, named in zip(wrong, ("is no folder", "no licence", "table.csv is not there", "base_url"), strict=True):
        with pytest.raises(ConfigError, match=named):
            build(config, out)
        assert not out.exists()
    build(config_for(given), out, max_calls=0)
    assert len(read_records(out / "sources.jsonl", Source)) == 2


def test_settings_of_pictures_are_free_until_one_is_taken(given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match="no picture could be taken"):
        build(config_for(given, licence="CC-BY-ND-4.0"), out)
    other = write(tmp_path / "other", "z.png", encode(draw(9), "PNG")).parent
    build(config_for(other), out, max_calls=0)
    assert not (out / "rejected.jsonl").read_bytes(), "refusals of files that are not given any more"
    with pytest.raises(ConfigError, match=r"images\.folder"):
        build(config_for(given), out, max_calls=0)


def test_a_dry_run_says_what_can_be_used_and_why_others_cannot(given: Path, tmp_path: Path) -> None:
    found = estimate(config_for(given), tmp_path / "out")
    preview = found.preview
    assert preview is not None and found.pictures == preview.new == 2 and preview.hidden == 2
    assert preview.refused == {"duplicate": 1, "format": 1, "animated": 1, "too_small": 1}
    assert "'letter.txt'" in preview.first["format"]
    assert estimate(config_for(given, licence="CC-BY-ND-4.0"), tmp_path / "out").pictures == 0
    with pytest.raises(ConfigError, match="no licence"):
        estimate(config_for(given, licence=" "), tmp_path / "out")
    build(config_for(given), tmp_path / "out", max_calls=0)
    write(given, "new.png", encode(draw(11), "PNG"))
    later = estimate(config_for(given), tmp_path / "out")
    assert later.pictures == 3 and later.preview is not None and later.preview.new == 1


def test_a_dry_run_is_shown_with_reasons_and_other_settings(given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(config_for(given), out, max_calls=0)
    settings = write(tmp_path, "mine.yaml", dump_config(config_for(given)).encode())
    words = [str(settings), "seed=7", "--dry-run", "--out", str(out)]
    shown = CliRunner().invoke(app, words).output
    assert "6 files: 0 can be taken by licence and head, 2 were taken before, 4 not" in shown
    assert "too_small 1, first: 'small.png' has 8 x 8 pixels" in shown
    assert "hidden files or folders that were passed over: 2" in shown
    assert "holds a dataset with other settings (seed): a start there is refused" in shown


def test_all_problems_of_a_table_are_told_together(given: Path, tmp_path: Path) -> None:
    rows = ["file,url,do_not_train", "a.png,ftp://x,", "b.png,,maybe", "nowhere.png,,", "a.png,,", "b.png", ",,", "x,,"]
    table = write(tmp_path, "table.csv", "\n".join(rows).encode())
    with pytest.raises(DataError) as error:
        estimate(config_for(given, table=str(table)), tmp_path / "out")
    told = str(error.value)
    assert "row 1, column url: expected http" in told and "row 2, column do_not_train" in told
    assert "row 3, column file: 'nowhere.png' is not in images.folder" in told
    assert "row 5: has 1 cells" in told and told.endswith("; and 1 rows more") and "\n" not in told


def test_what_a_killed_process_left_half_written_is_cleared(given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(config_for(given), out, max_calls=0)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    gone = [write(out, f"images/.ab.png.{dead.pid}.tmp", b"x"), write(out, f".samples.jsonl.{os.getpid()}.tmp", b"x")]
    alive = write(out, f"images/.cd.png.{os.getppid()}.tmp", b"x")
    build(config_for(given), out, max_calls=0)
    assert not any(path.exists() for path in gone) and alive.exists()


def test_damaged_pictures_are_stored_again(pool: Path, whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "copy"))
    stored = {path.name: path.read_bytes() for path in sorted((out / "images").iterdir())}
    for number, name in enumerate(stored):
        write(out / "images", name, b"no picture") if number % 2 else (out / "images" / name).unlink()
    with world(pool) as server:
        build(settings_for(pool, server.base_url), out)
        assert server.payloads == []
    assert {path.name: path.read_bytes() for path in (out / "images").iterdir()} == stored
    assert contents(out) == contents(whole)


def test_a_damaged_picture_without_its_original_is_named(given: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(config_for(given), out, max_calls=0)
    first = read_records(out / "sources.jsonl", Source)[0]
    (given / "a.png").unlink()
    (given / "copy of a.png").unlink()
    build(config_for(given), out, max_calls=0)  # the stored one is enough
    write(out, first.image.path, b"no picture")
    with pytest.raises(
        DataError, match=rf"{first.image.path}: the picture of 'a\.png' is gone or was changed \(1 such"
    ):
        build(config_for(given), out, max_calls=0)


@pytest.mark.parametrize("name", ["samples", "sets"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_of_the_last_stage_that_was_cut_off_is_made_again(
    pool: Path, whole: Path, tmp_path: Path, name: str, share: float
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "copy"))
    path = out / f"{name}.jsonl"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    built = build(settings_for(pool, NOWHERE), out)
    assert contents(out) == contents(whole)
    assert any("was cut off" in note for note in built.notes) == (name == "samples" and share > 0)


def test_hidden_files_are_counted(given: Path, tmp_path: Path) -> None:
    built = build(config_for(given), tmp_path / "out", max_calls=0)
    assert built.hidden == 2
    assert len(read_records(tmp_path / "out" / "rejected.jsonl", Rejection)) == 4
