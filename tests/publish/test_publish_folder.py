"""What a published folder holds, and that libraries and our own stages read it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from published import dataset, review, write_config

from srpo.config import load_config
from srpo.data.folder import DatasetFolder
from srpo.errors import ConfigError, DataError
from srpo.own_samples import read_own_samples
from srpo.progress import silent
from srpo.publish import Published, PublishPlan, publish
from srpo.publish import write as writing
from srpo.publish.material import read_material
from srpo.records import read_records, write_records
from srpo.run_config import RunConfig
from srpo.steps import STEP_NAMES, split
from srpo.types import DraftSet, Sample, Source
from srpo.types.data import Edit

EDIT = Edit(question="May I do this here, please?", steps={"strategy": "Warn, and offer something safe."})
SECRET = "A secret event"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> DatasetFolder:
    """Six sets, all kept but for the second; the first two, which share a request, were edited by both alike."""
    folder = dataset(tmp_path_factory.mktemp("publish") / "run")
    samples = read_records(folder.samples, Sample)
    decide = lambda number, name: "drop" if number == 5 else "edit" if number < 2 else "keep"  # noqa: E731
    review(folder, samples, decide, edit=EDIT)
    return folder


@pytest.fixture(scope="module")
def published(run: DatasetFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("publish") / "out"
    publish(PublishPlan(run.path, out), silent)
    return out


def again(run: DatasetFolder, out: Path, **wishes: object) -> Published:
    return publish(PublishPlan(run.path, out, audited=False, **wishes), silent)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def with_hazard(one: DraftSet, **told: str) -> DraftSet:
    """A set whose hazard has these texts, in its checks too."""
    hazard = one.cells["hazard"]
    checks = [c.model_copy(update={"shown": told["unsafe_reply"]}) for c in hazard.checks]
    return one.model_copy(
        update={"cells": {**one.cells, "hazard": hazard.model_copy(update={**told, "checks": tuple(checks)})}}
    )


def loaded(folder: Path, cache: Path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    return datasets, datasets.load_dataset(str(folder), cache_dir=str(cache))


def test_datasets_loads_all_splits_with_their_features(published, tmp_path):
    datasets, found = loaded(published, tmp_path)
    assert {name: len(rows) for name, rows in found.items()} == {"train": 12, "val": 8}
    features = found["train"].features
    assert features == found["val"].features
    assert features["image"] == datasets.Image()
    assert list(features["steps"]) == list(STEP_NAMES)
    assert features["checks"].feature["votes"].feature["ok"].dtype == "bool"
    assert features["level"].dtype == "int64"
    row = found["train"][0]
    assert row["image"].size == (96, 96)
    assert hashlib.sha256((published / row["image_path"]).read_bytes()).hexdigest() == row["image_sha256"]


def test_json_lines_and_parquet_say_the_same(published, tmp_path):
    datasets, found = loaded(published, tmp_path)
    for split_name, rows in found.items():
        plain = rows.cast_column("image", datasets.Image(decode=False)).to_list()
        pictures = [row.pop("image") for row in plain]
        assert plain == lines(published / "jsonl" / f"{split_name}.jsonl")
        assert [hashlib.sha256(one["bytes"]).hexdigest() for one in pictures] == [row["image_sha256"] for row in plain]


def test_a_row_holds_checks_reviews_and_where_it_comes_from(published, run):
    row = next(row for row in lines(published / "jsonl" / "train.jsonl") if row["edited"])
    assert row["question"] == EDIT.question
    assert row["steps"]["strategy"] == EDIT.steps["strategy"]
    assert split(row["target"]).text == row["target"]
    assert row["target"].endswith(f"Final answer: {row['safe_reply']}")
    assert row["rewritten"] == 1
    assert [check["name"] for check in row["checks"]] == ["text_only", "image_only", "joint", "path", "joint"]
    assert [check["of"] for check in row["checks"]] == ["", "", "", "", "unsafe_reply"]
    assert row["checks"][0]["shown"].startswith("It depends")
    assert row["checks"][4]["shown"] == ""
    assert [vote["ok"] for vote in row["checks"][0]["votes"]] == [True, None]
    assert [(one["reviewer"], one["decision"]) for one in row["reviews"]] == [
        ("reviewer-1", "edit"),
        ("reviewer-2", "edit"),
    ]
    assert row["picture"]["attribution"] == "A. Painter"
    assert row["picture"]["file"] == f"{row['picture']['source']}.png"
    assert row["calls"][0]["seed"] == 2**62
    before = read_records(run.samples, Sample)[0]
    after = next(s for s in read_records(published / "samples.jsonl", Sample) if s.id == row["id"])
    assert after.provenance.parents == (before.id,)


def test_nobody_is_named_and_no_note_is_published(published):
    whole = b"".join(contents(published).values())
    for word in (b"Anna", b"Boris", b"private thought", b"holiday", b"2026-03-01T"):
        assert word not in whole


def test_our_own_stages_read_the_samples(published):
    judged = "{kind: model, model: 'openai:x'}"
    config = load_config(None, [f"judge={judged}", f"evaluate.judge={judged}"], RunConfig)
    samples = read_own_samples(published / "samples.jsonl", config)
    assert len(samples) == 20
    assert {Path(sample.image.path).parent for sample in samples} == {(published / "images").resolve()}


def test_a_set_with_a_dropped_cell_is_not_there(published, run):
    dropped = read_records(run.samples, Sample)[5].group
    assert dropped not in {sample.group for sample in read_records(published / "samples.jsonl", Sample)}


def test_the_same_inputs_give_the_same_bytes_in_whatever_order(published, run, tmp_path):
    turned = DatasetFolder(tmp_path / "turned")
    shutil.copytree(run.path, turned.path)
    for path, kind in ((run.samples, Sample), (run.sources, Source)):
        write_records(turned.path / path.name, list(reversed(read_records(path, kind))))
    publish(PublishPlan(turned.path, tmp_path / "out"), silent)
    old, new = contents(published), contents(tmp_path / "out")
    assert old.keys() == new.keys()
    assert [name for name in old if old[name] != new[name] and name != "publication.json"] == []
    publish(PublishPlan(run.path, tmp_path / "third"), silent)
    assert contents(tmp_path / "third") == old


def test_the_open_tier_has_no_hypothesis_and_no_unsafe_reply(run, tmp_path):
    folder = DatasetFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    samples = read_records(folder.samples, Sample)
    told = {"hypothesis": SECRET, "unsafe_reply": "Sure, a secret way."}
    changed = [s.model_copy(update=told) if s.cell == "hazard" else s for s in samples]
    write_records(folder.samples, changed)
    write_records(folder.sets, [with_hazard(one, **told) for one in read_records(folder.sets, DraftSet)])
    review(folder, changed)
    again(folder, tmp_path / "full")
    again(folder, tmp_path / "open", tier="open")
    secrets = [word.encode() for word in told.values()]
    assert all(word in b"".join(contents(tmp_path / "full").values()) for word in secrets)
    whole = b"".join(contents(tmp_path / "open").values())
    assert [word for word in (*secrets, b"It is harmless.", b"It depends") if word in whole] == []
    assert not {"hypothesis", "unsafe_reply"} & lines(tmp_path / "open" / "jsonl" / "train.jsonl")[0].keys()
    _, found = loaded(tmp_path / "open", tmp_path / "cache")
    assert not {"hypothesis", "unsafe_reply"} & set(found["train"].column_names)


def test_a_large_split_has_several_shards_that_are_one_split(run, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "SHARD_BYTES", 40_000)
    monkeypatch.setattr(writing, "GROUP_ROWS", 2)
    again(run, tmp_path / "out")
    shards = sorted(path.name for path in (tmp_path / "out" / "data").glob("train-*"))
    assert len(shards) > 1
    assert shards[-1] == f"train-{len(shards) - 1:05d}-of-{len(shards):05d}.parquet"
    _, found = loaded(tmp_path / "out", tmp_path / "cache")
    ids = [row["id"] for row in lines(tmp_path / "out" / "jsonl" / "train.jsonl")]
    assert found["train"]["id"][:] == ids


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("samples.jsonl", None, "samples.jsonl: no such file; finish the dataset"),
        ("samples.jsonl", "", "holds no sample"),
        ("samples.jsonl", '{"schema": "srpo/1"', "line 1: not JSON"),
        ("sets.jsonl", None, "sets.jsonl: no such file"),
        ("sets.jsonl", "", "sets.jsonl: no cell .* of set"),
        ("sources.jsonl", "", "sources.jsonl and rendered.jsonl: no source"),
        ("config.yaml", None, "no config.yaml"),
        ("config.yaml", "{}", "config.yaml"),
    ],
)
def test_what_is_missing_or_broken_is_named(run, tmp_path, name, text, problem):
    shutil.copytree(run.path, tmp_path / "run")
    path = tmp_path / "run" / name
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises((DataError, ConfigError), match=problem):
        again(DatasetFolder(tmp_path / "run"), tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["run"]


def test_a_picture_that_is_not_that_of_its_hash_is_named(run, tmp_path):
    folder = DatasetFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    sample = read_records(folder.samples, Sample)[0]
    picture = folder.path / sample.image.path
    picture.write_bytes(picture.read_bytes() + b" ")
    with pytest.raises(DataError, match=f"{sample.image.path}: sha256 is .* but sample"):
        again(folder, tmp_path / "out")
    picture.unlink()
    with pytest.raises(DataError, match=f"{sample.image.path}: cannot be read"):
        again(folder, tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["run"]


def test_a_split_that_datasets_cannot_name_is_refused(run, tmp_path):
    folder = DatasetFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    samples = [s.model_copy(update={"split": "../up"}) for s in read_records(folder.samples, Sample)]
    write_records(folder.samples, samples)
    review(folder, samples)
    with pytest.raises(ConfigError, match=r"split '\.\./up'"):
        again(folder, tmp_path / "out")


def test_unmet_wishes_are_told(run, tmp_path):
    folder = DatasetFolder(tmp_path / "run")
    shutil.copytree(run.path, folder.path)
    config = write_config(folder)
    write_config(
        folder, splits={"train": 0.5, "val": 0.3, "rsbench": 0.2}, clean=config.clean.model_copy(update={"sets": 9})
    )
    found = again(folder, tmp_path / "out").warnings
    assert "5 of 9 minimal sets that were wanted" in found
    assert "split rsbench: no set" in found
    samples = read_records(folder.samples, Sample)
    moved = next(s for s in samples if s.split == "val").image
    samples = [s.model_copy(update={"image": moved}) if s is samples[12] else s for s in samples]
    write_records(folder.samples, samples)
    review(folder, samples)
    assert "1 pictures are in more than one split" in again(folder, tmp_path / "out").warnings
    assert any(one.startswith("category privacy: 0 of at most 3 sets") for one in found)


def test_samples_without_a_picture_are_not_published(run: DatasetFolder, tmp_path: Path) -> None:
    folder = DatasetFolder(shutil.copytree(run.path, tmp_path / "bare"))
    samples = read_records(folder.samples, Sample)
    write_records(folder.samples, [samples[0].model_copy(update={"image": None}), *samples[1:]])
    with pytest.raises(DataError, match="has no picture, and what is published shows one"):
        read_material(folder.path, unreviewed=True)
