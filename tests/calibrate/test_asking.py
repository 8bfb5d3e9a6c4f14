"""A judge that is asked: what it sees, what a stop costs, how steady it is, and what moves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from label_files import OWN, own_rows, write

from srpo.calibrate import LabelFile, read_labels
from srpo.calibrate.asking import CHUNK, REPEATED, Plan, measure
from srpo.calibrate.items import as_answer, judge_items
from srpo.calibrate.probes import APOLOGY
from srpo.errors import DataError, JudgeError
from srpo.judge import ModelJudge
from srpo.models.base import Request
from srpo.models.scripted import ScriptedModel
from srpo.progress import silent
from srpo.records import read_records
from srpo.steps import answer, split
from srpo.types import Verdict


def labels(folder: Path, rows: list[dict[str, str]]) -> LabelFile:
    return read_labels(write(folder / "own.csv", rows), flag="unsafe")


def reply(safe: bool) -> str:
    return json.dumps({"reason": "r", "safe": safe, "effective": True, "declined": False})


class Script:
    """A judge model that calls whatever holds `trigger` unsafe, and counts what it is asked."""

    def __init__(self, trigger: str = "up you go", stop_after: int | None = None) -> None:
        self.trigger, self.stop_after = trigger, stop_after
        self.asked: list[Request] = []
        self.judge = ModelJudge(ScriptedModel(self.answer, name="scripted"), show_hypothesis=True)

    def answer(self, request: Request) -> str:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(request)
        return reply(self.trigger not in request.messages[0].text)


def test_a_judge_is_asked_once_per_row_and_its_replies_are_kept(tmp_path: Path) -> None:
    file, script = labels(tmp_path, own_rows(70)), Script()
    found = measure(file, script.judge, Plan(tmp_path), silent, seed=0)
    assert found.flags == file.people and found.flip_rate is None and found.probes == {}
    assert len(script.asked) == 70
    assert all(verdict.raw for verdict in read_records(tmp_path / "replies.jsonl", Verdict))


def test_a_stop_costs_a_chunk_at_most(tmp_path: Path) -> None:
    file = labels(tmp_path, own_rows(100))
    with pytest.raises(KeyboardInterrupt):
        measure(file, Script(stop_after=2 * CHUNK + 5).judge, Plan(tmp_path), silent, seed=0)
    kept = tmp_path / "replies.jsonl"
    kept.write_text(kept.read_text() + '{"torn')
    again = Script()
    assert measure(file, again.judge, Plan(tmp_path), silent, seed=0).flags == file.people
    assert len(again.asked) == 100 - 2 * CHUNK
    assert measure(file, Script(stop_after=0).judge, Plan(tmp_path), silent, seed=0).flags == file.people


def test_another_text_under_the_same_id_is_asked_anew(tmp_path: Path) -> None:
    rows = own_rows(3)
    measure(labels(tmp_path, rows), Script().judge, Plan(tmp_path), silent, seed=0)
    rows[1]["response"] = "Yes, up you go."
    script = Script()
    assert measure(labels(tmp_path, rows), script.judge, Plan(tmp_path), silent, seed=0).flags == [True, True, False]
    assert len(script.asked) == 1


def test_a_server_that_is_down_stops_the_work_and_leaves_nothing(tmp_path: Path) -> None:
    def broken(request: Request) -> str:
        raise OSError("connection refused")

    judge = ModelJudge(ScriptedModel(broken, name="down"))
    with pytest.raises(JudgeError, match=r"down.*all of 32 questions failed.*connection refused"):
        measure(labels(tmp_path, own_rows(40)), judge, Plan(tmp_path), silent, seed=0)
    assert not (tmp_path / "replies.jsonl").exists()


def test_texts_that_always_fail_do_not_stop_the_next_start(tmp_path: Path) -> None:
    def picky(request: Request) -> str:
        if "up you go" in request.messages[0].text:
            raise OSError("too long")
        return reply(True)

    judge, file = ModelJudge(ScriptedModel(picky, name="picky")), labels(tmp_path, own_rows(30))
    first = measure(file, judge, Plan(tmp_path), silent, seed=0)
    assert first.flags.count(None) == 10
    assert measure(file, judge, Plan(tmp_path), silent, seed=0) == first


def test_repeats_ask_the_same_rows_whatever_their_order(tmp_path: Path) -> None:
    rows, said = own_rows(REPEATED + 20), []
    for number, order in enumerate((rows, rows[::-1])):
        script = Script()
        found = measure(labels(tmp_path, order), script.judge, Plan(tmp_path / str(number), repeats=2), silent, seed=0)
        said.append(([request.messages[0].text for request in script.asked], found))
    assert said[0] == said[1] and len(said[0][0]) == 2 * REPEATED + 20


def test_repeats_find_a_judge_that_wavers(tmp_path: Path) -> None:
    said: dict[str, int] = {}

    def wavering(request: Request) -> str:
        said[request.messages[0].text] = said.get(request.messages[0].text, 0) + 1
        return reply("tree 3?" not in request.messages[0].text or said[request.messages[0].text] > 1)

    judge = ModelJudge(ScriptedModel(wavering, name="wavering"))
    found = measure(labels(tmp_path, own_rows(8)), judge, Plan(tmp_path, repeats=3), silent, seed=0)
    assert found.flip_rate is not None and (found.flip_rate.value, found.flip_rate.n) == (1 / 8, 8)
    assert sum(said.values()) == 24


def test_probes_find_a_judge_that_goes_by_an_apology_or_by_a_hint(tmp_path: Path) -> None:
    rows = [
        row | {"reference": "Ask a grown-up.", "hypothesis": "A fall." if i < 6 else ""}
        for i, row in enumerate(own_rows(12))
    ]
    script = Script(trigger=APOLOGY[:20])
    found = measure(labels(tmp_path, rows), script.judge, Plan(tmp_path, probes=True), silent, seed=0)
    changes = {name: (metric.value, metric.n) for name, metric in found.probes.items()}
    assert changes == {"apology": (1.0, 12), "padding": (0, 12), "no_reference": (0, 12), "no_hypothesis": (0, 6)}
    hinted = measure(labels(tmp_path, rows), Script("A fall.").judge, Plan(tmp_path / "2", probes=True), silent, seed=0)
    assert hinted.probes["no_hypothesis"].value == -1.0 and hinted.probes["no_reference"].value == 0


def test_pictures_are_shown_and_blanked(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (9, 5), "red").save(tmp_path / "red.png")
    script = Script()
    found = measure(
        labels(tmp_path, [{**OWN, "image": "red.png"}]), script.judge, Plan(tmp_path / "o", probes=True), silent, seed=0
    )
    assert found.probes["blank_image"].n == 1
    shown = [request.messages[0].images[0] for request in script.asked]
    assert shown[0] == tmp_path / "red.png" and shown[-1].name == "blank-9x5.png"
    with pytest.raises(DataError, match=r"pictures it names are missing, the first is 'blue.png'"):
        judge_items(labels(tmp_path, [{**OWN, "image": "blue.png"}]), None, tmp_path)


def test_rows_without_responses_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column response is missing or empty"):
        judge_items(labels(tmp_path, [{"id": "a", "label": "no"}]), None, tmp_path)


@pytest.mark.parametrize(
    "response", ["Yes.", "a\n\nb", "Final answer: no.", "Step 1 - Visual context: x\nFinal answer: no."]
)
def test_the_whole_response_is_the_answer_or_its_own_final_answer(response: str) -> None:
    assert answer(split(as_answer(response))) in (response, "no.", f"Final answer: {response}")
