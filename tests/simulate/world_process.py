"""`srpo world serve` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_PROXY": "127.0.0.1", "PYTHONUNBUFFERED": "1"}


@contextmanager
def serving_world(pool: Path, *options: str, **environment: str) -> Iterator[str]:
    """The address that the server prints."""
    command = [sys.executable, "-m", "srpo", "world", "serve", "--pool", str(pool), "--port", "0", *options]
    process = subprocess.Popen(
        command, env=ENVIRONMENT | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        lines = []
        while not lines or " at http://" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        yield lines[-1].split()[-1]
        process.terminate()
        rest, _ = process.communicate(timeout=20)
        assert "Traceback" not in rest and "stopped" in rest, rest
    finally:
        process.kill()
        process.communicate()


def post(url: str, body: object, page: str = "chat/completions", **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one request without any client in between."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/{page}", data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def get(url: str) -> dict[str, Any]:
    """JSON of a page."""
    with urllib.request.urlopen(url, timeout=30) as response:
        found = json.load(response)
    assert isinstance(found, dict)
    return found
