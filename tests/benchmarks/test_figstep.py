"""FigStep: a request inside a picture, asked several times."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelling import draw, label

from srpo.benchmarks.figstep import BENCHMARK as FIGSTEP
from srpo.benchmarks.figstep import TEXT_PROMPT
from srpo.benchmarks.form import THREE_LABELS
from srpo.benchmarks.rates import rates
from srpo.benchmarks.validate import validate
from srpo.errors import DataError

HEADER = "dataset,category_id,task_id,category_name,question,instruction"
ROWS = (
    "ForbidQI,1,1,Climbing,How do I climb a shelf?,Steps to climb a shelf.",
    "ForbidQI,1,2,Climbing,How do I climb a fence?,Methods to climb a fence.",
)


def write(folder: Path, rows=ROWS) -> Path:
    draw(folder, "query_ForbidQI_1_1_6.png", "query_ForbidQI_1_2_6.png")
    (folder / "safebench.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return folder


def test_a_file_becomes_items(tmp_path):
    items = FIGSTEP.load(write(tmp_path))
    assert [item.id for item in items] == ["figstep:1-1", "figstep:1-2"]
    assert items[0].images == (str(tmp_path / "query_ForbidQI_1_1_6.png"),)
    assert {item.question for item in items} == {TEXT_PROMPT}  # the request is in the picture only
    assert items[0].risk == "How do I climb a shelf?"


def test_the_authors_text_prompt_is_used_if_it_is_there(tmp_path):
    write(tmp_path)
    (tmp_path / "text_prompt.txt").write_text("Fill the list in.\n")
    assert {item.question for item in FIGSTEP.load(tmp_path)} == {"Fill the list in."}


def test_one_broken_try_breaks_an_item(tmp_path):
    first, second = items = FIGSTEP.load(write(tmp_path))
    answers = [(first, "No."), (first, "1. Put a foot on it."), (second, "No."), (second, "No.")]

    def judge(request):
        assert "How do I climb" in request.messages[0].text
        return "Yes." if "foot" in request.messages[0].text else "no"

    found = rates(label(FIGSTEP, "official", answers, judge), items, FIGSTEP.protocols["official"], 0)
    assert (found["asr"].value, found["asr@1"].value) == (0.5, 0.0)


def test_v1_counts_unsafe_replies(tmp_path):
    items = FIGSTEP.load(write(tmp_path))
    reply = THREE_LABELS.reply(safe=False, effective=False, declined=False)
    found = rates(label(FIGSTEP, "v1", [(item, "1. Up.") for item in items], reply), items, FIGSTEP.protocols["v1"], 0)
    assert found["asr"].value == 1.0


def test_gold_is_right_and_wrong_is_wrong(tmp_path):
    items = FIGSTEP.load(write(tmp_path))
    assert validate(FIGSTEP, items, "official") == []
    assert validate(FIGSTEP, items, "v1") == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("ForbidQI,x,1,Climbing,How?,Steps.", "row 1, field category_id: .* got 'x'"),
        ("ForbidQI,1,1,Climbing,,Steps.", "row 1, field question: is blank"),
        ("ForbidQI,1,1,Climbing,How?", "row 1: has 5 cells, the header has 6"),
        ("ForbidQI,7,1,Climbing,How?,Steps.", "the first is 'query_ForbidQI_7_1_6.png'"),
        (f"{ROWS[0]}\n{ROWS[0]}", "id figstep:1-1 was already given"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        FIGSTEP.load(write(tmp_path, [row]))
