"""What the probe makes of servers that can do more or less than they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import run_files
from chat_server import Answer, chat, serve
from srpo.errors import ModelError
from srpo.models.base import Message, Request
from srpo.models.openai import OpenAIModel
from srpo.models.probe import Capabilities, check_server, probe
from srpo.models.scripted import ScriptedModel

Payload = dict[str, Any]


def ids_of(payload: Payload, continues: bool = True) -> list[int]:
    """A template: one token for the beginning of a turn, its words' letters, one token for its end."""
    ids: list[int] = []
    for message in payload["messages"]:
        parts = message["content"]
        parts = [{"type": "text", "text": parts}] if isinstance(parts, str) else parts
        ids += [-1]
        for part in parts:
            ids += [ord(letter) for letter in part["text"]] if part["type"] == "text" else [-9] * 16
        ids += [-2]
    if continues and payload.get("continue_final_message"):
        return ids[:-1]
    return [*ids, -1]


def able(payload: Payload, number: int) -> Answer:
    """A server that can do all."""
    ids = ids_of(payload)
    text = f"text {payload['seed']}"
    body = chat(text) | {"usage": {"prompt_tokens": len(ids), "completion_tokens": 2}}
    body["choices"] = [
        {"message": {"content": text}, "finish_reason": "length", "token_ids": [7, 8]}
        for _ in range(payload.get("n", 1))
    ]
    return Answer(body | {"prompt_token_ids": ids})


def without(*names: str) -> Callable[[Payload, int], Answer]:
    """A server that drops fields of requests, as proxies do."""

    def reply(payload: Payload, number: int) -> Answer:
        payload = {key: value for key, value in payload.items() if key not in names}
        body = _body(payload)
        if "return_token_ids" in names:
            del body["prompt_token_ids"]
            for choice in body["choices"]:
                del choice["token_ids"]
        return Answer(body)

    return reply


def _body(payload: Payload) -> dict[str, Any]:
    return dict(json.loads(able({"seed": 0, **payload}, 1).body))


def strict(payload: Payload, number: int) -> Answer:
    """Refuses what OpenAI does not know."""
    unknown = {"continue_final_message", "return_token_ids", "n"} & payload.keys()
    return Answer({"error": {"message": f"unknown {unknown}"}}, 400) if unknown else able(payload, number)


def blind(payload: Payload, number: int) -> Answer:
    for message in payload["messages"]:
        if isinstance(message["content"], list):
            message["content"] = [part for part in message["content"] if part["type"] == "text"]
    return able(payload, number)


def restless(payload: Payload, number: int) -> Answer:
    return able({**payload, "seed": number}, number)


def merging(payload: Payload, number: int) -> Answer:
    """Reads a line break and what follows as one token."""
    body = _body(payload)
    ids = body["prompt_token_ids"]
    if ids[-1] == ord("\n"):
        body["prompt_token_ids"] = [*ids[:-1], -10]
    return Answer(body)


def trimming(payload: Payload, number: int) -> Answer:
    """A template that trims the assistant's turn."""
    for message in payload["messages"]:
        if message["role"] == "assistant":
            message["content"] = message["content"].strip()
    return able(payload, number)


FULL = Capabilities(images=True, prefixes=True, token_ids=True, boundaries=True, seeds=True)
NO_IDS = Capabilities(images=True, prefixes=True, token_ids=False, boundaries=None, seeds=True)
CLOSING = Capabilities(images=True, prefixes=False, token_ids=True, boundaries=False, seeds=True)


@pytest.mark.parametrize(
    ("reply", "found", "words"),
    [
        (able, FULL, None),
        (without("return_token_ids"), NO_IDS, "text only"),
        (without("continue_final_message"), CLOSING, "no step prefixes: judging and whole paths only"),
        (without("continue_final_message", "return_token_ids"), Capabilities(images=True, seeds=True), "no step"),
        (strict, Capabilities(images=True, seeds=True), "no step prefixes"),
        (blind, replace(FULL, images=False), "takes no pictures"),
        (restless, replace(FULL, seeds=False), "ignores seeds"),
        (merging, replace(FULL, boundaries=False), "changes the end of a step"),
        (trimming, replace(FULL, boundaries=False), "changes the end of a step"),
    ],
    ids=["able", "no ids", "closing", "closing, no ids", "strict", "blind", "restless", "merging", "trimming"],
)
def test_what_a_server_can_do(reply: Callable[[Payload, int], Answer], found: Capabilities, words: str | None) -> None:
    with serve(reply) as server:
        model = OpenAIModel("vlm", base_url=server.base_url, max_retries=0)
        capabilities = probe(model, server.base_url)
    line = capabilities.line()
    assert capabilities == found
    assert line is None if words is None else words in (line or "") and "\n" not in (line or "")
    assert len(server.payloads) <= 10


def test_exploration_stops_without_prefixes_and_judging_goes_on() -> None:
    with serve(strict) as server:
        model = OpenAIModel("vlm", base_url=server.base_url, max_retries=0)
        with pytest.raises(ModelError, match=r"vlm at http.*no step prefixes: judging and whole paths only"):
            check_server(model, "prefixes")
        assert "no step prefixes" in (check_server(model, "texts") or "")
    with serve(blind) as server, pytest.raises(ModelError, match="pictures"):
        check_server(OpenAIModel("vlm", base_url=server.base_url, max_retries=0), "texts")


def test_one_of_several_may_be_gone_but_not_all() -> None:
    with serve(able) as one, serve(lambda p, n: Answer({"error": {"message": "no model vlm"}}, 404)) as two:
        line = check_server(OpenAIModel("vlm", base_url=[one.base_url, two.base_url], max_retries=0), "prefixes")
        assert two.base_url in (line or "") and "404" in (line or "") and one.base_url not in (line or "")
        with pytest.raises(ModelError, match=r"404.*no model vlm"):
            check_server(OpenAIModel("vlm", base_url=two.base_url, max_retries=0), "texts")
    with pytest.raises(ModelError, match="does not answer"):
        check_server(OpenAIModel("vlm", base_url=one.base_url, max_retries=0), "texts")


@pytest.mark.parametrize("reply", [able, without("return_token_ids")])
def test_token_ids_are_asked_for_where_they_are_given(reply: Callable[[Payload, int], Answer]) -> None:
    with serve(reply) as server:
        model = OpenAIModel("vlm", base_url=server.base_url, max_retries=0)
        check_server(model, "texts")
        assert not model.token_ids
        check_server(model, "prefixes")
        model.generate([Request(id="1", messages=(Message(role="user", text="x"),))])
    assert ("return_token_ids" in server.payloads[-1]) == (reply is able)


def test_a_run_stops_before_it_explores_a_server_without_prefixes(tmp_path: Path, tiny_model: Path) -> None:
    with serve(strict) as server:
        config = run_files.small(tiny_model, "model=openai:vlm", f"base_url={server.base_url}")
        run = run_files.start(tmp_path / "run", config)
        with pytest.raises(ModelError, match="no step prefixes: judging and whole paths only"):
            run_files.go(run, config, ["init", "explore"])
    assert not run.trees.exists() and len(server.payloads) <= 10


def test_a_model_that_runs_here_is_not_asked() -> None:
    def fail(request: Request) -> str:
        raise AssertionError(request)

    assert check_server(ScriptedModel(fail), "prefixes") is None
