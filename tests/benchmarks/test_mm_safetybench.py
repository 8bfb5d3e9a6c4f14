"""MM-SafetyBench: four variants of a question, criteria per scenario, and the same questions as a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labelling import draw, label

from srpo.benchmarks.form import THREE_LABELS
from srpo.benchmarks.mm_safetybench import BENCHMARK as MM_SAFETYBENCH
from srpo.benchmarks.mm_safetybench import SCENARIOS, read_word
from srpo.benchmarks.rates import by_category, rates
from srpo.benchmarks.validate import validate
from srpo.errors import DataError
from srpo.judge.parse import UnparsedReply

ROW = {
    "Question": "How do I climb a shelf?",
    "Changed Question": "How do I climb a shelf?",
    "Key Phrase": "climb a shelf",
    "Phrase Type": "activity",
    "Rephrased Question": "The picture ends in an activity. How do I do it?",
    "Rephrased Question(SD)": "The picture shows an activity. How do I do it?",
}
HARM, HEALTH, LOBBY = SCENARIOS[3], SCENARIOS[11], SCENARIOS[7]
OFFICIAL = MM_SAFETYBENCH.protocols["official"]


def write(folder: Path, scenarios=(HARM, HEALTH), ids=("0", "1"), row=ROW) -> Path:
    for scenario in scenarios:
        file = folder / "data" / "processed_questions" / f"{scenario}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(dict.fromkeys(ids, row)))
        names = [f"data/imgs/{scenario}/{kind}/{i}.jpg" for kind in ("SD", "SD_TYPO", "TYPO") for i in ids]
        draw(folder, *names)
    return folder


def test_every_question_is_asked_with_three_pictures_and_without(tmp_path):
    items = MM_SAFETYBENCH.load(write(tmp_path))
    assert len(items) == 2 * 2 * 4
    first = {item.subset: item for item in items[:4]}
    assert list(first) == ["SD", "SD_TYPO", "TYPO", "Text_only"]
    assert {item.cluster for item in items[:4]} == {f"{HARM}-0"}
    assert first["SD"].question == ROW["Rephrased Question(SD)"]
    assert first["TYPO"].question == first["SD_TYPO"].question == ROW["Rephrased Question"]
    assert first["Text_only"].question == ROW["Question"] and first["Text_only"].images == ()
    assert first["TYPO"].images == (str(tmp_path / "data" / "imgs" / HARM / "TYPO" / "0.jpg"),)


@pytest.mark.parametrize("inner", ["data", "data/processed_questions", f"data/processed_questions/{HARM}.json"])
def test_paths_that_are_taken(tmp_path, inner):
    items = MM_SAFETYBENCH.load(write(tmp_path, [HARM]) / inner)
    assert len(items) == 8
    assert items == MM_SAFETYBENCH.load(tmp_path / inner, tmp_path / "data" / "imgs")


def test_the_small_version_by_its_list(tmp_path):
    write(tmp_path)
    (tmp_path / "TinyVersion_ID_List.json").write_text(json.dumps([{"Scenario": HEALTH, "Sampled_ID_List": [1]}]))
    items = MM_SAFETYBENCH.load(tmp_path / "TinyVersion_ID_List.json")
    assert [item.cluster for item in items] == [f"{HEALTH}-1"] * 4
    (tmp_path / "TinyVersion_ID_List.json").write_text(json.dumps([{"Scenario": LOBBY, "Sampled_ID_List": [1]}]))
    with pytest.raises(DataError, match=f"1 of its questions are not there, the first is {LOBBY}-1"):
        MM_SAFETYBENCH.load(tmp_path / "TinyVersion_ID_List.json")


def test_the_dataset_gives_the_same_items(tmp_path):
    datasets = pytest.importorskip("datasets")
    local = MM_SAFETYBENCH.load(write(tmp_path, [HARM], ["0"]))
    picture = (tmp_path / "data" / "imgs" / HARM / "SD" / "0.jpg").read_bytes()
    for item in local:
        image = [{"bytes": picture, "path": None}] if item.images else [None]
        features = datasets.Features(
            {"id": datasets.Value("string"), "question": datasets.Value("string"), "image": datasets.Image()}
        )
        rows = datasets.Dataset.from_dict({"id": ["0"], "question": [item.question], "image": image}, features=features)
        file = tmp_path / "hub" / HARM.partition("-")[2] / f"{item.subset}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(file)
    found = MM_SAFETYBENCH.load(tmp_path / "hub", tmp_path / "pictures")
    keys = ("id", "subset", "cluster", "category", "question")
    strip = [{key: getattr(item, key) for key in keys} for item in sorted(found, key=lambda item: item.id)]
    assert strip == [{key: getattr(item, key) for key in keys} for item in sorted(local, key=lambda item: item.id)]
    assert {Path(name).parent for item in found for name in item.images} == {tmp_path / "pictures"}


def test_criteria_differ_by_scenario(tmp_path):
    items = MM_SAFETYBENCH.load(write(tmp_path, [HARM, LOBBY, HEALTH], ["0"]))
    seen = []

    def judge(request):
        assert request.messages[0].images == ()  # the authors' judge sees the reply alone
        seen.append(request.messages[0].text.split("\n")[0])
        return "unsafe"

    found = label(MM_SAFETYBENCH, "official", [(item, "Ask a doctor.") for item in items], judge)
    assert [text for text in seen if "licence" in text] == seen[8:]
    assert [text for text in seen if "lobbying" in text] == seen[4:8]
    assert {one.notes for one in found[:4]} == {()}
    assert {one.notes for one in found[4:8]} == {("refusal_needed",)}
    assert {one.notes for one in found[8:]} == {("disclaimer_needed",)}


@pytest.mark.parametrize("reply", ["safe.", " safe", "The answer is safe", "", "unsafe\n"])
def test_one_word_as_the_authors_compare_it(reply):
    with pytest.raises(UnparsedReply, match="expected safe or unsafe"):
        read_word(reply)
    assert read_word("Safe") and not read_word("UNSAFE")


def test_careful_advice_is_unsafe_officially_and_safe_in_v1(tmp_path):
    items = [item for item in MM_SAFETYBENCH.load(write(tmp_path, [HEALTH], ["0"])) if item.subset == "SD"]
    answers = [(item, "Rest, drink enough, and see a doctor if it lasts.") for item in items]
    official = label(MM_SAFETYBENCH, "official", answers, "unsafe")
    v1 = label(MM_SAFETYBENCH, "v1", answers, THREE_LABELS.reply(safe=True, effective=True, declined=False))
    assert rates(official, items, OFFICIAL, 0)["asr"].value == 1.0
    assert rates(v1, items, MM_SAFETYBENCH.protocols["v1"], 0)["asr"].value == 0.0


def test_attack_rates_by_hand(tmp_path):
    items = MM_SAFETYBENCH.load(write(tmp_path))
    broken = {f"{HARM}-0": ("SD", "TYPO"), f"{HARM}-1": ("SD", "Text_only")}
    answers = [(item, "Gladly." if item.subset in broken.get(item.cluster, ()) else "No.") for item in items]

    def judge(request):
        return "unsafe" if "Gladly." in request.messages[0].text else "safe"

    labels = label(MM_SAFETYBENCH, "official", answers, judge)
    found = rates(labels, items, OFFICIAL, 0)
    assert {name: metric.value for name, metric in found.items()} == {
        "asr": 3 / 12,
        "asr_sd": 2 / 4,
        "asr_sd_typo": 0.0,
        "asr_typo": 1 / 4,
        "asr_text_only": 1 / 4,
    }
    assert found["asr"].method.startswith("cluster bootstrap") and found["asr_sd"].method.startswith("wilson")
    assert by_category(labels, items, OFFICIAL, 0)[HARM]["asr"].value == 3 / 6


def test_gold_is_right_and_wrong_is_wrong(tmp_path):
    items = MM_SAFETYBENCH.load(write(tmp_path, SCENARIOS, ["0"]))
    assert validate(MM_SAFETYBENCH, items, "official") == []
    assert validate(MM_SAFETYBENCH, items, "v1") == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({k: v for k, v in ROW.items() if k != "Question"}, "row 0: field Question is missing"),
        (ROW | {"Rephrased Question": 3}, "row 0, field Rephrased Question: .* got 3"),
        (ROW | {"Rephrased Question(SD)": ""}, r"row 0, field Rephrased Question\(SD\): is blank"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        MM_SAFETYBENCH.load(write(tmp_path, [HARM], ["0"], row))


def test_missing_files_and_names_are_named(tmp_path):
    with pytest.raises(DataError, match=f"is a folder without {SCENARIOS[0]}.json"):
        MM_SAFETYBENCH.load(tmp_path)
    write(tmp_path, ["14-Weather"], ["0"])
    with pytest.raises(DataError, match="the name must be that of a scenario"):
        MM_SAFETYBENCH.load(tmp_path / "data" / "processed_questions" / "14-Weather.json")
    write(tmp_path, [HARM], ["0"])
    (tmp_path / "data" / "imgs" / HARM / "TYPO" / "0.jpg").unlink()
    with pytest.raises(
        DataError, match=f"1 of the 3 pictures it names are missing, the first is 'imgs/{HARM}/TYPO/0.jpg'"
    ):
        MM_SAFETYBENCH.load(tmp_path)
