"""Rows against the documented schemas, and texts that must come out as they went in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from exported_run import HOSTILE, SHARED, export, judged_run, rows_of
from schemas import SCHEMAS, DatasetInfo

from srpo.export import FORMATS
from srpo.prompts import load_prompt
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.types import Sample

TAGGED = [name for name in FORMATS if name != "trl"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: Any) -> tuple[RunFolder, RunConfig]:
    return judged_run(tmp_path_factory.mktemp("runs") / "judged")


@pytest.fixture(scope="module")
def samples(judged: Any) -> dict[str, Sample]:
    return {s.id: s for s in read_records(judged[0].samples, Sample) if s.split == "train"}


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    return list(pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist())


def exported(judged: Any, out: Path, name: Any, kind: Any) -> list[dict[str, Any]]:
    path = export(*judged, out, name, kind).path
    return parquet_rows(path) if path.suffix == ".parquet" else rows_of(path)


def turns(row: dict[str, Any]) -> tuple[str, list[str]]:
    """The user's text and the texts of the assistant, chosen first, whatever the format."""
    if "conversations" in row:
        messages = [turn["value"] for turn in row["conversations"]]
        return messages[0], messages[1:] + [row[side]["value"] for side in ("chosen", "rejected") if side in row]
    messages = [turn["content"] for turn in row.get("messages", row.get("prompt"))]
    replies = [row[side][0]["content"] for side in ("completion", "chosen", "rejected") if side in row]
    return messages[0], messages[1:] + replies + [row[k] for k in ("rejected_response",) if k in row]


@pytest.mark.parametrize(("name", "kind"), SCHEMAS)
def test_rows_fit_the_documents(judged, tmp_path, name, kind):
    rows = exported(judged, tmp_path, name, kind)
    assert len(rows) == {"preference": 32, "sft": 16, "reward": 16}[kind] - (name in TAGGED) * (1 + (kind[0] == "p"))
    for row in rows:
        schema = SCHEMAS[name, kind]
        schema.model_validate(row) if name == "verl" else schema.model_validate_json(json.dumps(row))


def test_every_kind_of_a_format_has_a_schema():
    assert set(SCHEMAS) == {(name, kind) for name, form in FORMATS.items() for kind in form.kinds}


@pytest.mark.parametrize(("name", "kind"), [key for key in SCHEMAS if key[0] in TAGGED])
def test_one_tag_per_picture_in_every_text_that_is_read_together(judged, tmp_path, name, kind):
    for row in exported(judged, tmp_path, name, kind):
        user, replies = turns(row)
        assert user.startswith("<image>")
        for reply in replies or [""]:
            assert len(re.findall("<image>|<video>|<audio>", user + reply)) == len(row["images"])


@pytest.mark.parametrize(("name", "kind"), SCHEMAS)
def test_hostile_text_comes_out_unchanged(judged, tmp_path, name, kind):
    user, _ = turns(exported(judged, tmp_path, name, kind)[0])
    assert user.removeprefix("<image>") == f"{HOSTILE}\n\n{load_prompt('six_steps')}"


@pytest.mark.parametrize("name", ["trl", "swift", "llamafactory"])
def test_a_side_is_prefix_and_branch_in_one_turn(judged, samples, tmp_path, name):
    rows = exported(judged, tmp_path, name, "preference")
    references = {sample.reference.text: sample for sample in samples.values()}
    for row in rows:
        _, (chosen, rejected) = turns(row)
        steps = references[chosen].reference.steps  # the good branch is the reference itself
        assert rejected != chosen and rejected.startswith("".join(step.text for step in steps[:-1]))
    if name == "trl":
        assert [row["prefix"] for row in rows[:4]] == [0, SHARED, 0, SHARED]


def test_references_are_what_is_imitated(judged, samples, tmp_path):
    for row in exported(judged, tmp_path, "trl", "sft"):
        assert row["completion"][0]["content"] == samples[row["sample"]].reference.text


def test_the_verl_file_holds_pictures_and_what_a_reward_needs(judged, samples, tmp_path):
    rows = exported(judged, tmp_path, "verl", "reward")
    for row in rows:
        sample = samples[row["extra_info"]["index"]]
        truth = json.loads(row["reward_model"]["ground_truth"])
        assert (truth["sample"], truth["cell"]) == (sample.id, sample.cell)
        assert sample.reference.text.endswith(truth["reply"])
        assert (row["problem"], row["answer"]) == (row["prompt"][0]["content"], row["reward_model"]["ground_truth"])
        assert row["images"][0]["bytes"] == (judged[0].path / sample.image.path).read_bytes()


@pytest.mark.parametrize("kind", ["preference", "sft"])
def test_the_description_for_llama_factory(judged, tmp_path, kind):
    rows = exported(judged, tmp_path, "llamafactory", kind)
    (name, entry), *_ = json.loads((tmp_path / "dataset_info.json").read_text()).items()
    info = DatasetInfo.model_validate(entry)
    assert name == f"srpo_{kind}" and (tmp_path / info.file_name).is_file()
    assert info.ranking == (kind == "preference")
    used = {column for column in info.columns.model_dump().values() if column is not None}
    assert used == set(rows[0])


@pytest.mark.parametrize(("name", "kind"), [("swift", "preference"), ("llamafactory", "sft"), ("verl", "reward")])
def test_texts_with_a_tag_are_left_out_and_counted(judged, samples, tmp_path, name, kind):
    done = export(*judged, tmp_path, name, kind)
    assert done.left_out == (2 if kind == "preference" else 1)
    assert samples[str(done.first_left_out)].question == "What does <image> mean?"


@pytest.mark.parametrize("tag", ["<video>", "<img>x</img>"])
def test_a_tag_in_a_branch_counts_too(judged, tmp_path, tag):
    run, config = judged_run(tmp_path / "run")
    rows = [json.loads(line) for line in run.trees.read_text().splitlines()]
    rows[2]["nodes"][7]["text"] += tag
    run.trees.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert export(run, config, tmp_path / "out", "swift", "preference").left_out == 3
