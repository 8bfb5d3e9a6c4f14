"""Servers that say no: to everything, which ends the start, or to one request, which ends its set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from build_world import build, settings_for, world

from chat_server import Answer
from srpo.errors import ModelError
from srpo.records import read_records
from srpo.types import Rejection

ERROR = {"error": {"message": "no"}}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(ERROR, 401),
        Answer(ERROR, 403),
        Answer(ERROR, 404),
        Answer(b"<html>"),
        Answer({"ok": 1}),
        Answer(ERROR, 400),
    ],
)
def test_a_server_that_takes_no_request_ends_the_start(pool: Path, tmp_path: Path, answer: Answer) -> None:
    """However few are asked; nothing is dropped, as the fault is not with the requests."""
    with world(pool, lambda payload, number: answer) as server:
        config = settings_for(pool, server.base_url)
        for limit in (1, 3):
            with pytest.raises(ModelError, match=rf"models\.agent \({server.base_url}\): all {limit} requests failed"):
                build(config, tmp_path / "out", limit=limit)
    assert not (tmp_path / "out" / "rejected.jsonl").exists()


@pytest.mark.parametrize(
    ("model", "stage", "role"), [("agent", "query", "query"), ("judge", "adjudication", "judge of")]
)
def test_a_request_that_is_refused_for_good_ends_its_set(
    pool: Path, tmp_path: Path, model: str, stage: str, role: str
) -> None:
    refused: list[int] = []

    def refuse_first(payload: dict[str, Any], number: int) -> Answer | None:
        if payload["model"] != f"world-{model}" or refused:
            return None
        refused.append(number)
        return Answer(ERROR, 422)

    with world(pool, refuse_first, errors=0.0) as server:
        built = build(settings_for(pool, server.base_url), tmp_path / "out")
        calls = len(server.payloads)
        assert built.waiting == 0
        build(settings_for(pool, server.base_url), tmp_path / "out")
        assert len(server.payloads) == calls
    rows = [row for row in read_records(tmp_path / "out" / "rejected.jsonl", Rejection) if row.reason == "refused_call"]
    assert [row.stage for row in rows] == [stage]
    assert rows[0].detail.startswith(role) and "the server answered 422: " in rows[0].detail


def test_one_that_is_always_refused_does_not_stop_later_starts(pool: Path, tmp_path: Path) -> None:
    """Alone in its chunk, with a server that has answered before."""
    answers: list[Answer | None] = [None]
    with world(pool, lambda payload, number: answers[0]) as server:
        config = settings_for(pool, server.base_url)
        build(config, tmp_path / "out", limit=2)
        answers[0] = Answer(ERROR, 413)
        built = build(config, tmp_path / "out", limit=3)
    assert built.waiting == 0 and built.counts[1].dropped["refused_call"] == 1
