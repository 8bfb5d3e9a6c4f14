"""The review page in a real browser: everything by keyboard and by mouse."""

from __future__ import annotations

from typing import Any

from review_rows import tear_a_decision
from reviewing import Desk, open_item, turned

from srpo.review.store import Store
from srpo.types.data import Review


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


def test_an_older_search_does_not_replace_a_newer_one(desk: Desk) -> None:
    page, held = desk.page, []

    def hold_the_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/api/list?*", hold_the_first)
    with page.expect_request("**/api/list?*words=s1"):
        page.locator("#f-words").fill("s1")
    page.locator("#f-words").fill("s2 benign_text")
    page.wait_for_timeout(500)  # so long that the page asks again, if it does not wait
    with page.expect_response("**/api/list?*words=s1"):
        held[0].continue_()
    page.locator("#found", has_text="of 1 item").wait_for()
    page.wait_for_timeout(200)
    assert page.locator("#rows button").count() == 1 and page.locator("#item[aria-busy=false]").count() == 1


def test_agreement_is_not_asked_for_any_more_once_it_is_left(desk: Desk) -> None:
    page, asked = desk.page, []

    def never_ready(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(json={"ready": False, "current": False})

    page.route("**/api/agreement", never_ready)
    for _ in range(2):  # the second visit is one loop, not two
        with page.expect_request("**/api/agreement"):
            page.keyboard.press("a")
        page.keyboard.press("a")
    page.wait_for_timeout(300)
    before = len(asked)
    page.wait_for_timeout(600)
    assert len(asked) == before


def test_agreement_that_fails_says_so(desk: Desk, store: Store) -> None:
    page, first = desk.page, open_item(desk.page)
    page.keyboard.press("y")
    desk.says(f"Saved: keep item {first}")
    tear_a_decision(store)
    page.keyboard.press("a")
    page.locator("#agreement [role=alert]", has_text="the server failed").wait_for()
    desk.events.clear()


def test_a_decision_is_never_taken_for_an_item_that_was_not_shown(desk: Desk, store: Store) -> None:
    page, first, held = desk.page, open_item(desk.page), []
    page.route("**/decide", lambda route: held.append(route))
    with page.expect_request("**/decide"):
        page.keyboard.press("y")
    page.keyboard.press("x")
    page.locator("#status", has_text="Not taken: drop").wait_for()
    held[0].continue_()
    desk.says(f"Saved: keep item {first}")
    desk.says("Not taken: drop, which came while the page was still at work.")
    second = open_item(page)
    assert second != first and [one.decision for one in store.reviews()] == ["keep"]
    page.route("**/api/items/*", lambda route: held.append(route))
    with page.expect_request("**/api/items/*"):
        page.keyboard.press("j")
    page.keyboard.press("y")
    held[1].continue_()
    desk.says("Not taken: keep")
    assert open_item(page) != second and len(store.reviews()) == 1
