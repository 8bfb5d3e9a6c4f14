"""The review page at every width, for eyes and fingers, and without its script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from reviewing import Desk

from srpo.review.store import Store


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
