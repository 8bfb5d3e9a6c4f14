"""Published files on a hub: a small server that speaks the hub's protocol, and the command line that loads from it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mild_files import write

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "somebody/mild"


class Hub(ThreadingHTTPServer):
    """One dataset repository whose files are those of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        self.sent: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path, files = self.path.partition("?")[0], self.server.files
        resolved = f"/datasets/{NAME}/resolve/{COMMIT}/"
        if path == f"/api/datasets/{NAME}/revision/main":
            self._send(json.dumps({"id": NAME, "sha": COMMIT, "siblings": []}).encode(), body)
        elif path == f"/api/datasets/{NAME}/tree/{COMMIT}":
            listed = [{"type": "file", "path": p, "size": len(d), "oid": _etag(d)} for p, d in files.items()]
            self._send(json.dumps(listed).encode(), body)
        elif path.startswith(resolved) and path.removeprefix(resolved) in files:
            data = files[path.removeprefix(resolved)]
            self.server.sent += [path.removeprefix(resolved)] if body else []
            self._send(data, body, {"ETag": f'"{_etag(data)}"', "X-Repo-Commit": COMMIT})
        else:
            self._send(b'{"error": "not here"}', body, {"X-Error-Code": "RepoNotFound"}, status=404)

    def _send(self, data: bytes, body: bool, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


def _etag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    write(tmp_path / "published", "siuo")
    server = Hub(tmp_path / "published")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def check(path: str, endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "srpo", "benchmarks", "check", "siuo", path]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_files_and_pictures_come_from_the_hub_once(hub: Hub, tmp_path: Path) -> None:
    first = check(f"hub:{NAME}", hub.url, tmp_path / "home")
    assert first.returncode == 0, first.stderr
    assert "siuo: 3 items" in first.stdout and len(hub.sent) == len(set(hub.files.values()))
    again = check(f"hub:{NAME}@main", hub.url, tmp_path / "home")
    assert again.returncode == 0 and len(hub.sent) == len(set(hub.files.values())), again.stderr
    hub.shutdown()
    hub.server_close()
    offline = check(f"hub:{NAME}", hub.url, tmp_path / "home")
    assert offline.returncode == 0 and offline.stdout == first.stdout, offline.stderr


def test_a_name_that_is_not_there_is_one_line(hub: Hub, tmp_path: Path) -> None:
    done = check("hub:somebody/else", hub.url, tmp_path / "home")
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode == 2 and "hub:somebody/else: cannot be loaded" in line and "Traceback" not in done.stderr
    done = check("hub:no name at all!", hub.url, tmp_path / "home")
    assert done.returncode == 2 and "hub:no name at all!: cannot be loaded (HFValidationError" in done.stderr
