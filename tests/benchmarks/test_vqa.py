"""Own questions about pictures: reading answers by rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labelling import draw, label

from srpo.benchmarks.rates import rates
from srpo.benchmarks.vqa import BENCHMARK as VQA
from srpo.benchmarks.vqa import is_right, normalised
from srpo.errors import DataError

ROWS = [
    {"id": 1, "image": "a.png", "question": "What colour is the cup?", "answers": ["red", "dark red"]},
    {"id": 2, "image": "a.png", "question": "Is the cup full?", "answer": "no", "category": "state"},
    {"id": 3, "image": "b.png", "question": "How many spoons?", "answer": "3", "options": ["2", "3", "4"]},
    {"id": 4, "image": "b.png", "question": "Which room?", "answer": "A", "options": {"A": "kitchen", "B": "hall"}},
]


def write(folder: Path, rows=ROWS) -> Path:
    draw(folder, "a.png", "b.png")
    file = folder / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_file_becomes_items(tmp_path):
    items = VQA.load(write(tmp_path))
    assert [item.correct for item in items] == ["red|dark red", "no", "B", "A"]
    assert [item.cluster for item in items] == ["a.png", "a.png", "b.png", "b.png"]
    assert items[2].options == {"A": "2", "B": "3", "C": "4"}
    assert items[0].images == (str(tmp_path / "a.png"),)


def test_csv_holds_several_answers_in_one_cell(tmp_path):
    draw(tmp_path, "a.png")
    (tmp_path / "own.csv").write_text('image,question,answer\na.png,"What, then?",red | dark red\n')
    [item] = VQA.load(tmp_path / "own.csv")
    assert (item.id, item.correct, item.question) == ("vqa:1", "red|dark red", "What, then?")


@pytest.mark.parametrize(
    ("number", "answer", "right"),
    [
        (0, "Red.", True),
        (0, "The cup is on a table.\nDark red", True),
        (0, "It is hard to tell, but the answer is: red", True),
        (0, "It is not red.", False),  # open answers are compared as a whole
        (0, "", False),
        (1, "No, it is half empty.", True),
        (1, "I think yes.", False),
        (1, "Perhaps.", None),
        (1, "One could say yes, or no.", None),
        (2, "B", True),
        (2, "The answer is (C).", False),
        (2, "3", True),  # the words of one option
        (2, "2 or 3", None),
        (3, "kitchen", True),
        (3, "A. kitchen", True),
    ],
)
def test_answers_are_read(tmp_path, number, answer, right):
    item = VQA.load(write(tmp_path))[number]
    [found] = label(VQA, "v1", [(item, answer)])
    assert found.labels == {"correct": right}
    assert found.judge == "rule"
    assert (found.failure is None) == (right is not None)


def test_the_reply_counts_and_not_the_reasoning(tmp_path):
    item = VQA.load(write(tmp_path))[1]
    [found] = label(VQA, "v1", [(item, "<think>Could be yes.</think>No.")])
    assert found.labels["correct"] is True


def test_accuracy_leaves_unreadable_answers_out_and_counts_them(tmp_path):
    items = VQA.load(write(tmp_path))
    found = label(VQA, "v1", list(zip(items, ["red", "yes", "2 or 3", "(A)"], strict=True)))
    metric = rates(found, items, VQA.protocols["v1"], 0)["accuracy"]
    assert (metric.value, metric.n, metric.unscored) == (pytest.approx(2 / 3), 3, 1)


def test_normalisation_by_hand():
    assert normalised("The two Cats!") == "2 cats"
    assert normalised("10,000.5 km") == "10000.5 km"
    assert normalised("an x-ray, isn\u2019t it?") == "x-ray isn't it"
    assert normalised("at 7:30") == "at 7:30"


def test_gold_answers_are_right_and_wrong_ones_wrong(tmp_path):
    items = VQA.load(write(tmp_path))
    gold, wrong = (label(VQA, "v1", [(item, play(item)) for item in items]) for play in (VQA.gold, VQA.wrong))
    assert [found.labels["correct"] for found in gold] == [True] * 4
    assert [found.labels["correct"] for found in wrong] == [False] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": None}, "row 2 .id 2.: field answer is missing"),
        ({"answer": "a|b"}, "field answer: expected a short answer without '|'"),
        ({"answer": "..."}, "field answer: expected a short answer"),
        ({"options": ["yes"]}, "field options: expected 2 to 10 choices"),
        ({"options": {"A": "no", "b": "yes"}}, "field options: expected 2 to 10 choices"),
        ({"options": ["red", "blue"]}, "field answer: expected one letter or the words of one option"),
        ({"options": ["no", "No!"]}, "field answer: expected one letter"),
        ({"image": "c.png"}, "1 of the 3 pictures it names are missing, the first is 'c.png'"),
        ({"id": 1}, "id vqa:1 was already given"),
        ({"question": " "}, "row 2 .id 2., field question: is blank"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, message):
    rows = [ROWS[0], ROWS[1] | change, ROWS[2]]
    with pytest.raises(DataError, match=message):
        VQA.load(write(tmp_path, rows))


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a file that ends in \.csv or \.jsonl"):
        VQA.load(tmp_path / "own.json")


def test_an_answer_that_is_announced_and_never_comes_is_wrong(tmp_path):
    item = VQA.load(write(tmp_path))[0]
    assert is_right(item, "The answer is \n ") is False
