"""The page of items in a real browser: every control by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Visit
from item_rows import DECODINGS, SYSTEMS, answers, bench_answer, bench_item, label, outcomes, values
from report_rows import png

from srpo.evaluate import METRICS, units
from srpo.rates import JOINT, RATES
from srpo.report.browser import render_items
from srpo.report.items import Answers, collect_items
from srpo.report.links import items_link
from srpo.report.outcomes import Outcomes

RUN = answers()
COUNTED = r"([\d,]+) rows? of [\d,]+ match: ([\d,]+) items? in ([\d,]+) sets?\."
LISTEN = """async (links) => {
  const read = [];
  for (const link of links) {
    const changed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
    location.hash = link;
    await changed;
    read.push(document.getElementById("status").textContent);
  }
  return read;
}"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with RSBench and one public benchmark."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "picture.png").write_bytes(png())
    items = [bench_item(n) for n in range(5)]
    wrote = [bench_answer(item, system) for item in items for system in SYSTEMS]
    labels = [label(w, i, p) for w, i in zip(wrote, [i for i in items for _ in SYSTEMS], strict=True) for p in ("v1",)]
    toy = Outcomes(
        "safe", "srpo", "greedy", {"toy:0": 1.0, "toy:1": 0.0, "toy:2": None}, benchmark="toy", protocol="v1"
    )
    run = Answers(RUN.samples, [*RUN.completions, *wrote], RUN.results, items, labels)
    page = render_items(collect_items(run, [*outcomes(RUN.results), toy]), folder)
    (folder / "items.html").write_text(page, encoding="utf-8")
    return folder / "items.html"


@pytest.fixture
def visit(chromium: Any, file: Path) -> Iterator[Visit]:
    """A wide window; nothing may be logged, asked for or opened."""
    page = chromium.new_page(viewport={"width": 1300, "height": 900})
    found = Visit(page, file)
    yield found
    page.close()
    assert found.events == []
    assert set(found.requests) <= {found.address}


def counts(status: str) -> tuple[int, int, int]:
    match = re.fullmatch(COUNTED, status)
    assert match, status
    rows, items, sets = (int(number.replace(",", "")) for number in match.groups())
    return rows, items, sets


def link(**keys: str | None) -> str:
    return str(items_link("", **keys))


def follow(visit: Visit, links: list[str]) -> list[tuple[int, int, int]]:
    visit.open()
    return [counts(status) for status in visit.page.evaluate(LISTEN, [one.lstrip("#") for one in links])]


def of(system: str, decoding: str) -> list[Any]:
    return [r for r in RUN.results if (r.system, r.decoding) == (system, decoding)]


def test_filters_agree_with_the_counts_behind_every_measure(visit):
    wanted, links = [], []
    states = {
        "right": lambda v, good: v is not None and v == good,
        "wrong": lambda v, good: v is not None and v != good,
    }
    for system in SYSTEMS:
        for decoding in DECODINGS:
            for metric in METRICS:
                found = [unit.value for unit in units(of(system, decoding), metric)]
                for value in ("right", "wrong", "unscored"):
                    test = states.get(value, lambda v, good: v is None)
                    wanted.append((metric == JOINT, sum(test(v, RATES[metric].good) for v in found)))
                    links.append(link(system=system, metric=metric, value=value, decoding=decoding))
    read = follow(visit, links)
    assert [
        (joint, sets if joint else items) for (joint, _), (_, items, sets) in zip(wanted, read, strict=True)
    ] == wanted
    assert len({number for _, number in wanted}) > 10


