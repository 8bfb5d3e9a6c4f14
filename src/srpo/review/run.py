"""Serving: the address is taken first, then the store is opened, and a token is printed."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from srpo.listen import listen
from srpo.review.app import build_app
from srpo.review.guard import Guard
from srpo.review.plan import Plan
from srpo.review.store import Store

HOST = "127.0.0.1"
"""Only this machine: reviewers elsewhere come through a tunnel of their own."""


def serve(folder: Path, plan: Plan | None, port: int, say: Callable[[str], None], open_page: bool) -> None:
    """Serve the page until the process is stopped.

    Raises ConfigError if the port cannot be had, and DataError as `Store.open`.
    """
    with listen(HOST, port) as listener, Store.open(folder, plan) as store:
        guard = Guard(listener.getsockname()[1])
        address = f"http://{HOST}:{guard.port}/?token={guard.token}"
        say(f"review {folder}: {_summary(store)}")
        say(f"open {address}")
        say("Ctrl-C ends it; every decision is saved when it is made")
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        server = uvicorn.Server(
            uvicorn.Config(build_app(store, guard), log_level="warning", access_log=False, server_header=False)
        )
        if open_page and _has_screen():
            webbrowser.open(address)
        try:
            server.run(sockets=[listener])
        except SystemExit:
            # After a clean end the server raises the signal again, and being stopped is how a server ends.
            if not server.started:
                raise
    say(f"stopped; `srpo review export {folder}` writes reviews.jsonl")


def _summary(store: Store) -> str:
    counts = store.query("SELECT COUNT(*) AS n, COUNT(DISTINCT grp) AS sets FROM items WHERE present")[0]
    plan = store.plan
    people = f"reviewers {', '.join(plan.reviewers)}" if plan.reviewers else "whoever comes"
    labelling = f"{plan.per_item} per item, blind" if plan.blind else "one per item"
    return f"{counts['n']} items in {counts['sets']} sets; {people}; {labelling}"


def _has_screen() -> bool:
    """False where only a browser of the terminal could be opened, which would take the terminal for itself."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
