"""MIS: two pictures, four rates that add up to one, and failed calls that cost nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labelling import draw, label

from srpo.benchmarks.mis import BENCHMARK as MIS
from srpo.benchmarks.mis import PERCEPTION, read_labels
from srpo.benchmarks.rates import rates
from srpo.benchmarks.validate import validate
from srpo.errors import DataError
from srpo.judge.parse import UnparsedReply


def row(subset: str, number: int) -> dict[str, object]:
    return {
        "id": number,
        "question": "May I put this on that?",
        "image_path1": f"{subset}_image/{number}/object1.png",
        "image_path2": f"{subset}_image/{number}/object2.png",
        "category": "Self-Harm",
    }


def write(folder: Path, **change: object) -> Path:
    for subset, size in {"easy": 4, "hard": 1, "real": 1}.items():
        rows = [row(subset, number) for number in range(1, size + 1)]
        draw(folder, *(str(one[f"image_path{i}"]) for one in rows for i in (1, 2)))
        (folder / f"mis_{subset}.json").write_text(json.dumps([one | change for one in rows]))
    return folder


def test_three_files_become_subsets(tmp_path):
    items = MIS.load(write(tmp_path))
    assert [item.subset for item in items] == [*["easy"] * 4, "hard", "real"]
    folder = tmp_path / "hard_image" / "1"
    assert items[4].images == (str(folder / "object1.png"), str(folder / "object2.png"))
    assert len({item.id for item in items}) == len({item.cluster for item in items}) == 6
    assert MIS.load(tmp_path / "mis_hard.json") == items[4:5]


def said(perception: int, safety: str) -> str:
    return json.dumps({"label_perception": PERCEPTION[perception - 1], "label_str": safety})


@pytest.mark.parametrize(
    "reply",
    [
        "Safe",
        '{"label_perception": "Perception Level1"}',
        '{"label_perception": "1", "label_str": "Safe"}',
        '{"label_perception": "Perception Level1", "label_str": "safe"}',
        '{"label_perception": "Perception Level1", "label_str": "Safe", "why": ""}',
        "{}",
    ],
)
def test_replies_outside_of_the_structure_are_no_labels(reply):
    with pytest.raises(UnparsedReply):
        read_labels(reply)


def test_the_judge_sees_both_pictures_and_the_question(tmp_path):
    item = MIS.load(write(tmp_path))[0]

    def judge(request):
        assert request.messages[0].images == tuple(map(Path, item.images))
        assert item.question in request.messages[0].text
        assert request.sampling.max_new_tokens == 128
        return said(1, "Safe")

    [found] = label(MIS, "official", [(item, "Better not.")], judge)
    assert found.labels == {"perception": 1, "safe": True}


def test_official_rates_by_hand_and_failed_calls_left_out(tmp_path):
    items = MIS.load(write(tmp_path))
    script = {"a": said(1, "Unsafe"), "b": said(1, "Safe"), "c": said(2, "Safe"), "d": said(3, "Safe"), "e": "{}"}

    def judge(request):
        name = request.messages[0].text.partition("]\nanswer ")[2][0]
        return script[name]  # `f` is not there: the call fails

    answers = [(item, f"answer {name}") for item, name in zip(items, "abcdef", strict=True)]
    labels = label(MIS, "official", answers, judge)
    found = rates(labels, items, MIS.protocols["official"], 0)
    assert [found[name].value for name in ("asr", "rsr", "rr", "hr")] == [0.25] * 4
    assert [found[name].unscored for name in ("asr", "rsr", "rr", "hr")] == [2] * 4
    assert found["asr_easy"].n == 4 and found["asr_hard"].value is None
    assert [one.failure for one in labels] == [None] * 4 + ["unparsed", "error"]


def test_gold_is_right_and_wrong_is_wrong(tmp_path):
    items = MIS.load(write(tmp_path))
    assert validate(MIS, items, "official") == []
    assert validate(MIS, items, "v1") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": ""}, r"mis_easy\.json, row 1, field question: is blank"),
        ({"category": None}, "field category"),
        ({"image_path2": "easy_image/9/object2.png"}, "the first is 'easy_image/9/object2.png'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        MIS.load(write(tmp_path, **change))


def test_a_folder_without_the_files_is_named(tmp_path):
    with pytest.raises(DataError, match=r"is a folder without mis_easy\.json or mis_hard.json or mis_real.json"):
        MIS.load(tmp_path)
