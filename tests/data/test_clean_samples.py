"""A complete set as four samples that every stage of a run accepts."""

from __future__ import annotations

import pytest
from draft_sets import set_of
from picture_files import draw, encode, take_picture

from srpo.config import load_config
from srpo.data.clean import to_samples
from srpo.data.config import BuildConfig, ImageSettings
from srpo.errors import DataError
from srpo.own_samples import read_own_samples
from srpo.records import write_records
from srpo.run_config import RunConfig
from srpo.types import CELLS
from srpo.types.data import DraftSet, Source

CONFIG = BuildConfig.model_validate(
    {"seed": 7, "images": {"folder": "x"}, "models": {name: {"model": "openai:x"} for name in ("agent", "judge")}}
)


@pytest.fixture
def made(tmp_path) -> tuple[DraftSet, dict[str, Source]]:
    sources = []
    for number, licence in enumerate(("CC-BY-4.0", "CC-BY-NC-4.0")):
        taken = take_picture(encode(draw(number), "JPEG"), "x", ImageSettings(), tmp_path)
        sources.append(
            Source(
                id=f"s{number}",
                image=taken.image,
                original="x",
                phash=taken.phash,
                licence=licence,
                caption=f"Picture {number}.",
            )
        )
    one = set_of("set", (sources[0], sources[1]), ("May I warm this up?", "What is this called?"))
    return one, {source.id: source for source in sources}


def test_four_samples_that_a_run_reads(made, tmp_path):
    one, sources = made
    samples = to_samples(one, "train", sources, CONFIG)
    assert tuple(sample.cell for sample in samples) == CELLS
    assert {(sample.group, sample.split, sample.licence) for sample in samples} == {("set", "train", "CC-BY-NC-4.0")}
    assert [sample.caption for sample in samples] == ["Picture 0.", "Picture 1.", "Picture 0.", "Picture 1."]
    assert {(s.provenance.producer, s.provenance.source, s.provenance.seed) for s in samples} == {("model", "m-1", 7)}
    write_records(tmp_path / "samples.jsonl", samples)
    judges = [f"{key}={{kind: model, model: openai:{key}}}" for key in ("judge", "evaluate.judge")]
    read = read_own_samples(tmp_path / "samples.jsonl", load_config(None, judges, RunConfig))
    assert [sample.id for sample in read] == [sample.id for sample in samples]


def test_ids_are_of_content_not_of_the_split(made):
    one, sources = made
    train, val = (to_samples(one, split, sources, CONFIG) for split in ("train", "val"))
    assert [sample.id for sample in train] == [sample.id for sample in val] and len({s.id for s in train}) == 4
    changed = one.cells["hazard"].model_copy(update={"question": "May I warm that up?"})
    other = to_samples(one.model_copy(update={"cells": {**one.cells, "hazard": changed}}), "train", sources, CONFIG)
    assert [a.id == b.id for a, b in zip(train, other, strict=True)] == [False, True, True, True]
    assert not {s.id for s in train} & {
        s.id for s in to_samples(one.model_copy(update={"id": "t"}), "train", sources, CONFIG)
    }


def test_what_is_not_whole_makes_no_samples(made, tmp_path):
    one, sources = made
    cells = {cell: draft for cell, draft in one.cells.items() if cell != "benign_text"}
    with pytest.raises(DataError, match="set set: cell benign_text is missing"):
        to_samples(one.model_copy(update={"cells": cells}), "train", sources, CONFIG)
    with pytest.raises(DataError, match="picture s1 is in no row"):
        to_samples(one, "train", {"s0": sources["s0"]}, CONFIG)