def test_parts_agree_with_counts(visit):
    rows = of("srpo", "greedy")
    groups = {r.group: r.category for r in rows if r.category}
    cases: dict[str, Callable[[Any], bool]] = {
        link(system="srpo", decoding="greedy", split="split 1"): lambda r: r.split == "split 1",
        link(system="srpo", decoding="greedy", level="2"): lambda r: r.level == 2,
        link(system="srpo", decoding="greedy", category="own category"): lambda r: groups[r.group] == "own category",
        link(system="srpo", decoding="greedy", cell="benign_text"): lambda r: r.cell == "benign_text",
        link(system="srpo", decoding="greedy", cell="benign"): lambda r: r.cell != "hazard",
        link(system="srpo", decoding="greedy", pair="path safe, answer unsafe"): lambda r: (
            r.cell == "hazard" and r.path_safe is True and r.answer_safe is False
        ),
        link(system="srpo", decoding="greedy", metric="first_failing_step", step="synthesis"): lambda r: (
            r.cell == "hazard" and r.first_failing_step == "synthesis"
        ),
        link(system="srpo", decoding="greedy", metric="risk_steps", step="unjudged"): lambda r: (
            r.cell == "hazard" and r.risk_step is None
        ),
        link(system="srpo", decoding="greedy", step="intent_risk"): lambda r: True,
    }
    read = follow(visit, list(cases))
    assert [items for _, items, _ in read] == [sum(map(test, rows)) for test in cases.values()]


def test_fixed_and_broken_agree_with_a_paired_count(visit):
    before, after = values(of("base", "greedy"), "safe"), values(of("srpo", "greedy"), "safe")
    wanted = [sum(before[i] is a and after[i] is b for i in before) for a, b in ((False, True), (True, False))]
    keys = {"system": "srpo", "baseline": "base", "metric": "safe", "decoding": "greedy"}
    read = follow(visit, [link(**keys, change=change) for change in ("fixed", "broken")])
    assert [items for _, items, _ in read] == wanted and min(wanted) > 0


def test_a_benchmark_has_its_own_measures_and_items(visit):
    keys = {"benchmark": "toy", "metric": "safe", "protocol": "v1", "system": "srpo", "judge": "rule"}
    read = follow(
        visit, [link(**keys, value=value) for value in ("right", "wrong", "unscored")] + [link(benchmark="toy")]
    )
    assert [items for _, items, _ in read] == [1, 1, 1, 5]
    assert visit.page.get_by_label("Benchmark").input_value() == "toy"


def test_a_link_opens_its_items_and_an_unknown_key_is_ignored(visit):
    page = visit.open(link(metric="over_refusal", value="wrong", system="base", decoding="greedy") + "&nosuch=%E0%A4%A")
    wanted = sum(bool(r.declined) for r in of("base", "greedy") if r.cell != "hazard")
    assert counts(visit.status)[1] == wanted and page.get_by_label("Outcome").input_value() == "wrong"
    visit.open(link(system="nobody"))
    assert counts(visit.status)[0] == 0 and page.get_by_label("System").input_value() == "nobody"
    visit.open(link(metric="think@k", value="right", draws="all"))
    assert page.get_by_label("Measure").locator("option:checked").inner_text() == "Risk recognised"
    visit.open(link(metric="constructor", value="right"))
    assert visit.status == "This page has no measure constructor."


def test_mouse_reaches_everything(visit):
    page = visit.open()
    page.get_by_label("Cell").select_option("hazard")
    page.get_by_label("Outcome").select_option("wrong")
    assert "cell=hazard" in page.url and "value=wrong" in page.url
    page.locator("#rows button").first.click()
    assert page.locator("#detail img").count() == 0 and "base visual" not in page.locator("#detail").inner_text()
    page.locator("#detail .cover").click()
    assert page.locator("#detail img").evaluate("node => node.decode().then(() => node.naturalWidth)") == 8
    assert "base visual" in page.locator("#detail").inner_text()
    for _ in range(2):  # past the same item at temperature 1
        page.get_by_role("button", name="Next", exact=True).click()
    assert page.locator("#detail .cover").count() == 1 and "item=" in page.url
    page.get_by_role("button", name="Show all covered content").click()
    assert page.locator("#detail .cover").count() == 0
    page.reload()
    page.wait_for_selector("#rows [aria-current]")
    assert page.locator("#detail .cover").count() == 1
    page.get_by_role("button", name="Whole set").click()
    assert visit.status.startswith("8 rows") and "4 items in 1 set" in visit.status and "group=g" in page.url
    page.get_by_role("button", name="Clear all filters").click()
    assert counts(visit.status)[0] == 72 and page.url.endswith("#items")
    page.get_by_role("button", name="Next page").click()
    assert page.locator("#rows button").count() == 22 and page.url.endswith("page=2")
    page.get_by_text("More filters").click()
    page.get_by_label("Order").select_option("broken")
    assert page.locator("#rows button").first.locator(".c-broken").count() == 1
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("button", name="Close").click()
    assert not page.locator("#help").is_visible()


