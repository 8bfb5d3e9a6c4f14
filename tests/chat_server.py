"""A chat server on localhost that answers, and misbehaves, as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answer:
    """What the server sends: a status, a body, headers.

    `drip_seconds` sends the body byte by byte; `cut` ends the connection so many bytes before the end.
    """

    def __init__(self, body: object, status: int = 200, **headers: str) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = {key.replace("_", "-"): value for key, value in headers.items()}
        self.drip_seconds = 0.0
        self.cut = 0


Reply = Callable[[dict[str, Any], int], Answer]


class Server(ThreadingHTTPServer):
    """A chat server that keeps what it was sent; `reply(payload, number)` decides what comes back."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.payloads: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.active = self.most_active = 0
        self.lock = threading.Lock()
        self.dead = False
        self.models: list[dict[str, Any]] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of these tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        if self.server.dead:
            self.connection.close()  # as when the process behind it has gone
            return
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.payloads.append({**payload, "path": self.path})
            self.server.headers.append({key.lower(): value for key, value in self.headers.items()})
            number = len(self.server.payloads)
            self.server.active += 1
            self.server.most_active = max(self.server.most_active, self.server.active)
        answer = self.server.reply(payload, number)
        with self.server.lock:
            self.server.active -= 1
        self.send_response(answer.status)
        for key, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        for i in range(len(answer.body)) if answer.drip_seconds else ():
            time.sleep(answer.drip_seconds)
            self.wfile.write(answer.body[i : i + 1])
        if not answer.drip_seconds:
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])

    def do_GET(self) -> None:
        body = json.dumps({"object": "list", "data": self.server.models}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def chat(text: str | None = "ok", finish: str | None = "stop", **choice: object) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": text}
    if "refusal" in choice:
        message["refusal"] = choice.pop("refusal")
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish, **choice}], "usage": usage}


@contextmanager
def serve(reply: Reply) -> Iterator[Server]:
    server = Server(reply)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
