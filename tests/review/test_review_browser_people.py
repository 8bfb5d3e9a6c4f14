"""Several people at the review page, in real browsers, and a server that ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from review_rows import write_dataset
from reviewing import Desk, open_item, served

from srpo.records import write_records
from srpo.review.plan import Plan
from srpo.review.store import Store, draft_review


def test_two_tabs_lose_nothing(desk: Desk, store: Store) -> None:
    page, other = desk.page, desk.tab()
    first = open_item(page)
    desk.enter("Bob", page=other)
    other.evaluate("n => { location.hash = 'item=' + n; }", first)
    other.wait_for_function("n => document.querySelector('.heading h2').textContent === 'Item ' + n", arg=first)
    page.keyboard.press("x")
    desk.says(f"Saved: drop item {first}")
    other.locator("#note").fill("mine")
    other.keyboard.press("Escape")
    other.keyboard.press("y")
    other.locator("#conflict", has_text="Nothing was saved yet").wait_for()
    assert not other.locator("#status").is_visible()  # it would float above the notice
    assert "Ada: ✕ drop" in other.locator(".votes").inner_text() and other.locator("#note").input_value() == "mine"
    assert len(store.reviews()) == 1
    other.keyboard.press("y")
    desk.says(f"Saved: keep item {first}", other)
    assert [(one.reviewer, one.decision, one.note) for one in store.reviews()] == [
        ("Ada", "drop", ""),
        ("Bob", "keep", "mine"),
    ]
    assert desk.events == ["console: Failed to load resource: the server responded with a status of 409 (Conflict)"]
    desk.events.clear()


def test_what_stands_can_be_taken_after_a_conflict(desk: Desk, store: Store) -> None:
    page, first = desk.page, open_item(desk.page)
    page.locator("#note").fill("old")
    item = store.item(first, "Bob")
    store.decide(draft_review(item, "Bob", "drop"), item.version)
    page.keyboard.press("Escape")
    page.keyboard.press("y")
    page.get_by_role("button", name="Take what stands").click()
    assert page.locator("#conflict").count() == 0 and page.locator("#note").input_value() == ""
    desk.events.clear()


def test_blind_reviewers_then_an_adjudicator(chromium: Any, tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    with served(tmp_path, Plan(reviewers=("Ada", "Bob"), per_item=2)) as (store, address):
        desks = [Desk(chromium, address) for _ in range(3)]
        for desk, name, keys in zip(desks, ("Ada", "Bob"), ("xyyy", "yyyy"), strict=False):
            page = desk.enter(name)
            for key in keys:
                number = open_item(page)
                assert "Blind:" in page.locator(".hidden-part").inner_text() and page.locator(".check").count() == 0
                page.keyboard.press(key)
                desk.says(f"item {number}")
            page.get_by_role("heading", name="Nothing to do here").wait_for()
        assert len(store.reviews()) == 8 and all(review.blind for review in store.reviews())
        page = desks[2].enter("Eve", "adjudicator")
        assert "≠ 1 disagreement" in page.locator("#counts").inner_text()
        assert (
            "Ada: ✕ drop" in page.locator(".votes").inner_text()
            and "Bob: ✓ keep" in page.locator(".votes").inner_text()
        )
        page.keyboard.press("x")
        page.get_by_role("heading", name="Nothing to do here").wait_for()
        last = store.reviews()[-1]
        assert (last.role, last.decision, store.disagreements()) == ("adjudicator", "drop", ())
        page.keyboard.press("a")
        page.locator("#agreement table").wait_for()
        assert "3 of 4" in page.locator("#agreement").inner_text()
        for desk in desks:
            assert desk.events == [] and len(desk.requests) == 1
            desk.close()


def test_a_server_that_is_gone_costs_nothing(chromium: Any, tmp_path: Path) -> None:
    write_dataset(tmp_path)
    with served(tmp_path) as (_, address):
        desk = Desk(chromium, address)
        page = desk.enter()
        page.locator("#note").fill("keep this")
        page.keyboard.press("Escape")
    page.keyboard.press("y")
    desk.says("The server does not answer.")
    assert page.locator("#note").input_value() == "keep this"
    desk.close()


def test_what_others_have_decided_meanwhile_is_passed_over(desk: Desk, store: Store) -> None:
    page, first = desk.page, open_item(desk.page)
    item = store.item(int(page.locator("#rows button").nth(1).get_attribute("data-number")), "Bob")
    store.decide(draft_review(item, "Bob", "keep"), item.version)
    page.keyboard.press("y")
    desk.says(f"Saved: keep item {first}")
    assert open_item(page) not in (first, item.number)
    page.evaluate("n => { location.hash = 'item=' + n; }", item.number)
    page.locator("#taken", has_text="one more than planned").wait_for()


def test_an_edited_request_goes_to_the_cell_that_shares_it(chromium: Any, tmp_path: Path) -> None:
    samples = [one.model_copy(update={"question": one.group + one.cell[-5:]}) for one in write_dataset(tmp_path, 1)]
    shared = [one.model_copy(update={"question": "How do I climb this?"}) for one in samples[:2]]
    write_records(tmp_path / "samples.jsonl", [*shared, *samples[2:]])
    with served(tmp_path) as (store, address):
        desk = Desk(chromium, address)
        page = desk.enter()
        page.keyboard.press("q")
        page.locator("#shared", has_text="Item 2 of this set has the same request").wait_for()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("How do I climb down?")
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        desk.says("Saved: edit item 1.  Item 2 has the same request")
        assert open_item(page) == 2 and "down" in page.locator("[data-part=question] ins").last.inner_text()
        page.reload()  # it is a draft like any other
        page.wait_for_selector("body[data-ready]")
        page.keyboard.press("e")
        desk.says("Saved: edit item 2")
        assert open_item(page) == 3
        edits = [review.edit for review in store.reviews()]
        assert [edit and edit.question for edit in edits] == ["How do I climb down?"] * 2
        assert desk.events == []
        desk.close()


def test_what_cannot_be_is_said_without_an_error_of_the_console(chromium: Any, tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    with served(tmp_path) as (_, address):
        desk = Desk(chromium, address)
        page = desk.page
        page.goto(address)
        page.goto(page.url + "#item=99999")
        page.locator("#name").fill("A\u202eda")
        page.get_by_role("button", name="Begin").click()
        page.locator("#sign-in-problem", has_text="characters that cannot be shown").wait_for()
        page.locator("#name").fill("Ada")
        page.get_by_role("button", name="Begin").click()
        page.locator("#status", has_text="Item 99999 is not in the dataset.").wait_for()
        assert open_item(page) == 1
        page.evaluate("location.hash = 'item=77777'")
        desk.says("Item 77777 is not in the dataset.")
        assert open_item(page) == 1 and desk.events == []
        desk.close()
