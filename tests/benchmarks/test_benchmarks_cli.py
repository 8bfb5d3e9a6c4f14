"""`srpo benchmarks`: what there is, and a check of the user's files."""

from __future__ import annotations

import shutil
from pathlib import Path

from mild_files import write
from typer.testing import CliRunner

from srpo.benchmarks import BENCHMARKS
from srpo.cli import app
from srpo.errors import DataError


def test_every_benchmark_is_listed_with_its_licence() -> None:
    output = CliRunner().invoke(app, ["benchmarks", "list"]).output
    assert all(f"{name} " in output and one.licence in output for name, one in BENCHMARKS.items())


def test_a_copy_is_read_and_played_through(tmp_path: Path) -> None:
    file = write(tmp_path, "siuo")
    done = CliRunner().invoke(app, ["benchmarks", "check", "siuo", str(file), "--no-images"])
    assert done.exit_code == 0 and "siuo: 3 items, 3 clusters" in done.output
    assert "counted as such under official, v1" in done.output


def test_pictures_that_are_missing_are_named(tmp_path: Path) -> None:
    file = write(tmp_path, "siuo")
    shutil.rmtree(tmp_path / "images")
    done = CliRunner().invoke(app, ["benchmarks", "check", "siuo", str(file)])
    assert isinstance(done.exception, DataError) and "3 of the 3 pictures it names are missing" in str(done.exception)
