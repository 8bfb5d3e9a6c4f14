"""A hub on this machine that keeps what is sent to it: the few calls that uploading a small folder makes."""

from __future__ import annotations

import base64
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OLD = {"data/train-00000-of-00009.parquet": b"old", "notes.txt": b"theirs"}
"""What every repository holds before anything is sent."""


class Hub(ThreadingHTTPServer):
    """`files` is what each repository holds, `created` how they were asked for, `calls` every path that was asked.

    Repositories are private unless `public` is in their name, and all is refused if `refused` is.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.created: list[dict[str, Any]] = []
        self.files: defaultdict[str, dict[str, bytes]] = defaultdict(lambda: dict(OLD))
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._note()
        if "refused" in self.path:
            self._reply({"error": "no such token"}, 401)
        elif "/tree/" in self.path:
            self._reply([{"type": "file", "path": n, "size": len(b), "oid": "0" * 40} for n, b in self._files()])
        else:
            siblings = [{"rfilename": name} for name, _ in self._files()]
            private = "public" not in self._name()
            self._reply({"id": self._name(), "private": private, "sha": "0" * 40, "siblings": siblings})

    def do_POST(self) -> None:
        self._note()
        body = self._body()
        if self.path.endswith("/repos/create"):
            self._create(json.loads(body))
        elif "/preupload/" in self.path:
            files = [one["path"] for one in json.loads(body)["files"]]
            mode = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            self._reply({"files": [{"path": path, **mode} for path in files]})
        elif "/commit/" in self.path:
            self._commit(body)
            self._reply({"commitUrl": f"{self.server.url}/datasets/{self._name()}/commit/0", "commitOid": "0" * 40})
        else:
            self._reply({"errors": [], "warnings": []})

    def _create(self, wish: dict[str, Any]) -> None:
        name = f"{wish['organization']}/{wish['name']}"
        if "refused" in name:
            self._reply({"error": "no such token"}, 401)
            return
        self.server.created.append(wish)
        self._reply({"url": f"{self.server.url}/datasets/{name}", "id": name})

    def _commit(self, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.server.files[self._name()][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del self.server.files[self._name()][value["path"]]

    def _files(self) -> list[tuple[str, bytes]]:
        return sorted(self.server.files[self._name()].items())

    def _name(self) -> str:
        """`me/x` of `/api/datasets/me/x/...`."""
        return "/".join(self.path.partition("?")[0].split("/")[3:5])

    def _note(self) -> None:
        self.server.calls.append(f"{self.command} {self.path}")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _reply(self, found: object, status: int = 200) -> None:
        data = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
