"""The review page in a real browser: everything by keyboard and by mouse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from review_rows import write_dataset
from reviewing import Desk, served

from srpo.review.plan import Plan
from srpo.review.store import Store, draft_review
from srpo.types.data import Review


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Store, str]]:
    write_dataset(tmp_path)
    with served(tmp_path) as found:
        yield found


@pytest.fixture
def desk(chromium: Any, opened: tuple[Store, str]) -> Iterator[Desk]:
    """Ada at a wide window; nothing may be logged or asked of another host."""
    found = Desk(chromium, opened[1])
    found.enter()
    yield found
    found.close()
    assert found.events == []
    assert len(found.requests) == 1


@pytest.fixture
def store(opened: tuple[Store, str]) -> Store:
    return opened[0]


def open_item(page: Any) -> int:
    return int(re.findall(r"\d+", page.locator(".heading h2").inner_text())[0])


def turned(page: Any, number: int) -> None:
    """Wait until another item is open."""
    page.wait_for_function("n => document.querySelector('.heading h2')?.textContent !== 'Item ' + n", arg=number)


def last(store: Store) -> Review:
    return store.reviews()[-1]


def test_keys_decide_score_edit_and_undo(desk: Desk, store: Store) -> None:
    page, press = desk.page, desk.page.keyboard.press
    first = open_item(page)
    for key in ("s", "5", "d", "2", "i", "3", "i", "0", "f", "3"):
        press(key)
    press("n")
    page.keyboard.type("fine y x e")
    press("Escape")
    press("y")
    desk.says(f"Saved: keep item {first}")
    turned(page, first)
    found = last(store)
    assert (found.decision, found.safety, found.difficulty, found.informativeness) == ("keep", 5, 2, None)
    assert (found.first_wrong_step, found.note, found.reviewer, found.blind) == (
        "synthesis",
        "fine y x e",
        "Ada",
        False,
    )
    assert found.seconds is not None and found.seconds > 0 and "1 of 12 by you" in page.locator("#counts").inner_text()
    press("z")  # nothing here yet, so it undoes the last one
    desk.says(f"Undone: your decision on item {first}")
    assert last(store).withdrawn and open_item(page) == first
    press("1")
    page.keyboard.type("Completely other words.")
    assert page.evaluate("document.activeElement.dataset.edit") == "visual"
    press("ControlOrMeta+a")
    page.keyboard.type("visual words about a LADDER of")
    assert (
        "LADDER" in page.locator("[data-part=visual] ins").last.inner_text()
        and page.locator("[data-part=visual] del").count()
    )
    press("Escape")
    assert page.locator("[data-part=visual] textarea").count() == 0 and page.locator("[data-part=visual] ins").count()
    press("7")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Mind it well.")
    press("Escape")
    press("q")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("How else?")
    press("Escape")
    press("y")
    desk.says("There are changes.")
    press("e")
    desk.says(f"Saved: edit item {first}")
    edit = last(store).edit
    assert edit is not None and (edit.question, edit.category) == ("How else?", None)
    assert edit.steps == {"visual": "visual words about a LADDER of", "answer": "Mind it well."}


def test_keys_move_search_and_open_everything(desk: Desk, store: Store) -> None:
    page, press = desk.page, desk.page.keyboard.press
    first = open_item(page)
    press("j")
    turned(page, first)
    second = open_item(page)
    assert f"item={second}" in page.url and page.locator("#rows [aria-current]").get_attribute("data-number") == str(
        second
    )
    press("k")
    turned(page, second)
    press("ArrowRight")
    turned(page, first)
    press("ArrowLeft")
    turned(page, second)
    press("k")
    desk.says("This is the first item")
    assert "falls from" not in page.locator("#item").inner_text()
    press("u")
    assert "falls from" in page.locator("#item").inner_text() and "Just jump" in page.locator("#item").inner_text()
    press("u")
    press("w")
    page.locator(".cells article").nth(3).wait_for()
    assert page.locator(".cells img").nth(1).evaluate("node => node.decode().then(() => node.naturalWidth)") == 96
    press("w")
    press("x")
    desk.says("Saved: drop")
    press("g")
    press("a")
    page.locator("#agreement", has_text="1 votes of 1 reviewers").wait_for()
    press("a")
    press("?")
    assert page.locator("#help").is_visible() and "whole set" in page.locator("#keys").inner_text()
    press("y")
    press("Escape")
    assert not page.locator("#help").is_visible() and len(store.reviews()) == 1
    press("/")
    page.keyboard.type("s1 benign_text")
    page.locator("#found", has_text="of 1 item").wait_for()
    press("Escape")
    assert page.locator("#rows button").count() == 1 and page.locator(".badge").first.inner_text() == "harmless request"
    press("c")  # a benign cell has no category
    press("f")
    press("7")
    assert page.locator("#first-wrong").input_value() == "answer"
    press("l")
    assert not page.locator("#list").is_visible()
    press("l")
    assert page.locator("#list").is_visible()


def test_the_mouse_reaches_everything(desk: Desk, store: Store) -> None:
    page = desk.page
    page.get_by_label("Cell").select_option("hazard")
    page.locator("#found", has_text="of 3 items").wait_for()
    first = open_item(page)
    page.get_by_role("button", name="Show: unsafe event").click()
    assert "falls from" in page.locator("#item").inner_text()
    page.locator("[data-part=strategy]").get_by_role("button", name="First wrong").click()
    page.get_by_label("Category", exact=False).last.select_option("privacy")
    page.locator("[data-score=safety] label", has_text="4").click()
    page.locator("[data-score=difficulty] label", has_text="1").click()
    page.get_by_role("button", name="Clear Difficulty").click()
    page.locator("[data-part=request]").get_by_role("button", name="Edit").click()
    page.get_by_label("Textual request, new words").fill("Something new.")
    page.get_by_role("button", name="Original words").click()
    page.get_by_label("Textual request, new words").fill("Something newer.")
    page.get_by_role("button", name="Done").click()
    page.locator("#note").fill("a note")
    page.get_by_role("button", name="Save edit").click()
    desk.says(f"Saved: edit item {first}")
    found = last(store)
    assert found.edit is not None and (found.edit.category, found.edit.steps) == (
        "privacy",
        {"request": "Something newer."},
    )
    assert (found.safety, found.difficulty, found.first_wrong_step, found.note) == (4, None, "strategy", "a note")
    page.get_by_role("button", name="Drop").click()
    desk.says("Saved: drop")
    page.locator("#f-state").select_option("mine")
    page.locator("#found", has_text="of 2 items").wait_for()
    page.locator("#rows button", has_text="edit").click()
    page.wait_for_function("n => document.querySelector('.heading h2').textContent === 'Item ' + n", arg=first)
    page.get_by_role("button", name="Undo").click()
    desk.says(f"Undone: your decision on item {first}")
    page.get_by_role("button", name="Whole set").click()
    page.locator(".cells article").nth(2).get_by_role("button").last.click()
    turned(page, first)
    page.get_by_role("button", name="Previous").click()
    page.get_by_role("button", name="Clear filters").click()
    page.locator("#found", has_text="of 11 items").wait_for()
    page.get_by_role("button", name="Next").click()
    for name in ("Agreement", "Agreement", "Keys"):
        page.get_by_role("button", name=name).click()
    page.get_by_role("button", name="Close").click()
    page.locator(".check summary").first.click()
    assert "judge-a" in page.locator(".check").first.inner_text()
    page.get_by_role("button", name="Change name").click()
    assert page.locator("#welcome").is_visible()


def test_a_filled_form_survives_reload_and_moving_away(desk: Desk) -> None:
    page, first = desk.page, open_item(desk.page)
    page.locator("#note").fill("half a thought")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    turned(page, first)
    assert page.locator("#note").input_value() == ""
    page.keyboard.press("k")
    page.wait_for_function("n => document.querySelector('.heading h2').textContent === 'Item ' + n", arg=first)
    assert page.locator("#note").input_value() == "half a thought"
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert open_item(page) == first and page.locator("#note").input_value() == "half a thought"


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
        assert (last(store).role, last(store).decision, store.disagreements()) == ("adjudicator", "drop", ())
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


def test_no_column_is_cut(desk: Desk) -> None:
    widths = "nodes => nodes.map(node => [node.id, node.scrollWidth - node.clientWidth])"
    assert desk.page.locator("#list, #item, #decide").evaluate_all(widths) == [["list", 0], ["item", 0], ["decide", 0]]


def test_focus_is_seen_and_stays_where_it_was(desk: Desk) -> None:
    page = desk.page
    for _ in range(25):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "(n => n === document.body || getComputedStyle(n).outlineStyle !== 'none' || "
            "(n.parentElement && getComputedStyle(n.parentElement).outlineStyle !== 'none'))(document.activeElement)"
        )
        assert seen, page.evaluate("document.activeElement.outerHTML")
    page.locator("[data-score=safety] input").nth(1).focus()
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.name + document.activeElement.value") == "score-safety2"
    named = "nodes => nodes.map(n => n.innerText || n.labels?.length || n.ariaLabel)"
    names = page.locator("button, input, select, textarea").evaluate_all(named)
    assert all(names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_list_or_item_and_never_scrolls_sideways(
    chromium: Any, opened: tuple[Store, str], scheme: str
) -> None:
    desk = Desk(chromium, opened[1], 360, 740, color_scheme=scheme, has_touch=True)
    page, width = desk.enter(), "document.documentElement.scrollWidth"
    assert not page.locator("#list").is_visible() and page.evaluate(width) <= 360
    assert page.locator("#do-keep").is_visible() and page.locator("#do-keep").bounding_box()["y"] > 600
    page.get_by_role("button", name="List").tap()
    assert page.locator("#list").is_visible() and page.evaluate(width) <= 360
    page.locator("#rows button").nth(2).tap()
    page.locator("#list").wait_for(state="hidden")
    for name in ("Whole set", "Agreement", "Agreement", "Keys"):
        page.get_by_role("button", name=name).tap()
        assert page.evaluate(width) <= 360, name
    page.get_by_role("button", name="Close").tap()
    page.locator("#do-keep").tap()
    desk.says("Saved: keep")
    body = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = min(int(part) for part in re.findall(r"\d+", body)[:3]) > 200
    assert light == (scheme == "light") and desk.events == []
    desk.close()


def test_without_its_script_the_page_says_so(chromium: Any, opened: tuple[Store, str]) -> None:
    desk = Desk(chromium, opened[1], java_script_enabled=False)
    desk.page.goto(opened[1])
    assert "This page needs its script" in desk.page.locator("body").inner_text()
    desk.close()
