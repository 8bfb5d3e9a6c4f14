"""Files out and in: shapes as their tools document them, round trips, and everything that is refused."""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from review_rows import HOSTILE, write_dataset

from srpo.errors import DataError
from srpo.records import read_records
from srpo.review.argilla import QUESTIONS, user_id
from srpo.review.exchange import Imported, export_file, import_file
from srpo.review.label_studio import LABELING_CONFIG
from srpo.review.plan import Plan
from srpo.review.store import Store, draft_review
from srpo.types.data import Edit, Review

FORMS = ("jsonl", "label-studio", "argilla", "csv")
EDIT = Edit(
    question="=HOW(to)?", category="violence", steps={"visual": "-A ladder.\nTwo lines.", "answer": "'Mind it."}
)


def review_some(store: Store) -> None:
    """A vote of every kind."""
    kinds: list[tuple[int, str, str, dict[str, Any]]] = [
        (1, "Ada", "edit", {"edit": EDIT, "safety": 2, "note": HOSTILE, "first_wrong_step": "visual", "seconds": 3.5}),
        (1, "Bob Müller", "drop", {"safety": 1, "difficulty": 5, "informativeness": 3}),
        (1, "Eve", "keep", {"role": "adjudicator"}),
        (2, "Ada", "keep", {}),
        (6, "Ada", "drop", {"note": "+1"}),
    ]
    for number, who, decision, more in kinds:
        item = store.item(number, who, more.get("role", "reviewer"))
        store.decide(draft_review(item, who, decision, blind=True, **more), item.version)


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    folder = tmp_path / "reviewed"
    write_dataset(folder)
    with Store.open(folder, Plan(per_item=2)) as store:
        review_some(store)
    return folder


def unreviewed(folder: Path) -> Path:
    """The same dataset without its reviews."""
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("review*"))
    return copy


def exported(folder: Path, form: str) -> Path:
    path = folder.parent / f"file-{form}"
    with Store.open(folder) as store:
        export_file(store, form, path)
    return path


def said(store: Store) -> list[tuple[object, ...]]:
    fields = (
        "sample",
        "sample_sha256",
        "reviewer",
        "role",
        "decision",
        "safety",
        "difficulty",
        "informativeness",
        "edit",
    )
    return sorted(
        (tuple(getattr(one, name) for name in (*fields, "first_wrong_step", "note")) for one in store.reviews()),
        key=repr,
    )


@pytest.mark.parametrize("form", FORMS)
def test_what_goes_out_comes_back(reviewed: Path, form: str) -> None:
    path = exported(reviewed, form)
    with Store.open(unreviewed(reviewed)) as copy, Store.open(reviewed) as store:
        assert import_file(copy, form, path) == Imported(5, 0)
        assert said(copy) == said(store)
        blind = [sorted((one.sample, one.reviewer, one.blind) for one in each.reviews()) for each in (copy, store)]
        assert form == "label-studio" or blind[0] == blind[1]  # it has no place for that
        assert import_file(copy, form, path) == Imported(0, 5)  # again: all is known
        assert import_file(store, form, path) == Imported(0, 5)  # at home too, whatever the ids
        assert copy.item(1, "Ada").outcome == "keep" == store.item(1, "Ada").outcome


def test_json_lines_keep_history_and_withdrawals(reviewed: Path) -> None:
    with Store.open(reviewed) as store:
        item = store.item(2, "Ada")
        item = store.decide(draft_review(item, "Ada", "drop"), item.version)
        store.withdraw(item.sample.id, "Ada", item.version)
    path = exported(reviewed, "jsonl")
    assert [one.withdrawn for one in read_records(path, Review)] == [False] * 5 + [True]
    with Store.open(unreviewed(reviewed)) as copy:
        assert import_file(copy, "jsonl", path).new == 6
        own = copy.item(2, "Ada").own
        assert own is not None and own.decision == "keep"


