"""One command from nothing to a published dataset, over real HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from srpo.cli import app
from srpo.data.folder import DatasetFolder
from srpo.records import read_records
from srpo.simulate.checks import ChecksReport
from srpo.simulate.dataset import WorldDataset, make_dataset
from srpo.simulate.reviewers import SimulatedReviewers
from srpo.types import DraftSet, Rejection, Sample


def test_a_dataset_from_nothing_without_errors_is_right_and_a_second_start_asks_nothing(tmp_path: Path) -> None:
    command = ["world", "dataset", str(tmp_path), "--sets", "3", "--pictures", "8", "--seed", "1"]
    command += ["--agent-errors", "0", "--judge-errors", "0", "--failures", "0.02"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output + repr(result.exception)
    folder = DatasetFolder(tmp_path / "build")
    report = ChecksReport.model_validate_json((tmp_path / "checks.json").read_text(encoding="utf-8"))
    assert report.kept_sets >= 3 and report.kept.hits == report.kept.n == 4 * report.kept_sets
    right = {row.stage: row.right.hits == row.right.n for row in report.stages}
    before = ("query", "reasoning", "reflection")
    assert right == {stage: stage not in before for stage in right}, "unsafe pictures go out by adjudication"
    by_name = {figures.name: figures for figures in report.checks}
    assert by_name["image_only"].defects >= 1, "a picture of the pool is unsafe by itself"
    for figures in report.checks:
        assert figures.recall.hits == figures.recall.n and figures.precision.hits == figures.precision.n
    reasons = {row.reason for row in read_records(folder.rejections, Rejection)}
    assert reasons <= {"image_only", "nothing_found", "no_picture"}, "without errors, nothing else is dropped"
    samples = read_records(folder.samples, Sample)
    assert {sample.cell for sample in samples} == {"hazard", "benign_image", "benign_text", "benign_both"}
    assert len(read_records(folder.sets, DraftSet)) == len(samples) / 4
    files = {path: path.read_bytes() for path in (folder.samples, folder.reviews, folder.usage)}
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0 and {path: path.read_bytes() for path in files} == files
    assert json.loads((tmp_path / "pool.json").read_text(encoding="utf-8")) == {"pictures": 8, "seed": 1}


def test_another_seed_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pool.json").write_text('{"pictures": 12, "seed": 1}', encoding="utf-8")
    plan = WorldDataset(tmp_path, 6, 0, 0, 0, seed=2, pictures=12)
    with pytest.raises(Exception, match="choose another folder"):
        make_dataset(plan, SimulatedReviewers(), lambda *_: pytest.fail("nothing is begun"), print)
