"""Croissant metadata, checked and read by the reference library."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest
from published import dataset, review, write_config

from srpo.data.config import LeakageSettings
from srpo.progress import silent
from srpo.publish import PublishPlan, publish
from srpo.records import read_records, write_records
from srpo.types import Review, Sample, Source

mlcroissant = pytest.importorskip("mlcroissant")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries underneath


@pytest.fixture(scope="module", params=["full", "open"])
def out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = dataset(tmp_path_factory.mktemp("croissant") / "run", train=2, val=1)
    review(folder, read_records(folder.samples, Sample))
    publish(PublishPlan(folder.path, folder.path.parent / "out", tier=request.param, audited=False), silent)
    return folder.path.parent / "out"


@pytest.fixture
def metadata(out: Path) -> dict:
    return json.loads((out / "croissant.json").read_text(encoding="utf-8"))


def test_the_library_finds_nothing_wrong(out, caplog):
    found = mlcroissant.Dataset(jsonld=str(out / "croissant.json")).metadata
    assert found.ctx.issues.errors == set()
    assert found.ctx.issues.warnings == set()
    assert caplog.text == ""
    assert found.name == "world-ssui"
    assert [str(one) for one in found.license] == ["https://spdx.org/licenses/CC-BY-4.0.html"]
    assert found.annotations_per_item == "2 to 2 decisions of people, on average 2.00"


def test_records_are_read_through_it(out):
    found = list(mlcroissant.Dataset(jsonld=str(out / "croissant.json")).records("samples"))
    text = "".join((out / "jsonl" / f"{split}.jsonl").read_text(encoding="utf-8") for split in ("train", "val"))
    rows = [json.loads(line) for line in text.splitlines()]
    assert [one["samples/id"].decode() for one in found] == [row["id"] for row in rows]
    assert [one["samples/target"].decode() for one in found] == [row["target"] for row in rows]
    assert [one["samples/edited"] for one in found] == [row["edited"] for row in rows]
    assert found[0]["samples/image"].size == (96, 96)
    assert ("samples/unsafe_reply" in found[0]) == ("unsafe_reply" in rows[0])


def test_fields_of_responsible_ai_are_filled(metadata):
    filled = {name.partition(":")[2] for name, value in metadata.items() if name.startswith("rai:") and value}
    assert filled >= {
        *("dataCollection", "dataBiases", "personalSensitiveInformation", "dataUseCases", "dataLimitations"),
        *("dataAnnotationProtocol", "annotationsPerItem", "dataAnnotationPlatform", "machineAnnotationTools"),
    }
    assert metadata["rai:machineAnnotationTools"] == ["agent", "judge@1", "judge@2"]
    assert metadata["datePublished"] == "2026-03-05"


def test_files_are_named_with_their_hashes(out, metadata):
    files = [one for one in metadata["distribution"] if one["@type"] == "cr:FileObject"]
    assert [one["contentUrl"] for one in files] == [
        "data/train-00000-of-00001.parquet",
        "data/val-00000-of-00001.parquet",
    ]
    for one in files:
        with io.FileIO(out / one["contentUrl"]) as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == one["sha256"]


def test_what_is_said_of_pictures_people_and_benchmarks_is_so(tmp_path):
    folder = dataset(tmp_path / "run", train=1, val=1)
    sources = read_records(folder.sources, Source)
    write_records(folder.sources, sources[:-1])
    write_records(folder.rendered, sources[-1:])
    publish(PublishPlan(folder.path, tmp_path / "bare", unreviewed=True, audited=False), silent)
    samples = read_records(folder.samples, Sample)
    review(folder, samples)
    seen = [one.model_copy(update={"blind": False}) for one in read_records(folder.reviews, Review)]
    write_records(folder.reviews, [*seen[:-1], seen[-1].model_copy(update={"blind": True})])
    config = write_config(folder, leakage={"siuo": LeakageSettings(path="siuo.json")})
    publish(PublishPlan(folder.path, tmp_path / "out", audited=False), silent)
    bare, found = (json.loads((tmp_path / name / "croissant.json").read_text("utf-8")) for name in ("bare", "out"))
    used = len({sample.image.sha256 for sample in samples})
    assert bare["rai:dataCollection"].startswith(f"{used - 1} pictures were taken over, 1 drawn by a model")
    assert "people" not in bare["rai:dataCollection"] and "people decided" in found["rai:dataCollection"]
    assert bare["rai:dataCollectionType"] == ["Software Collection"]
    assert bare["rai:dataAnnotationProtocol"] == ["No person has decided."]
    assert f"1 of {len(seen)} such votes were blind" in found["rai:dataAnnotationProtocol"][0]
    assert not any("benchmark" in line for line in bare["rai:dataPreprocessingProtocol"])
    assert any(", ".join(config.leakage) in line for line in found["rai:dataPreprocessingProtocol"])
    for words in (json.dumps(found), (tmp_path / "out" / "README.md").read_text(encoding="utf-8")):
        assert "in English" not in words
