"""Text that tries to act, everywhere a text can stand on the page of items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browsing import Visit
from item_rows import bench_answer, bench_item, label
from report_rows import HOSTILE, completion, png, result, sample

from hostile import hostile_replies
from srpo.report.browser import render_items
from srpo.report.items import Answers, collect_items
from srpo.report.links import items_link
from srpo.report.outcomes import Outcomes

READ_ALL = """(count) => {
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  let widest = 0;
  for (let i = 0; i < count; i++) {
    press("j");
    press("u");
    widest = Math.max(widest, document.documentElement.scrollWidth);
  }
  const many = (name) => document.getElementsByTagName(name).length;
  return { widest, script: many("script"), a: many("a"), iframe: many("iframe"), svg: many("svg"), style: many("style"),
    base: many("base"), body: many("body"), images: new Set([...document.images].map((i) => i.src.slice(0, 10))).size,
    open: document.querySelector("#rows [aria-current]")?.dataset.number };
}"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hostile replies under one system, hostile names of everything under the other."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "picture.png").write_bytes(png())
    names = {"group": HOSTILE, "category": HOSTILE, "hypothesis": HOSTILE, "rule": HOSTILE}
    replies = hostile_replies()
    samples = [sample(f"g{n}", split=HOSTILE, question=HOSTILE).model_copy(update=names) for n in range(len(replies))]
    wrote = [completion(s, "base", text=reply) for s, reply in zip(samples, replies, strict=True)]
    wrote += [completion(s, HOSTILE, text=HOSTILE) for s in samples[:50]]
    results = [result(w, samples[n % len(replies)], n % 3 > 0, judge=HOSTILE) for n, w in enumerate(wrote)]
    item = bench_item(1, HOSTILE).model_copy(
        update={"benchmark": HOSTILE, "id": HOSTILE, "options": {HOSTILE: HOSTILE}}
    )
    told = label(
        answer := bench_answer(item, "base", HOSTILE),
        item,
        "v1",
        judge=HOSTILE,
        labels={HOSTILE: HOSTILE},
        raw=(HOSTILE,),
    )
    counted = [Outcomes(HOSTILE, HOSTILE, "greedy", {s.id: True for s in samples})]
    run = Answers(samples, [*wrote, answer], results, [item], [told])
    (folder / "items.html").write_text(
        render_items(collect_items(run, counted), folder, title=HOSTILE), encoding="utf-8"
    )
    return folder / "items.html"


@pytest.mark.parametrize("width", [1300, 390])
def test_nothing_runs_loads_or_breaks_the_layout(chromium: Any, file: Path, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 844})
    visit = Visit(page, file)
    visit.open()
    count = len(hostile_replies())
    read = page.evaluate(READ_ALL, count)
    one = {"script": 3, "a": 1, "iframe": 0, "svg": 0, "style": 1, "base": 0, "body": 1, "images": 1}
    assert read == one | {"widest": width, "open": str(count - 1)}
    assert visit.events == [] and visit.requests == [file.as_uri()]
    page.close()


def test_hostile_names_are_filters_like_any_other(chromium: Any, file: Path) -> None:
    page = chromium.new_page()
    visit = Visit(page, file)
    visit.open(str(items_link("", metric=HOSTILE, value="right", system=HOSTILE, category=HOSTILE)))
    assert visit.status.startswith("50 rows of")
    visit.open(str(items_link("", benchmark=HOSTILE)))
    page.keyboard.press("j")
    page.keyboard.press("u")
    text = page.locator("#detail").inner_text()
    assert "<script>alert(1)</script>" in text and "[U+202E]" in text and "[U+0000]" in text
    assert visit.events == [] and visit.requests == [file.as_uri()]
    page.close()


def test_the_browser_itself_refuses_markup_and_scripts(chromium: Any, file: Path) -> None:
    page = chromium.new_page()
    Visit(page, file).open()
    for code in ("body.innerHTML = '<b>x</b>'", "body.setAttribute('onclick', 'alert(1)')", "write('<b>x</b>')"):
        refused = page.evaluate(f"() => {{ try {{ document.{code}; return 'done'; }} catch (e) {{ return e.name; }} }}")
        assert refused == "TypeError", code
    page.close()
