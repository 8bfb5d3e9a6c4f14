"""The review page in a real browser, watched; its server runs in a thread beside the test."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from srpo.listen import listen
from srpo.review.app import build_app
from srpo.review.guard import Guard
from srpo.review.plan import Plan
from srpo.review.run import HOST
from srpo.review.store import Store


@contextmanager
def served(folder: Path, plan: Plan | None = None) -> Iterator[tuple[Store, str]]:
    """An open store and the address of its page."""
    with listen(HOST, 0) as listener, Store.open(folder, plan) as store:
        guard = Guard(listener.getsockname()[1])
        server = uvicorn.Server(uvicorn.Config(build_app(store, guard), log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield store, f"http://127.0.0.1:{guard.port}/?token={guard.token}"
        finally:
            server.should_exit = True
            thread.join(timeout=20)


class Desk:
    """One person's tab, and all that it did besides showing itself."""

    def __init__(self, browser: Any, address: str, width: int = 1280, height: int = 800, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.address = address
        self.events: list[str] = []
        self.requests: set[str] = set()
        self.page = self.tab()

    def tab(self) -> Any:
        """Another tab of the same browser."""
        page = self.context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: self.events.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.events.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.events.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("popup", lambda popup: self.events.append(f"window: {popup.url}"))
        page.on(
            "request",
            lambda request: self.requests.add(request.url.partition("/")[2].partition("/")[2].partition("/")[0]),
        )
        return page

    def enter(self, name: str = "Ada", role: str = "reviewer", page: Any = None) -> Any:
        """Open the address and give a name."""
        page = page or self.page
        page.goto(self.address)
        page.wait_for_selector("#name")
        if role == "adjudicator":
            page.get_by_label("Adjudicator").check()
        if page.locator("select#name").count():
            page.locator("#name").select_option(name)
        else:
            page.locator("#name").fill(name)
        page.get_by_role("button", name="Begin").click()
        page.wait_for_selector("body[data-ready]")
        return page

    def says(self, words: str, page: Any = None) -> None:
        """Wait until the page has said something, and takes the next decision."""
        page = page or self.page
        page.locator("#status", has_text=words).wait_for()
        page.locator("#item[aria-busy=false]").wait_for()

    def close(self) -> None:
        self.context.close()


def open_item(page: Any) -> int:
    """Number of the item that is open."""
    return int(re.findall(r"\d+", page.locator(".heading h2").inner_text())[0])


def turned(page: Any, number: int) -> None:
    """Wait until another item is open."""
    page.wait_for_function("n => document.querySelector('.heading h2')?.textContent !== 'Item ' + n", arg=number)
