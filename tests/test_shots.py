"""A system that is shown training samples before every request."""

from __future__ import annotations

from typing import Any

import pytest

from srpo.errors import DataError
from srpo.progress import silent
from srpo.records import read_records
from srpo.run_config import RunConfig
from srpo.runs import RunFolder
from srpo.stages import run_stage
from srpo.stages.questions import Evaluation
from srpo.types import CELLS, Sample


def evaluation(folder: Any, train: int = 2, shots: int = 4) -> Evaluation:
    config = RunConfig.model_validate(
        {
            "world": {"train": train, "test_scenes": 1, "test_combinations": 0, "test_rules": 0},
            "systems": {"shown": {"model": "embedded", "shots": shots}},
            "evaluate": {"systems": ["base", "shown"], "splits": ["test_scenes"]},
        }
    )
    run = RunFolder.create(folder)
    run.save_config(config)
    run_stage(run, config, "init", silent)
    return Evaluation.of(run, config, None)


def test_examples_come_before_the_request_and_hold_every_cell(tmp_path):
    task = evaluation(tmp_path)
    question = next(task.questions())
    plain, shown = (task.request(system, question) for system in ("base", "shown"))
    assert shown.messages[-1:] == plain.messages and len(plain.messages) == 1
    assert [message.role for message in shown.messages] == ["user", "assistant"] * 4 + ["user"]
    references = {s.reference.text: s for s in read_records(task.run.samples, Sample) if s.split == "train"}
    told = [references[message.text] for message in shown.messages[1::2]]
    assert sorted(sample.cell for sample in told) == sorted(CELLS)
    assert [m.text for m in shown.messages[:-1:2]] == [sample.question for sample in told]


def test_every_request_has_its_own_examples_and_always_the_same(tmp_path):
    one, two = (evaluation(tmp_path / name, train=8) for name in ("a", "b"))
    drawn = [[m.text for m in one.request("shown", q).messages[1::2]] for q in one.questions()]
    assert drawn == [[m.text for m in two.request("shown", q).messages[1::2]] for q in two.questions()]
    assert len({tuple(texts) for texts in drawn}) > 1


def test_without_training_samples_there_is_nothing_to_show(tmp_path):
    task = evaluation(tmp_path, train=0)
    with pytest.raises(DataError, match="no sample of split train"):
        task.request("shown", next(task.questions()))
