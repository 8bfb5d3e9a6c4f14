"""The published files themselves, where a copy is: `SRPO_BENCHMARKS` names the folder."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from srpo.benchmarks import BENCHMARKS, validate
from srpo.errors import DataError
from srpo.types import Item

FOLDER = Path(os.environ.get("SRPO_BENCHMARKS", Path(__file__).parents[2] / "../shared/benchmarks")).resolve()
PLACES = {
    "siuo": "siuo/siuo_gen.json",
    "siuo_mcqa": "siuo/siuo_mcqa.json",
    "vlsbench": "vlsbench/data.json",
    "mossbench": "mossbench/information.json",
    "xstest": "xstest/xstest_prompts.csv",
    "msts": "msts/prompts_english_multimodal.csv",
}


def published(name: str) -> Path:
    path = FOLDER / PLACES[name]
    if not path.is_file():
        pytest.skip(f"no copy of {PLACES[name]} in {FOLDER} (SRPO_BENCHMARKS)")
    return path


def load(name: str) -> list[Item]:
    return BENCHMARKS[name].load(published(name), check_images=False)


@pytest.mark.parametrize(
    ("name", "items", "clusters", "categories", "pictures"),
    [
        ("siuo", 167, 167, 9, 167),
        ("siuo_mcqa", 167, 167, 9, 167),
        ("vlsbench", 2241, 1957, 6, 1957),
        ("mossbench", 300, 300, 3, 300),
        ("xstest", 450, 450, 18, 0),
        ("msts", 400, 200, 5, 200),
    ],
)
def test_counts(name, items, clusters, categories, pictures):
    found = load(name)
    counts = [len(found), *(len({getattr(item, field) for item in found}) for field in ("cluster", "category"))]
    assert counts == [items, clusters, categories]
    assert len({image for item in found for image in item.images}) == pictures
    assert {item.benchmark for item in found} == {name} and {item.licence for item in found} == {
        BENCHMARKS[name].licence
    }


def test_parts():
    assert Counter(item.correct for item in load("siuo_mcqa")) == {"A": 51, "B": 35, "C": 34, "D": 47}
    assert set(Counter(item.subset for item in load("mossbench")).values()) == {100}
    assert Counter(item.subset for item in load("xstest")) == {"safe": 250, "contrast": 200}
    assert Counter(item.subset for item in load("msts")) == {"assistance": 200, "intention": 200}
    assert len({item.question for item in load("vlsbench")}) == 2226
    assert [item.id for item in load("vlsbench") if not item.question] == ["vlsbench:1685"]


@pytest.mark.parametrize("name", PLACES)
def test_right_answers_score_right_and_wrong_ones_wrong(name):
    items = load(name)[:400]
    for protocol in BENCHMARKS[name].protocols:
        assert validate(BENCHMARKS[name], items, protocol) == []


def test_the_pictures_that_are_there_open_and_the_others_are_counted(tmp_path):
    path = published("mossbench")
    there = {picture.stem for picture in path.parent.joinpath("images").iterdir()}
    rows = json.loads(path.read_text(encoding="utf-8"))
    part = tmp_path / "information.json"
    part.write_text(json.dumps({name: row for name, row in rows.items() if name in there}), encoding="utf-8")
    items = BENCHMARKS["mossbench"].load(part, path.parent / "images")
    assert len(items) == len(there) == 20
    assert any(Path(item.images[0]).read_bytes()[8:12] == b"WEBP" for item in items)
    with pytest.raises(DataError, match="280 of the 300 pictures"):
        BENCHMARKS["mossbench"].load(path)


@pytest.mark.parametrize("name", PLACES)
def test_damaged_copies_are_refused(name, tmp_path):
    path = published(name)
    data, copy = path.read_bytes(), tmp_path / path.name
    is_csv = path.suffix == ".csv"

    def refused(damaged: bytes) -> str:
        copy.write_bytes(damaged)
        with pytest.raises(DataError) as error:
            BENCHMARKS[name].load(copy, check_images=False)
        assert str(copy) in str(error.value)
        return str(error.value)

    end = data.rindex(b",") if is_csv else len(data) * 2 // 3
    assert ("cells" if is_csv else "cut off") in refused(data[:end])
    assert "is empty" in refused(b"")
    assert "not UTF-8" in refused(data[: len(data) // 2] + b"\xff" + data[len(data) // 2 :])
    assert "twice" in refused(with_twice(data)) or "already given" in refused(with_twice(data))
    assert "is missing" in refused(without_field(data, is_csv))
    assert re.search(r"row (2|1).*, field \w+: ", refused(with_wrong_type(data, is_csv)))


def with_twice(data: bytes) -> bytes:
    """The first row once more at the end."""
    text = data.decode()
    if not text.startswith(("[", "{")):
        rows = list(csv.reader(io.StringIO(text)))
        return as_csv([*rows, rows[1]])
    rows = json.loads(text)
    if isinstance(rows, list):
        return json.dumps([*rows, rows[0]]).encode()
    return f"{text.rstrip()[:-1]},{json.dumps('1')}:{json.dumps(rows['1'])}}}".encode()


def without_field(data: bytes, is_csv: bool) -> bytes:
    """Without what asks the question."""
    names = {"question", "instruction", "prompt", "prompt_text"}
    if is_csv:
        rows = list(csv.reader(io.StringIO(data.decode())))
        place = next(index for index, name in enumerate(rows[0]) if name in names)
        return as_csv([row[:place] + row[place + 1 :] for row in rows])
    rows = json.loads(data)
    for row in rows if isinstance(rows, list) else rows.values():
        for name in names & row.keys():
            del row[name]
    return json.dumps(rows).encode()


def with_wrong_type(data: bytes, is_csv: bool) -> bytes:
    """The second row's question is a number; cells of CSV are all text, so there it is blank."""
    names = {"question", "instruction", "prompt", "prompt_text"}
    if is_csv:
        rows = list(csv.reader(io.StringIO(data.decode())))
        rows[2][next(index for index, name in enumerate(rows[0]) if name in names)] = " "
        return as_csv(rows)
    rows = json.loads(data)
    second = rows[1] if isinstance(rows, list) else list(rows.values())[1]
    second[next(iter(names & second.keys()))] = 5
    return json.dumps(rows).encode()


def as_csv(rows: list[list[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()
