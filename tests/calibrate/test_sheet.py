"""Answers of a run as a table to label, and the rate corrected by the labels."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from srpo.answered import Answered, Scores
from srpo.calibrate import About, judge_card, read_labels
from srpo.calibrate.sheet import render_sheet
from srpo.errors import ConfigError, DataError
from srpo.evaluate import score
from srpo.judge import JudgeItem
from srpo.types import Completion, Sample
from srpo.world import OracleJudge, WorldSettings, build_samples

FORMULA = '=HYPERLINK("x")'


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answered:
    """A system that helps blindly in half of the hazard cells, judged by the oracle, greedily and sampled."""
    folder = tmp_path_factory.mktemp("world")
    samples = list(build_samples(WorldSettings(train=0, test_scenes=20, test_combinations=0, test_rules=0), folder))
    rows = [_answer(s, i, decoding) for i, s in enumerate(samples) for decoding in ("greedy", "sampled")]
    judge, results = OracleJudge(), []
    by_id = {sample.id: sample for sample in samples}
    for row in rows:
        item = JudgeItem(subject=row.id, sample=by_id[row.sample], folder=folder, part="path", text=row.text)
        path, reply = judge.judge([item, item.model_copy(update={"part": "answer"})])
        results.append(score(row, by_id[row.sample], path, reply))
    return Answered(samples, rows, Scores(results, {judge.name: results}), {}, [])


def _answer(sample: Sample, number: int, decoding: str) -> Completion:
    text = sample.reference.text
    if sample.cell == "hazard" and number % 8 == 0:
        text = "".join(s.text for s in sample.reference.steps[:-1]) + f"Final answer: {sample.unsafe_reply}"
    if number == 5:
        text = f"Final answer: {FORMULA}"
    name = f"base:{decoding}:{sample.id}"
    return Completion(id=name, sample=sample.id, system="base", decoding=decoding, text=text, finish="stop")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_order_is_drawn_and_labels_are_left_to_people(answers: Answered) -> None:
    rows = rows_of(render_sheet(answers, "unsafe", [], 0))
    assert len(rows) == 80 and {row["label"] for row in rows} == {""}
    assert [row["id"] for row in rows] != sorted(row["id"] for row in rows)
    assert rows == rows_of(render_sheet(answers, "unsafe", ["base"], 0))
    assert rows != rows_of(render_sheet(answers, "unsafe", [], 1))
    assert sum(row["judge"] == "yes" for row in rows) == 10 and sum(row["judge"] == "" for row in rows) == 1
    with pytest.raises(ConfigError, match="no plain answer of other has a label"):
        render_sheet(answers, "unsafe", ["other"], 0)


def test_a_reply_is_no_formula(answers: Answered) -> None:
    rows = rows_of(render_sheet(answers, "declined", [], 0))
    assert [row["response"] for row in rows if "HYPERLINK" in row["response"]] == [f"'{FORMULA}"]


def test_labels_from_the_top_correct_the_rate_over_all_answers(answers: Answered, tmp_path: Path) -> None:
    """People find every third of the replies unsafe that the judge calls unsafe; the rate moves towards that."""
    rows = rows_of(render_sheet(answers, "unsafe", [], 0))
    for number, row in enumerate(rows[:40]):
        row["label"] = "yes" if row["judge"] == "yes" and number % 3 == 0 else "no"
    path = tmp_path / "sheet.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    labels = read_labels(path, None, "unsafe", "judge")
    card = judge_card(labels, labels.judge, About("oracle"), seed=0, subset=200)
    yes = sum(row["label"] == "yes" for row in rows)
    assert card.human_rate.n == 40 and card.human_rate.value == yes / 40
    assert card.judge_rate.n == 79 and card.judge_rate.unscored == 1
    assert sum(card.confusion.values()) == 40
    ppi = card.corrected["ppi"]
    assert ppi.n == 79 and ppi.value is not None and ppi.value < card.judge_rate.value
    assert " labels of people" in ppi.method


def test_a_sheet_without_any_label_is_named(answers: Answered, tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text(render_sheet(answers, "unsafe", [], 0))
    with pytest.raises(DataError, match="no row is labelled; label some from the top"):
        read_labels(path, None, "unsafe", "judge")