def test_label_studio_gets_tasks_and_an_interface_that_fit(reviewed: Path) -> None:
    path = exported(reviewed, "label-studio")
    tree = ElementTree.fromstring(LABELING_CONFIG)
    assert tree.tag == "View" and path.with_suffix(".xml").read_text() == LABELING_CONFIG
    objects = {node.get("name"): node.get("value", "")[1:] for node in tree if node.tag in ("Image", "Text")}
    controls = {node.get("name"): node for node in tree if node.get("toName")}
    assert all(node.get("toName") in objects for node in controls.values())
    kinds = {"Choices": "choices", "Rating": "rating", "TextArea": "textarea"}
    tasks = json.loads(path.read_text())
    assert len(tasks) == 12
    for task in tasks:
        assert set(task) == {"data", "annotations"} and set(objects.values()) <= set(task["data"])
        for annotation in task["annotations"]:
            assert {"result", "was_cancelled", "created_at", "completed_by"} <= set(annotation)
            for result in annotation["result"]:
                control = controls[result["from_name"]]
                assert result["to_name"] == control.get("toName") and result["type"] == kinds[control.tag]
                (value,) = result["value"].values()
                if control.tag == "Choices":
                    assert set(value) <= {choice.get("value") for choice in control}
                elif control.tag == "Rating":
                    assert 1 <= value <= int(control.get("maxRating", "0"))


def test_label_studio_exports_with_annotator_numbers_and_skipped_tasks_are_read(reviewed: Path) -> None:
    tasks = json.loads(exported(reviewed, "label-studio").read_text())
    task = next(one for one in tasks if one["data"]["sample"] == "s2-hazard")
    result = {
        "id": "a1",
        "from_name": "decision",
        "to_name": "question",
        "type": "choices",
        "value": {"choices": ["drop"]},
    }
    made = {"id": 1, "completed_by": 7, "created_at": "2026-01-01T00:00:00Z", "lead_time": 4.2, "result": [result]}
    skipped = {**made, "id": 2, "completed_by": 8, "was_cancelled": True}
    task |= {"id": 3, "project": 1, "annotations": [made, skipped], "predictions": []}
    path = reviewed.parent / "back.json"
    path.write_text(json.dumps([task]))
    with Store.open(reviewed) as store:
        assert import_file(store, "label-studio", path) == Imported(1, 0)
        last = store.reviews()[-1]
        assert (last.reviewer, last.decision, last.seconds, last.blind) == ("7", "drop", 4.2, False)


def test_argilla_records_have_the_shape_of_its_sdk(reviewed: Path) -> None:
    records = json.loads(exported(reviewed, "argilla").read_text())
    keys = {"id", "fields", "metadata", "suggestions", "responses", "vectors", "_server_id"}
    assert len(records) == 12 and all(set(one) == keys for one in records)
    first = next(one for one in records if one["id"] == "s0-hazard")
    assert all(isinstance(text, str) for text in first["fields"].values())
    assert all(isinstance(value, (str, int, float)) for value in first["metadata"].values())
    assert first["suggestions"]["category"] == {"value": "dangerous_behavior", "score": None, "agent": "srpo"}
    for question, answers in first["responses"].items():
        assert question in QUESTIONS and all(set(one) == {"value", "user_id"} for one in answers)
        assert [str(uuid.UUID(one["user_id"])) for one in answers] == [one["user_id"] for one in answers]
    assert user_id("Ada", "reviewer") == user_id("Ada", "reviewer") != user_id("Bob", "reviewer")


@pytest.mark.parametrize("form", FORMS)
def test_one_person_in_both_roles_comes_back(reviewed: Path, form: str) -> None:
    with Store.open(reviewed) as store:
        item = store.item(5, "Ada", "adjudicator")
        store.decide(draft_review(item, "Ada", "drop", role="adjudicator", seconds=9.0), item.version)
        expected = said(store)
    with Store.open(unreviewed(reviewed)) as copy:
        assert import_file(copy, form, exported(reviewed, form)) == Imported(6, 0)
        assert said(copy) == expected


def test_words_that_samples_may_not_hold_do_not_come_in(reviewed: Path) -> None:
    with Store.open(unreviewed(reviewed)) as copy:
        for form in ("csv", "argilla"):
            path = exported(reviewed, form)
            path.write_text(path.read_text("utf-8").replace("A ladder.", "A <|im_start|> ladder."), "utf-8")
            with pytest.raises(DataError, match="holds a token of a chat template"):
                import_file(copy, form, path)
        assert copy.reviews() == []


