"""Replies that were paid for once are kept, and nothing else is taken for them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chat_server import Answer, chat, serve
from srpo.errors import DataError
from srpo.models.base import Message, Progress, Request
from srpo.models.cached import CachedModel
from srpo.models.openai import OpenAIModel
from srpo.types import Completion, Sampling


@dataclass
class Counting:
    """A model that numbers its replies; texts that hold "bad" fail."""

    name: str = "counting"
    version: str = "1"
    token_ids: bool = False
    asked: list[str] = field(default_factory=list)

    def identity(self) -> str:
        return self.version

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        completions = []
        for request in requests:
            self.asked.append(request.id)
            bad = "bad" in request.messages[0].text
            text = "" if bad else f"reply {len(self.asked)} \U0001f642\x00"
            error = "error: bad" if bad else None
            completions.append(
                Completion(id=request.id, text=text, token_ids=(5, 2), finish="error" if bad else "stop", error=error)
            )
            if progress is not None:
                progress(1)
        return completions


def request(name: str, text: str = "x", images: tuple[Path, ...] = (), **fields: Any) -> Request:
    return Request(id=name, messages=(Message(role="user", text=text, images=images),), **fields)


def test_second_time_costs_nothing_and_carries_the_new_id(tmp_path: Path) -> None:
    inner, seen = Counting(), list[int]()
    first = CachedModel(inner, tmp_path).generate([request("a"), request("b", "y")])
    again = CachedModel(inner, tmp_path).generate([request("c", "y"), request("d", "z"), request("e")], seen.append)
    assert inner.asked == ["a", "b", "d"] and sum(seen) == 3
    assert again[0] == first[1].model_copy(update={"id": "c"}) and again[2] == first[0].model_copy(update={"id": "e"})
    assert again[1].id == "d"


def test_whatever_could_change_the_reply_changes_the_key(tmp_path: Path) -> None:
    picture, same = tmp_path / "a.png", tmp_path / "b.png"
    Image.new("RGB", (2, 2), "red").save(picture)
    same.write_bytes(picture.read_bytes())
    inner = Counting()

    def is_known(asked: Request) -> bool:
        before = len(inner.asked)
        inner.token_ids = False  # as in a new process
        CachedModel(inner, tmp_path).generate([asked])
        return len(inner.asked) == before

    assert not is_known(request("a", images=(picture,))) and is_known(request("b", images=(same,)))
    Image.new("RGB", (2, 2), "blue").save(picture)
    assert not is_known(request("a", images=(picture,))) and is_known(request("b", images=(same,)))
    others: list[dict[str, Any]] = [
        *({"text": "y"}, {"seed": 1}, {"prefix": ("s",)}, {"prefix": ("s", "t")}, {"prefix": ("st",)}),
        *({"sampling": Sampling(temperature=0.5)}, {"sampling": Sampling(max_new_tokens=3)}, {"images": (same, same)}),
    ]
    assert [is_known(request("a", **other)) for other in others] == [False] * len(others)
    assert [is_known(request("a", **other)) for other in others] == [True] * len(others)
    inner.version = "2"
    assert not is_known(request("b", images=(same,)))


def test_a_reply_from_before_token_ids_were_asked_for_is_none_with_them(tmp_path: Path) -> None:
    inner = Counting()
    model = CachedModel(inner, tmp_path)
    rows = [request("a"), request("b", prefix=("s",))]
    model.generate(rows[:1])
    model.generate(rows)
    model.generate(rows[:1])
    assert inner.asked == ["a", "a", "b"] and inner.token_ids


def test_errors_are_asked_for_again(tmp_path: Path) -> None:
    inner = Counting()
    model = CachedModel(inner, tmp_path)
    rows = [request("a", "bad"), request("b")]
    assert [c.finish for c in model.generate(rows)] == [c.finish for c in model.generate(rows)] == ["error", "stop"]
    assert inner.asked == ["a", "b", "a"]


WORK = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from test_cached import CachedModel, Counting, request
model = CachedModel(Counting(), sys.argv[3])
for i in range(int(sys.argv[4]), int(sys.argv[5])):
    model.generate([request(str(i), f"text {i}")])
    print(i, flush=True)
"""


def work(folder: Path, begin: int, end: int) -> subprocess.Popen[str]:
    tests = Path(__file__).parent
    words = [sys.executable, "-c", WORK, str(tests), str(tests.parent), str(folder), str(begin), str(end)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_two_processes_lose_nothing_also_if_one_is_killed(tmp_path: Path) -> None:
    steady, doomed = work(tmp_path, 0, 120), work(tmp_path, 60, 10_000)
    assert doomed.stdout is not None
    while int(doomed.stdout.readline()) < 150:
        pass
    os.kill(doomed.pid, signal.SIGKILL)
    last = max([150, *map(int, doomed.communicate()[0].split()[:-1])])
    assert steady.communicate(timeout=60)[0].split() == [str(i) for i in range(120)]
    inner = Counting()
    CachedModel(inner, tmp_path).generate([request(str(i), f"text {i}") for i in range(last + 1)])
    assert inner.asked == []


def test_a_new_store_waits_for_another_process_that_starts(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "responses.sqlite", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE other (x)")
    freed = threading.Timer(0.3, other.commit)
    freed.start()
    inner = Counting()
    assert CachedModel(inner, tmp_path).generate([request("a")])[0].finish == "stop"
    freed.join()
    other.close()


def test_a_store_that_is_no_store_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "responses.sqlite").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(DataError, match=r"responses\.sqlite: cannot be used as a response cache"):
        CachedModel(Counting(), tmp_path)


def test_server_is_known_by_its_revision_or_else_by_its_address(tmp_path: Path) -> None:
    def identity(url: str | list[str], **settings: Any) -> str:
        return OpenAIModel("vlm", base_url=url, timeout_seconds=2, **settings).identity()

    with serve(lambda p, n: Answer(chat())) as one, serve(lambda p, n: Answer(chat())) as two:
        one.models = two.models = [{"id": "vlm", "revision": "abc"}, {"id": "other", "revision": "def"}]
        start = time.monotonic()
        assert identity(one.base_url) == identity(two.base_url) == identity([one.base_url, two.base_url])
        known = identity(one.base_url)
        two.models = [{"id": "vlm", "revision": "new"}]
        assert len({known, identity(two.base_url), identity(one.base_url, extra_body={"min_p": 0.1})}) == 3
        one.models = two.models = [{"id": "vlm"}]
        assert identity(one.base_url) != identity(two.base_url)
        assert time.monotonic() - start < 5
