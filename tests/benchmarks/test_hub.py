"""Datasets of the `datasets` library, made here and saved to disk."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from srpo.benchmarks.hub import is_dataset, read_dataset
from srpo.errors import DataError

datasets = pytest.importorskip("datasets")


def picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def dataset() -> datasets.Dataset:
    features = datasets.Features({"id": datasets.Value("string"), "image": datasets.Image()})
    rows = {"id": ["a", "b", "c"], "image": [{"bytes": picture(c), "path": None} for c in ("red", "blue", "red")]}
    return datasets.Dataset.from_dict(rows, features=features)


def test_pictures_become_files_and_equal_ones_become_one(dataset, tmp_path):
    datasets.DatasetDict({"test": dataset}).save_to_disk(tmp_path / "saved")
    rows = list(read_dataset(tmp_path / "saved", tmp_path / "pictures"))
    assert [(row.config, row.split, row.number, row.fields["id"]) for row in rows] == [
        ("saved", "test", 1, "a"),
        ("saved", "test", 2, "b"),
        ("saved", "test", 3, "c"),
    ]
    names = [row.fields["image"] for row in rows]
    assert names[0] == names[2] != names[1]
    assert (tmp_path / "pictures" / names[1]).read_bytes() == picture("blue")
    assert len(list((tmp_path / "pictures").iterdir())) == 2


def test_a_folder_of_datasets_has_one_configuration_each(dataset, tmp_path):
    for name in ("Fraud", "Sex"):
        dataset.select([0]).save_to_disk(tmp_path / "all" / name)
    assert is_dataset(tmp_path / "all")
    assert [row.config for row in read_dataset(tmp_path / "all", tmp_path / "pictures")] == ["Fraud", "Sex"]


def test_parquet_as_hubs_keep_it(dataset, tmp_path):
    file = tmp_path / "data" / "Fraud" / "SD-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    dataset.to_parquet(file)
    assert is_dataset(tmp_path) and is_dataset(file)
    for path in (tmp_path, file):
        row = next(read_dataset(path, tmp_path / "pictures"))
        assert (row.config, row.split, row.fields["id"]) == ("Fraud", "SD", "a")


def test_pictures_without_a_folder_are_refused(dataset, tmp_path):
    dataset.save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match="holds pictures; name a folder"):
        list(read_dataset(tmp_path / "saved", None))


def test_a_hub_that_cannot_be_reached_says_what_to_do(monkeypatch):
    def unreachable(name, revision=None):
        raise ConnectionError(f"no route to the hub for {name} at {revision}\nlong trace")

    monkeypatch.setattr(datasets, "get_dataset_config_names", unreachable)
    with pytest.raises(
        DataError, match=r"hub:some/name: .*no route to the hub for some/name at v2\); .*save_to_disk"
    ) as error:
        list(read_dataset(Path("hub:some/name@v2"), None))
    assert "\n" not in str(error.value)


def test_broken_parquet_and_broken_folders_are_named(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match=r"x\.parquet: not Parquet"):
        list(read_dataset(tmp_path / "x.parquet", None))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["test"]}')
    with pytest.raises(DataError, match="saved: not a dataset"):
        list(read_dataset(tmp_path / "saved", None))


def test_other_files_are_no_datasets(tmp_path):
    (tmp_path / "rows.json").write_text("[]")
    assert not is_dataset(tmp_path) and not is_dataset(tmp_path / "rows.json")


def test_without_the_library_the_message_says_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.setattr("srpo.benchmarks.hub.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r'pip install "srpo\[data\]", or export the rows .*to_json'):
        list(read_dataset(tmp_path, None))
