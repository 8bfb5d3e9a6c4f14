"""MSTS as a dataset with pictures inside, one split for each language."""

from __future__ import annotations

import io

import pytest
from mild_files import MSTS, write
from PIL import Image

from srpo.benchmarks import BENCHMARKS
from srpo.errors import DataError

datasets = pytest.importorskip("datasets")


def rows(colours=("red", "blue"), **changes):
    found = []
    for row in MSTS:
        file = io.BytesIO()
        Image.new("RGB", (4, 3), colours[int(row["unsafe_image_id"][-1])]).save(file, "PNG")
        found.append({**row, **changes, "unsafe_image": {"bytes": file.getvalue(), "path": None}})
    return found


def saved(folder, **splits):
    features = {key: datasets.Value("string") for key in MSTS[0]} | {"unsafe_image": datasets.Image()}
    made = {name: datasets.Dataset.from_list(r, features=datasets.Features(features)) for name, r in splits.items()}
    datasets.DatasetDict(made).save_to_disk(folder)
    return folder


def test_the_dataset_gives_the_items_of_the_file_with_its_pictures(tmp_path):
    dataset = saved(tmp_path / "saved", english=rows(), german=rows(prompt_text="Soll ich da hinauf?"))
    found = BENCHMARKS["msts"].load(dataset, tmp_path / "pictures")
    write(tmp_path / "file", "msts")
    same = {"images", "source"}
    published = BENCHMARKS["msts"].load(tmp_path / "file")
    assert [item.model_dump(exclude=same) for item in found] == [item.model_dump(exclude=same) for item in published]
    pictures = [item.images[0] for item in found]
    assert pictures[0] == pictures[1] != pictures[2] and len(list((tmp_path / "pictures").iterdir())) == 2


def test_a_dataset_that_does_not_fit_is_named(tmp_path):
    dataset = saved(tmp_path / "saved", english=[*rows(), rows()[0]])
    with pytest.raises(DataError, match="id msts:prompt_0 was already given"):
        BENCHMARKS["msts"].load(dataset, tmp_path / "pictures")
    with pytest.raises(DataError, match=r"saved/english, row 1.* field prompt_type: is blank"):
        BENCHMARKS["msts"].load(saved(tmp_path / "other" / "saved", english=rows(prompt_type=" ")), tmp_path / "p")
