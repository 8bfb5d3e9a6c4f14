"""Text that tries to act, everywhere a text can stand on the review page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from review_rows import HOSTILE, HOSTILE_EDIT, draft_set, picture, sample, write_dataset
from reviewing import Desk, served

from hostile import hostile_replies
from srpo.records import write_records
from srpo.review.store import draft_review
from srpo.steps import STEP_NAMES, join
from srpo.types import CELLS, ReasoningPath, Step
from srpo.types.data import Edit

READ = """() => {
  const many = (name) => document.getElementsByTagName(name).length;
  const names = ["script", "a", "iframe", "svg", "style", "base", "body"];
  const found = Object.fromEntries(names.map((name) => [name, many(name)]));
  const hosts = new Set([...document.images].map((image) => new URL(image.src).host));
  return { ...found, width: document.documentElement.scrollWidth, hosts: hosts.size };
}"""
ASK = """async (base) => {
  const found = [], address = base + "/api/items/1", own = { credentials: "include" };
  const plain = { method: "POST", body: "{}", headers: { "Content-Type": "text/plain" }, mode: "no-cors" };
  for (const [path, options] of [["/decide", plain], ["", { headers: { "X-Srpo-Reviewer": "Eve" } }], ["", {}]]) {
    found.push(await fetch(address + path, { ...own, ...options }).then((reply) => reply.type, () => "refused"));
  }
  return found;
}"""


def hostile_folder(folder: Path) -> None:
    """One set whose every text, id, name and path is hostile, and one sample per hostile reply."""
    image = picture(folder)
    names = {"split": HOSTILE, "licence": HOSTILE, "rule": HOSTILE, "caption": HOSTILE}
    cells = [sample(image, HOSTILE, cell, HOSTILE, id=f"{HOSTILE}-{cell}", **names) for cell in CELLS]
    replies = [reply for reply in hostile_replies() if len(reply) < 50_000][:60]
    torn = ReasoningPath(steps=(Step(name=None, text=HOSTILE), Step(name="__proto__", text=HOSTILE)))
    more = []
    for number, reply in enumerate(replies):
        words = reply.encode("utf-8", "replace").decode()
        try:
            path = join([f"{name}: {words}" for name in STEP_NAMES] + [words or "x"])
        except ValueError:
            path = torn
        more.append(sample(image, f"g{number}", question=words, reference=path))
    write_records(folder / "samples.jsonl", [*cells, *more])
    write_records(folder / "sets.jsonl", [draft_set(cells, "fail", HOSTILE)])


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_runs_loads_or_breaks_the_layout(chromium: Any, tmp_path: Path, width: int) -> None:
    hostile_folder(tmp_path)
    with served(tmp_path) as (store, address):
        who = "<b>Ada</b> \"'>{{7*7}}"
        for number in range(1, 5):
            item = store.item(number, who)
            edit = Edit(steps={"visual": HOSTILE_EDIT})
            store.decide(draft_review(item, who, "edit", edit=edit, note=HOSTILE), item.version)
        desk = Desk(chromium, address, width, 800)
        page = desk.enter("<img src=x onerror=alert(9)>")
        plain = page.evaluate(READ)
        page.goto(page.url.partition("#")[0] + "#item=1")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        page.keyboard.press("u")
        page.keyboard.press("w")
        page.locator(".cells article").nth(3).wait_for()
        page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
        page.keyboard.press("1")
        page.keyboard.type(" <script>alert(5)</script>")
        page.keyboard.press("Escape")
        assert page.evaluate(READ) == plain | {"hosts": 1}
        tags = {"script": 1, "a": 1, "iframe": 0, "svg": 0, "style": 0, "base": 0, "body": 1}
        assert plain == {**tags, "width": width, "hosts": 1}
        text = page.locator("#board").text_content()
        assert "<script>alert(1)</script>" in text and "[U+202E]" in text and "\u202e" not in text
        seen = set()
        for _ in range(12):
            page.keyboard.press("j")
            page.locator("#item[aria-busy=false]").wait_for()
            seen.add(page.url)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert len(seen) > 5 and desk.events == [] and len(desk.requests) == 1
        desk.close()


def test_characters_without_a_shape_are_shown_as_code_points(chromium: Any, tmp_path: Path) -> None:
    hidden = {"\u200b": "U+200B", "\u00ad": "U+00AD", "\U000e0041": "U+E0041", "\ue000": "U+E000", "\u2028": "U+2028"}
    image = picture(tmp_path)
    write_records(tmp_path / "samples.jsonl", [sample(image, question=f"a{''.join(hidden)}\u200d\U0001f525 b")])
    with served(tmp_path) as (_, address):
        desk = Desk(chromium, address)
        text = desk.enter().locator("[data-part=question] .text").text_content()
        assert text == f"a{''.join(f'[{name}]' for name in hidden.values())}\u200d\U0001f525 b" and desk.events == []
        desk.close()


def test_the_policy_stops_what_a_slip_would_let_through(chromium: Any, tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    with served(tmp_path) as (_, address):
        desk = Desk(chromium, address)
        page = desk.enter()
        slip = "() => { document.getElementById('item').innerHTML = '<img src=x onerror=alert(1)>'; }"
        with pytest.raises(Exception, match="TrustedHTML"):
            page.evaluate(slip)
        inline = "() => document.createElement('img').setAttribute('onerror', 'window.ran = 1')"
        with pytest.raises(Exception, match="TrustedScript"):
            page.evaluate(inline)
        page.evaluate("() => document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }))")
        page.wait_for_timeout(300)
        assert "img-src 'self'" in "".join(desk.events)
        desk.close()


def test_another_site_cannot_use_the_cookie(chromium: Any, tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    with served(tmp_path) as (store, address):
        desk = Desk(chromium, address)
        desk.enter()
        # Another port of this machine is the same site to cookies, but another origin.
        with served_elsewhere() as foreign:
            page = desk.tab()
            page.goto(foreign)
            assert page.evaluate(ASK, address.partition("/?")[0]) == ["refused"] * 3
        assert store.reviews() == []
        desk.close()


class Elsewhere(BaseHTTPRequestHandler):
    """An empty page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served_elsewhere() -> Iterator[str]:
    """The address of that page on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()
