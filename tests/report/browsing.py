"""A page in a real browser, watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Visit:
    """One page in the browser, and all that it did besides showing itself."""

    def __init__(self, page: Any, file: Path) -> None:
        self.page, self.address = page, file.as_uri()
        page.set_default_timeout(15_000)
        self.events: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.events.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.events.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.events.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("popup", lambda popup: self.events.append(f"window: {popup.url}"))
        page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith("data:"):
            self.requests.append(request.url.partition("#")[0])

    def open(self, fragment: str = "") -> Any:
        """Load the page anew and wait until the items are there."""
        self.page.goto("about:blank")
        self.requests.clear()
        self.page.goto(self.address + fragment)
        self.page.wait_for_selector("body[data-ready]")
        return self.page

    @property
    def status(self) -> str:
        return str(self.page.locator("#status").inner_text())
