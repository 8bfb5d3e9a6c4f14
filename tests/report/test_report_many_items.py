"""The page of items with twenty thousand of them: it opens, searches and filters at once, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import Visit
from item_rows import judged, samples, values

from srpo.rates import RATES
from srpo.report.browser import render_items
from srpo.report.items import Answers, collect_items
from srpo.report.outcomes import Outcomes

SETS = 5000
OPEN_SECONDS, REACT_SECONDS = 10.0, 3.0
"""Ten times of what a quiet machine needs."""
ELEMENTS = 3000
"""In the page at once: rows that are not seen are not built."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    of = samples(SETS)
    rows = [judged(one, "base", "greedy") for one in of]
    results = [result for _, result in rows]
    counted = [Outcomes(name, "base", "greedy", values(results, name), RATES[name].good) for name in ("safe",)]
    page = render_items(collect_items(Answers(of, [wrote for wrote, _ in rows], results), counted), folder)
    (folder / "items.html").write_text(page, encoding="utf-8")
    return folder / "items.html"


def test_twenty_thousand_items_are_quick(chromium: Any, many: Path) -> None:
    page = chromium.new_page(viewport={"width": 1300, "height": 900})
    visit = Visit(page, many)
    assert seconds(visit.open) < OPEN_SECONDS
    assert visit.status.startswith("20,000 rows of 20,000 match: 20,000 items in 5,000 sets")
    assert page.evaluate("() => document.getElementsByTagName('*').length") < ELEMENTS

    def search() -> None:
        page.get_by_role("searchbox").fill("Request 4711 ")
        page.wait_for_function("() => document.getElementById('status').innerText.startsWith('4 rows of')")

    def choose() -> None:
        page.get_by_role("searchbox").fill("")
        page.get_by_label("Cell").select_option("hazard")
        page.wait_for_function("() => document.getElementById('status').innerText.startsWith('5,000 rows of')")

    assert seconds(search) < REACT_SECONDS and seconds(choose) < REACT_SECONDS
    assert visit.events == [] and visit.requests == [many.as_uri()]
    page.close()


def seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