def test_keys_reach_everything(visit):
    page = visit.open()
    press = page.keyboard.press
    press("/")
    page.keyboard.type("request G3-benign_text", delay=1)
    page.locator("#status", has_text=re.compile("^2 rows")).wait_for()
    assert page.locator("#rows .request").all_inner_texts() == ["Request 3 in benign_text?"] * 2
    press("Escape")
    press("j")
    assert page.locator("#detail mark").first.inner_text() == "Request"
    press("j")
    assert page.locator("#rows [aria-current]").get_attribute("data-number") == "1"
    assert page.evaluate("document.activeElement.dataset.number") == "1"
    press("k")
    press("u")
    assert page.locator("#detail .step").count() > 6
    press("Escape")
    assert page.locator("#rows [aria-current]").count() == 0 and "item=" not in page.url
    page.get_by_role("button", name="Clear all filters").press("Enter")
    press("n")
    assert page.url.endswith("page=2") and page.evaluate("document.activeElement.dataset.number") == "50"
    press("p")
    press("?")
    assert page.locator("#help").is_visible()
    press("j")
    assert page.locator("#rows [aria-current]").count() == 0
    press("Escape")
    assert not page.locator("#help").is_visible()


def test_focus_is_seen_and_tab_reaches_the_first_item(visit):
    page = visit.open()
    names = []
    for _ in range(20):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.closest('[id]')?.id ?? ''"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if names[-1] == "rows":
            break
    assert names[:3] == ["", "reveal", "keys"] or names[1:3] == ["reveal", "keys"]
    assert names[-1] == "rows" and {"q", "f-system", "f-metric", "f-value", "f-change", "f-cell", "clear"} < set(names)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "detail"


def test_a_phone_shows_list_or_item_and_never_scrolls_sideways(chromium, file):
    page = chromium.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    visit = Visit(page, file)
    visit.open()
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390 and not page.locator("#detail").is_visible()
    page.locator("#rows button").nth(2).click()
    page.keyboard.press("u")
    assert not page.locator("#list").is_visible() and page.evaluate(width) <= 390
    page.get_by_role("button", name="Back to the list").click()
    assert page.evaluate("document.activeElement.dataset.number") == "2" and page.locator("#list").is_visible()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(part) for part in re.findall(r"\d+", dark)) < 60 and visit.events == []
    page.close()


def test_without_its_script_the_page_says_so(chromium, file):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert "This page needs its script" in page.locator("main").inner_text()
    context.close()


def test_pictures_beyond_the_budget_are_read_from_the_folder(chromium, file):
    run = collect_items(RUN, systems=("base",))
    other = file.with_name("linked.html")
    other.write_text(render_items(run, file.parent, budget=0), encoding="utf-8")
    page = chromium.new_page()
    visit = Visit(page, other)
    visit.open("#items?cell=benign_both")
    page.keyboard.press("j")
    page.keyboard.press("u")
    assert page.locator("#detail img").evaluate("node => node.decode().then(() => node.naturalWidth)") == 8
    assert set(visit.requests) == {other.as_uri(), (file.parent / "picture.png").as_uri()} and visit.events == []
    assert "1 pictures are too many" in page.locator("main").inner_text()
    page.close()
