"""A real `srpo review`, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

ENVIRONMENT: Final = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
_MAIN: Final = "import srpo.cli, srpo.cli.review; srpo.cli.app = srpo.cli.review.app; srpo.cli.main()"
"""As `srpo review`, without the word `review`."""


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-c", _MAIN, *map(str, words)]


def start(folder: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """A server and the address that it printed."""
    words = command(folder, "--port", "0", "--no-open", *options)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if found := re.search(r"open (http://\S+)", line):
            return process, found[1]
    raise AssertionError(f"the server did not start: {printed}")


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """The address of a server, which is stopped afterwards."""
    process, address = start(folder, *options)
    try:
        client_of(address).close()  # it answers
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=20)


def client_of(address: str, who: str = "Ada", role: str = "reviewer") -> httpx.Client:
    """A client that has opened the address, as the page of this person."""
    base = address.partition("/?")[0]
    headers = {"X-Srpo-Reviewer": who, "X-Srpo-Role": role, "Content-Type": "application/json"}
    client = httpx.Client(base_url=base, headers=headers, timeout=20)  # it listens before it prints
    assert client.get(address.removeprefix(base)).status_code == 303
    return client