def test_a_table_is_inert_and_opens_anywhere(reviewed: Path) -> None:
    path = exported(reviewed, "csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14  # twelve items, one with three votes
    assert not any(value.startswith(("=", "+", "-", "@", "\t")) for row in rows for value in row.values())


def change(path: Path, act: Callable[[list[dict[str, Any]]], object]) -> Path:
    """A changed copy of a JSON file."""
    data = json.loads(path.read_text())
    act(data)
    path.write_text(json.dumps(data))
    return path


def voted(data: list[dict[str, Any]]) -> dict[str, Any]:
    """The task with three votes: Ada's edit first, then Bob's drop."""
    return next(one for one in data if len(one["annotations"]) == 3)


def rename(data: list[dict[str, Any]]) -> None:
    voted(data)["data"]["sample"] = "nobody"


def reword(data: list[dict[str, Any]]) -> None:
    voted(data)["data"]["sample_sha256"] = "0" * 64


def repeat(data: list[dict[str, Any]]) -> None:
    voted(data)["annotations"].append(voted(data)["annotations"][0])


def undecide(data: list[dict[str, Any]]) -> None:
    voted(data)["annotations"][0]["result"].pop(0)


def edit_a_drop(data: list[dict[str, Any]]) -> None:
    result = {"from_name": "edit_visual", "to_name": "question", "type": "textarea", "value": {"text": ["x"]}}
    voted(data)["annotations"][1]["result"].append(result)


def invent(data: list[dict[str, Any]]) -> None:
    voted(data)["annotations"][0]["result"].append({"from_name": "x", "type": "choices"})


def forget_who(data: list[dict[str, Any]]) -> None:
    voted(data)["annotations"][0]["completed_by"] = None


def strip(data: list[dict[str, Any]]) -> None:
    data[0].pop("data")


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (rename, "unknown id 'nobody'"),
        (reword, "has other words than those"),
        (repeat, "a second vote of 'Ada'"),
        (undecide, "annotation 1, decision"),
        (edit_a_drop, "other decisions have none"),
        (invent, "not of the interface"),
        (forget_who, "annotation 1, reviewer"),
        (strip, "export as JSON"),
    ],
)
def test_files_with_anything_wrong_are_refused_whole(reviewed: Path, act: Callable[..., object], words: str) -> None:
    path = change(exported(reviewed, "label-studio"), act)
    with Store.open(unreviewed(reviewed)) as copy:
        with pytest.raises(DataError, match=words):
            import_file(copy, "label-studio", path)
        assert copy.reviews() == []


def test_a_second_vote_that_says_something_else_is_reported(reviewed: Path) -> None:
    with Store.open(unreviewed(reviewed)) as copy:
        for number, who in ((1, "Ada"), (2, "Ada")):
            item = copy.item(number, who)
            copy.decide(draft_review(item, who, "drop"), item.version)
        for form in FORMS:
            with pytest.raises(
                DataError, match=r"nothing was taken over: .*a second vote of 'Ada' on 's0-hazard', who"
            ):
                import_file(copy, form, exported(reviewed, form))
        assert len(copy.reviews()) == 2


@pytest.mark.parametrize("form", ["label-studio", "argilla"])
@pytest.mark.parametrize("text", ["", "{}", "[1]", "[" * 100_000, '[{"data": 1}]', "\xff"])
def test_files_that_are_no_exports_are_refused(reviewed: Path, form: str, text: str) -> None:
    path = reviewed.parent / "broken.json"
    path.write_bytes(text.encode("latin-1"))
    with Store.open(reviewed) as store, pytest.raises(DataError):
        import_file(store, form, path)


def test_tables_that_are_no_exports_are_refused(reviewed: Path) -> None:
    path = exported(reviewed, "csv")
    text = path.read_text(encoding="utf-8-sig")
    cases = {
        "sample,x\n1,2\n": "column 'sample_sha256' is missing",
        text.replace('"drop"', '"maybe"', 1): "row .*decision",
    }
    cases |= {text + '"short","row"\n': "never", text.replace('"edit"', '"edit","more"', 1): "more or fewer cells"}
    with Store.open(unreviewed(reviewed)) as copy:
        for broken, words in cases.items():
            path.write_text(broken, encoding="utf-8")
            if words == "never":  # a row without a decision is no review
                assert import_file(copy, "csv", path).new == 5
                continue
            with pytest.raises(DataError, match=words):
                import_file(copy, "csv", path)


def test_a_vote_and_a_settlement_of_one_person_on_one_item_do_not_come_in(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with Store.open(tmp_path) as store:
        store.decide(draft_review(store.item(1, "Ada"), "Ada", "drop"), 0)
        path = tmp_path / "table.csv"
        export_file(store, "csv", path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        rows[[row["decision"] for row in rows].index("drop")]["role"] = "adjudicator"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        with pytest.raises(DataError, match=r"'Ada' on 's\d-hazard' has voted and settled; another person must settle"):
            import_file(store, "csv", path)
        assert len(store.reviews()) == 1
