"""Every number of the report opens exactly the items that it counts, followed in a real browser."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from browsing import Visit
from item_rows import SYSTEMS, answers, outcomes
from report_rows import png, report

from srpo.evaluate import (
    METRICS,
    adjust,
    by_category,
    by_level,
    by_split,
    compare,
    first_failing_steps,
    metrics,
    risk_steps,
    two_by_two,
)
from srpo.rates import JOINT
from srpo.report import render_page
from srpo.report.browser import render_items
from srpo.report.items import collect_items
from srpo.types import Report, Result

RUN = answers()
STATUS = re.compile(r"match: ([\d,]+) items? in ([\d,]+) sets?")
FOLLOW = """async (links) => {
  const read = [];
  for (const link of links) {
    const changed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
    location.hash = link;
    await changed;
    read.push(document.getElementById("status").textContent);
  }
  return read;
}"""
Query = dict[str, str]


def rows(decoding: str) -> dict[str, list[Result]]:
    return {name: [r for r in RUN.results if (r.system, r.decoding) == (name, decoding)] for name in SYSTEMS}


def parts(split: Callable[[Sequence[Result]], Mapping[str, Sequence[Result]]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for system, results in rows("greedy").items():
        for part, members in split(results).items():
            found.setdefault(part, {})[system] = metrics(members, seed=0)
    return found


def evaluated() -> Report:
    greedy, sampled = rows("greedy"), rows("sampled")
    first, *others = greedy.values()
    return report(
        systems={name: metrics(found, seed=0) for name, found in greedy.items()},
        sampled={name: metrics(found, seed=0) for name, found in sampled.items()},
        splits=parts(by_split),
        levels=parts(by_level),
        categories=parts(by_category),
        comparisons=adjust([compare(first, rows, rate, 0) for rows in others for rate in METRICS]),
        first_failing_step={name: first_failing_steps(found) for name, found in greedy.items()},
        risk_steps={name: risk_steps(found) for name, found in greedy.items()},
        two_by_two={name: two_by_two(found) for name, found in greedy.items()},
    )


def numbers_of(page: str) -> list[tuple[Query, str]]:
    """Every link of a table or tile, with what is printed there."""
    found = re.findall(r'<a href="items.html#items\?([^"]+)">([^<]*)</a>', page)
    return [({k: v[0] for k, v in parse_qs(html.unescape(query)).items()}, text) for query, text in found]


def counted(of: Report, query: Query, text: str) -> int:
    """How many items, or sets, stand behind a number: printed as such, or scored and unscored ones of its rate."""
    if {"change", "value", "pair", "step"} & set(query):
        return int(text.split()[0])
    tables = {"split": of.splits, "level": of.levels, "category": of.categories}
    kind = next((key for key in tables if key in query), None)
    systems = tables[kind][query[kind]] if kind else of.systems if query["decoding"] == "greedy" else of.sampled
    rate = systems[query["system"]][query["metric"]]
    return rate.n + rate.unscored


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    (made / "picture.png").write_bytes(png())
    page = render_items(collect_items(RUN, list(outcomes(RUN.results))), made)
    (made / "items.html").write_text(page, encoding="utf-8")
    return made


def test_every_number_opens_exactly_its_items(chromium: Any, folder: Path):
    of = evaluated()
    numbers = numbers_of(render_page(of, items="items.html"))
    visit = Visit(chromium.new_page(), folder / "items.html")
    visit.open()
    links = ["#items?" + "&".join(f"{key}={value}" for key, value in query.items()) for query, _ in numbers]
    read = [STATUS.search(text) for text in visit.page.evaluate(FOLLOW, links)]
    opened = [
        int(found[2 if query.get("metric") == JOINT else 1]) for (query, _), found in zip(numbers, read, strict=True)
    ]
    wrong = [(q, text, n) for (q, text), n in zip(numbers, opened, strict=True) if n != counted(of, q, text)]
    assert wrong == [] and visit.events == []
    assert len(numbers) > 300 and len(set(opened)) > 10
