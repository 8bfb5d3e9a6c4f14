"""The commands, and rows for other trainers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from published import dataset, review
from typer.testing import CliRunner

from srpo.cli.publish import audit, export
from srpo.data.folder import DatasetFolder
from srpo.errors import ConfigError, DataError
from srpo.progress import silent
from srpo.publish import PublishPlan, publish
from srpo.records import read_records, write_records
from srpo.types import Sample


@pytest.fixture
def run(tmp_path: Path) -> DatasetFolder:
    folder = dataset(tmp_path / "run", train=2, val=1)
    review(folder, read_records(folder.samples, Sample))
    return folder


def command(*words: object) -> str:
    app = typer.Typer()
    app.command()(export)
    app.command()(audit)
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_export_says_what_it_wrote(run, tmp_path):
    out = tmp_path / "out"
    said = command("export", run.path, "--out", out, "--tier", "open", "--format", "trl")
    assert "12 samples in 3 sets (train 8, val 4), licence CC-BY-4.0, tier open" in said
    assert "note: category privacy: 0 of at most 3 sets" in said
    assert f"8 rows of kind sft in {out / 'srpo_sft.jsonl'}" in said
    assert "no figures: hazards are in 3" in said
    assert str(out / "README.md") in said
    assert "pushed" not in said


def test_audit_alone_reads_all_samples_whatever_people_say(tmp_path):
    folder = dataset(tmp_path / "run", train=20, val=1)
    review(folder, read_records(folder.samples, Sample), lambda number, name: "drop")
    said = command("audit", folder.path, "--out", tmp_path / "audit.json")
    assert "shortcut audit of 84 samples (21 of 21 sets complete, 21 clusters" in said
    assert "chance 0.500, one modality at most 0.833" in said
    figures = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))["views"]
    for words, name in (("words of the request", "text"), ("sum of words and pixels", "late_fusion")):
        (line,) = [line for line in said.splitlines() if line.strip().startswith(words)]
        assert f"{figures[name]['value']:.3f} [{figures[name]['low']:.3f}, {figures[name]['high']:.3f}]" in line
    other = command("audit", folder.path, "--seed", 5, "--out", tmp_path / "other.json")
    assert other.splitlines()[-7:] != said.splitlines()[-7:]


@pytest.mark.parametrize("format", ["trl", "swift", "llamafactory"])
def test_other_trainers_find_their_pictures(run, tmp_path, format):
    out = tmp_path / "out"
    publish(PublishPlan(run.path, out, audited=False, format=format), silent)
    rows = [json.loads(line) for line in (out / "srpo_sft.jsonl").read_text(encoding="utf-8").splitlines()]
    samples = [sample for sample in read_records(out / "samples.jsonl", Sample) if sample.split == "train"]
    assert [row["images"] for row in rows] == [[sample.image.path] for sample in samples]
    assert all((out / row["images"][0]).is_file() for row in rows)
    for row, sample in zip(rows, samples, strict=True):
        assert json.dumps(sample.reference.text) in json.dumps(row)
    assert (out / "dataset_info.json").exists() == (format == "llamafactory")
    assert "srpo_sft.jsonl" in json.loads((out / "publication.json").read_text(encoding="utf-8"))["files"]


def test_verl_takes_requests_with_their_pictures_inside(run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "out"
    publish(PublishPlan(run.path, out, audited=False, format="verl"), silent)
    rows = parquet.read_table(out / "srpo_reward.parquet").to_pylist()
    samples = [sample for sample in read_records(out / "samples.jsonl", Sample) if sample.split == "train"]
    assert [row["extra_info"]["index"] for row in rows] == [sample.id for sample in samples]
    assert rows[0]["images"][0]["bytes"] == (out / samples[0].image.path).read_bytes()


def test_what_a_trainer_cannot_have_is_refused(run, tmp_path):
    for format, kind, possible in (("verl", "sft", "reward"), ("llamafactory", "reward", "sft")):
        with pytest.raises(ConfigError, match=f"the format {format} takes {possible}"):
            publish(PublishPlan(run.path, tmp_path / "out", format=format, kind=kind), silent)
    samples = [s.model_copy(update={"split": "val"}) for s in read_records(run.samples, Sample)]
    write_records(run.samples, samples)
    review(run, samples)
    with pytest.raises(DataError, match="no sample is in the split 'train'"):
        publish(PublishPlan(run.path, tmp_path / "out", audited=False, format="trl"), silent)
    assert not (tmp_path / "out").exists()
