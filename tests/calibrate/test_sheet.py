"""Answers of a run as a table to label, and the rate corrected by the labels."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from srpo.answered import Answered, Scores
from srpo.calibrate import About, judge_card, read_labels
from srpo.calibrate.cells import inert, original
from srpo.calibrate.sheet import Wanted, make_sheet
from srpo.errors import ConfigError, DataError
from srpo.evaluate import score
from srpo.judge import JudgeItem
from srpo.types import Completion, Item, Label, Sample
from srpo.world import OracleJudge, WorldSettings, build_samples

UNSAFE = Wanted("unsafe")
ORACLE = OracleJudge().name
HOSTILE = (
    '=HYPERLINK("x")',
    '- first\n- second, "quoted"\n\n=1+1',
    "a\rb\r\nc",
    "'-ing is an ending",
    " \t@SUM(A1)",
    "\uff1d1+1 \U0001f9ef \u202etxt",
    ";,\n,;",
)
"""What models may write: formulas, line ends of all kinds, separators, wide and turned letters."""


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
        text = f"Final answer: {HOSTILE[0]}"
    name = f"base:{decoding}:{sample.id}"
    return Completion(id=name, sample=sample.id, system="base", decoding=decoding, text=text, finish="stop")


def with_benchmark(answers: Answered, texts: tuple[str, ...], judges: tuple[str, ...]) -> Answered:
    """The answers, and more to items of a public benchmark, which several judges label."""
    items, rows, labels = {}, [], []
    for number, text in enumerate(texts):
        about = {"benchmark": "made_up", "cluster": str(number // 2)}
        item = Item(id=f"made_up:{number},{number}", question="=May I?", licence="none", source="none", **about)
        row = Completion(id=f"m:{item.id}", sample=item.id, system="m", decoding="greedy", text=text, finish="stop")
        items[item.id], rows = item, [*rows, row]
        names = {"completion": row.id, "item": item.id, "system": "m", "decoding": "greedy", "protocol": "v1"}
        labels += [
            Label(**names, **about, judge=judge, labels={"safe": (number + i) % 2 == 0})
            for i, judge in enumerate(judges)
        ]
    completions = [*answers.completions, *rows]
    return replace(answers, completions=completions, items=items, labels=labels)


def rows_of(answers: Answered, wanted: Wanted = UNSAFE, seed: int = 0) -> list[dict[str, str]]:
    text = make_sheet(answers, wanted, {}, seed).text
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def save(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_order_is_drawn_and_labels_are_left_to_people(answers: Answered) -> None:
    rows = rows_of(answers)
    assert len(rows) == 80 and {row["label"] for row in rows} == {""}
    assert [row["id"] for row in rows] != sorted(row["id"] for row in rows)
    assert rows == rows_of(answers, Wanted("unsafe", ("base",)))
    assert rows != rows_of(answers, seed=1)
    assert sum(row[ORACLE] == "yes" for row in rows) == 10 and sum(row[ORACLE] == "" for row in rows) == 1


def test_what_models_write_is_no_formula_and_comes_back_as_it_was(answers: Answered, tmp_path: Path) -> None:
    sheet = make_sheet(with_benchmark(answers, HOSTILE, ("a, b@1",)), Wanted("unsafe", (), "made_up"), {}, 0)
    path = tmp_path / "sheet.csv"
    path.write_bytes(sheet.text.replace('"",', '"yes",').encode())
    cells = [cell for row in csv.reader(io.StringIO(sheet.text, newline="")) for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@\uff1d")]
    file = read_labels(path, None, "unsafe", sheet.judge)
    assert {row.response for row in file.rows} == {text.strip() for text in HOSTILE}
    assert {row.question for row in file.rows} == {"=May I?"}
    assert file.clusters == [f"made_up:{number // 2}" for number in range(len(HOSTILE))]


@pytest.mark.parametrize("text", [*HOSTILE, "'", "''=1", "\n=1", "", "plain", "'plain'", "\t"])
def test_cells_are_undone(text: str) -> None:
    assert original(inert(text)) == text and inert(text)[:1] not in tuple("=+-@\t\r")


def test_a_sheet_has_one_benchmark_and_one_judge(answers: Answered) -> None:
    both = with_benchmark(answers, ("Yes.",) * 6, ("first@1", "second@2"))
    with pytest.raises(ConfigError, match=r"--benchmark: several judges .* choose one of rsbench, made_up"):
        make_sheet(both, UNSAFE, {}, 0)
    rows = rows_of(both, Wanted("unsafe", (), "made_up"))
    assert len(rows) == len({row["id"] for row in rows}) == 6
    assert [row["first@1"] for row in sorted(rows, key=lambda row: row["id"])] == ["no", "yes"] * 3
    assert "second@2" not in rows[0] and make_sheet(both, Wanted("unsafe", ("m",)), {}, 0).judge == "first@1"
    assert rows_of(both, Wanted("unsafe", (), "rsbench")) == rows_of(answers)


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (Wanted("unsafe", ("other",)), "--system: no judged answer of 'other'; choose one of base"),
        (Wanted("unsafe", ("base", "typo")), "--system: no judged answer of 'typo'; choose one of base"),
        (Wanted("unsafe", (), "siuo"), "--benchmark: no judged answer of 'siuo'; choose one of rsbench"),
    ],
)
def test_answers_that_are_not_there_are_named(answers: Answered, wanted: Wanted, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make_sheet(answers, wanted, {}, 0)
    with pytest.raises(ConfigError, match="no plain greedy answer has a label"):
        make_sheet(replace(answers, scores=Scores([], {})), wanted, {}, 0)


def test_people_read_the_reply_that_the_judge_read(answers: Answered) -> None:
    """Whatever the format of the system; and all of a text in which there is no reply."""
    texts = {"<think>\nA stove.\n</think>\nBetter not.": "Better not.", "<think>\nA stove.": "<think>\nA stove."}
    for text, reply in texts.items():
        rows = [row.model_copy(update={"text": text}) for row in answers.completions]
        sheet = make_sheet(replace(answers, completions=rows), UNSAFE, {"base": "think"}, 0)
        assert {row["response"] for row in csv.DictReader(io.StringIO(sheet.text))} == {reply}


def test_labels_from_the_top_correct_the_rate_over_all_answers(answers: Answered, tmp_path: Path) -> None:
    """People find every third of the replies unsafe that the judge calls unsafe; the rate moves towards that."""
    rows = rows_of(answers)
    for number, row in enumerate(rows[:40]):
        row["label"] = "yes" if row[ORACLE] == "yes" and number % 3 == 0 else "no"
    labels = read_labels(save(tmp_path / "sheet.csv", rows), None, "unsafe", ORACLE)
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
    path.write_text(make_sheet(answers, UNSAFE, {}, 0).text)
    with pytest.raises(DataError, match="no row is labelled; label some from the top"):
        read_labels(path, None, "unsafe", ORACLE)
