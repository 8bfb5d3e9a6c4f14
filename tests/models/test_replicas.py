"""Several servers with the same model: who gets what, and what happens when one goes."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chat_server import Answer, Server, chat, serve
from srpo.errors import ConfigError
from srpo.models.base import Message, Request
from srpo.models.openai import OpenAIModel
from srpo.models.routing import ranked, steps_nest


def echo(payload: dict[str, Any], number: int) -> Answer:
    return Answer(chat(text_of(payload)))


def text_of(payload: dict[str, Any]) -> str:
    return str(payload["messages"][0]["content"][-1]["text"])


def model_of(*servers: Server, **settings: Any) -> OpenAIModel:
    urls = [server.base_url for server in servers]
    return OpenAIModel("vlm", base_url=urls, **{"timeout_seconds": 5, "max_retries": 0, **settings})


@pytest.fixture
def requests(tmp_path: Path) -> list[Request]:
    """Six questions on each of eight pictures, pictures mixed."""
    paths = [tmp_path / f"{i}.png" for i in range(8)]
    for i, path in enumerate(paths):
        Image.new("RGB", (4, 4), (i, 0, 0)).save(path)
    rows = [(number, path) for number in range(6) for path in paths]
    return [
        Request(id=f"{path.stem}-{i}", messages=(Message(role="user", text=f"{path.stem}-{i}", images=(path,)),))
        for i, path in rows
    ]


def pictures(server: Server) -> list[str]:
    return [text_of(payload).partition("-")[0] for payload in server.payloads]


def test_a_picture_stays_at_one_server_and_its_requests_go_together(requests: list[Request]) -> None:
    with serve(echo) as one, serve(echo) as two:
        completions = model_of(one, two, max_concurrency=1).generate(requests)
    assert [c.text for c in completions] == [r.id for r in requests]
    assert set(pictures(one)).isdisjoint(pictures(two)) and len(one.payloads) + len(two.payloads) == len(requests)
    for server in (one, two):
        seen = pictures(server)
        assert [p for i, p in enumerate(seen) if seen[i - 1 : i] != [p]] == list(dict.fromkeys(seen))


def test_only_the_requests_of_a_server_that_is_gone_move() -> None:
    keys = [str(i) for i in range(300)]
    before = {key: ranked("abc", "abc", key)[0] for key in keys}
    after = {key: ranked("ac", "ac", key)[0] for key in keys}
    assert all(after[key] == before[key] for key in keys if before[key] != "b")
    assert all(60 < list(before.values()).count(name) < 140 for name in "abc")
    assert {after[key] for key in keys if before[key] == "b"} == {"a", "c"}


@pytest.mark.parametrize("how", ["gone", "dies", "broken", "busy", "garbage", "another model"])
def test_another_server_answers_what_one_cannot(requests: list[Request], how: str) -> None:
    def bad(payload: dict[str, Any], number: int) -> Answer:
        if how == "dies":
            worse.dead = number >= 3
            return echo(payload, number)
        status = {"broken": 500, "busy": 429, "another model": 404, "garbage": 200}[how]
        return Answer(b"<html>", status)

    with ExitStack() as stack:
        good, worse = (stack.enter_context(serve(reply)) for reply in (echo, bad))
        worse.dead = how == "gone"
        completions = model_of(worse, good, max_concurrency=2).generate(requests)
    assert [(c.text, c.finish) for c in completions] == [(r.id, "stop") for r in requests]
    if how != "garbage":
        assert len(worse.payloads) <= 6  # it is left alone after two failures, with two requests under way


def test_what_no_server_can_answer_is_an_error(requests: list[Request]) -> None:
    with serve(lambda p, n: Answer({}, 503)) as one, serve(lambda p, n: Answer({}, 400)) as two:
        completions = model_of(one, two).generate(requests[:8])
    assert {c.finish for c in completions} == {"error"} and [c.id for c in completions] == [r.id for r in requests[:8]]
    assert all(f"{400}" in (c.error or "") for c in completions)
    one.dead = two.dead = True
    assert all(c.error for c in model_of(one, two).generate(requests))


def test_request_that_is_wrong_is_not_sent_to_all(requests: list[Request]) -> None:
    with serve(lambda p, n: Answer({}, 400)) as one, serve(lambda p, n: Answer({}, 400)) as two:
        model_of(one, two).generate(requests)
    assert len(one.payloads) + len(two.payloads) == len(requests)


def test_one_address_twice_is_one_server() -> None:
    url = "http://localhost:1/v1"
    assert OpenAIModel("vlm", base_url=[url, url]).base_urls == (url,)
    with pytest.raises(ConfigError, match="nowhere"):
        OpenAIModel("vlm", base_url=[url, "nowhere"])


def opened(*prefix: str) -> Request:
    return Request(id="x", messages=(Message(role="user", text="x"),), prefix=prefix)


def test_step_boundaries_are_checked_on_the_ids_that_come_back(caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        (opened("a"), (1, 2)),
        (opened("a", "b", "c"), (1, 2, 3, 4)),
        (opened("a", "b"), (1, 2, 3)),
        (opened(), (1,)),
    ]
    assert steps_nest(rows) and steps_nest([])
    assert not steps_nest([*rows, (opened("a", "b"), (1, 9, 3))])

    def merging(payload: dict[str, Any], number: int) -> Answer:
        ids = [1, len(payload["messages"][-1]["content"])]
        return Answer({**chat("x", token_ids=[5]), "prompt_token_ids": ids})

    with serve(merging) as server, caplog.at_level(logging.WARNING):
        model_of(server).generate([opened("a"), opened("a", "b")])
    assert "step boundaries" in caplog.text
