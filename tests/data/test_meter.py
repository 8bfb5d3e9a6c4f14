"""Calls counted by stage, role and model; caps that no call passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from srpo.data.config import ModelSettings
from srpo.data.meter import CAP, Ledger, MeteredModel, check_prices, cost_of
from srpo.errors import ConfigError
from srpo.models.base import Message, Progress, Request
from srpo.models.cached import CachedModel
from srpo.records import read_records
from srpo.types import Completion, Sampling, Usage

PRICED = ModelSettings(model="openai:m", input_price=2.0, output_price=10.0)


class Counted:
    """Answers all, with 100 tokens in and 10 out; those whose text is `fail` not."""

    name, token_ids = "m", False

    def __init__(self) -> None:
        self.batches: list[int] = []

    def identity(self) -> str:
        return "m/1"

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        self.batches.append(len(requests))
        return [self._complete(request) for request in requests]

    def _complete(self, request: Request) -> Completion:
        if request.messages[0].text == "fail":
            return Completion(id=request.id, text="", finish="error", error="error: busy")
        tokens = {"prompt_tokens": 100, "completion_tokens": 10}
        return Completion(id=request.id, text="yes", finish="stop", **tokens)


def requests(*texts: str, room: int = 100) -> list[Request]:
    sampling = Sampling(max_new_tokens=room)
    return [
        Request(id=str(i), messages=(Message(role="user", text=text),), sampling=sampling)
        for i, text in enumerate(texts)
    ]


def test_costs_are_per_million_tokens() -> None:
    assert cost_of(PRICED, 1_000_000, 500_000) == pytest.approx(7.0)
    assert cost_of(ModelSettings(model="openai:m", input_price=2.0), 1, 1) is None


def test_rows_by_stage_and_role(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "usage.jsonl", stage="cells", role="benign")
    MeteredModel(Counted(), PRICED, ledger).generate(requests("a", "fail", "b"))
    (row,) = read_records(tmp_path / "usage.jsonl", Usage)
    assert (row.stage, row.role, row.model) == ("cells", "benign", "openai:m")
    assert (row.calls, row.failed, row.prompt_tokens, row.completion_tokens) == (3, 1, 200, 20)
    assert row.cost == pytest.approx(200 * 2e-6 + 20 * 10e-6)


def test_what_the_cache_answers_is_free(tmp_path: Path) -> None:
    ledger, inner = Ledger(tmp_path / "usage.jsonl", max_calls=2), Counted()
    model = CachedModel(MeteredModel(inner, PRICED, ledger), tmp_path / "cache")
    model.generate(requests("a", "b"))
    again = model.generate(requests("b", "a", "c"))
    assert [one.finish for one in again] == ["stop", "stop", "error"]
    assert inner.batches == [2] and ledger.calls == 2 and ledger.reached is not None
    wider = CachedModel(MeteredModel(inner, PRICED, Ledger(tmp_path / "usage.jsonl")), tmp_path / "cache")
    assert [one.finish for one in wider.generate(requests("a", "b", "c"))] == ["stop"] * 3
    assert inner.batches == [2, 1]  # what a cap refused was not kept as an answer


def test_max_calls_counts_earlier_starts(tmp_path: Path) -> None:
    for cap, sent in ((3, 3), (3, 0), (5, 2)):
        inner = Counted()
        ledger = Ledger(tmp_path / "usage.jsonl", max_calls=cap)
        replies = MeteredModel(inner, PRICED, ledger).generate(requests("a", "b", "c", "d"))
        assert sum(inner.batches) == sent
        assert [str(one.error).startswith(CAP) for one in replies] == [False] * sent + [True] * (4 - sent)
        assert ledger.reached is not None


@pytest.mark.parametrize(("cap", "calls"), [(0.0, 0), (0.001, 0), (0.0011, 1), (0.0035, 3), (0.01, 9)])
def test_max_cost_is_not_passed_even_if_every_call_is_as_dear_as_can_be(tmp_path: Path, cap: float, calls: int) -> None:
    """At most 100 tokens come out of a call: 0.001, and a little for the prompt."""

    class Dear(Counted):
        def _complete(self, request: Request) -> Completion:
            return Completion(id=request.id, text="y", finish="length", prompt_tokens=0, completion_tokens=100)

    ledger, inner = Ledger(tmp_path / "usage.jsonl", max_cost=cap), Dear()
    MeteredModel(inner, PRICED, ledger).generate(requests(*"abcdefghijkl"))
    assert ledger.cost <= cap and sum(inner.batches) == calls
    assert ledger.reached is not None and "--max-cost" in ledger.reached


def test_a_text_of_a_token_per_byte_does_not_pass_the_cap(tmp_path: Path) -> None:
    class Bytes(Counted):
        def _complete(self, request: Request) -> Completion:
            tokens = {"prompt_tokens": len(request.messages[0].text.encode()), "completion_tokens": 1}
            return Completion(id=request.id, text="y", finish="stop", **tokens)

    for cap in (0.0005, 0.0009, 0.0021):
        ledger = Ledger(tmp_path / f"{cap}.jsonl", max_cost=cap)
        MeteredModel(Bytes(), PRICED, ledger).generate(requests(*["\u0f3f" * 100] * 9, room=1))
        assert ledger.cost <= cap


def test_cheap_calls_use_the_cap_up(tmp_path: Path) -> None:
    """Reckoned at their dearest only three fit at first; as they cost less, more follow."""
    ledger, inner = Ledger(tmp_path / "usage.jsonl", max_cost=0.0035), Counted()
    MeteredModel(inner, PRICED, ledger).generate(requests(*"abcdefghijklmnop"))
    assert inner.batches[0] == 3 and sum(inner.batches) > 7
    assert 0.0024 < ledger.cost <= 0.0035


def test_an_empty_batch_is_no_call(tmp_path: Path) -> None:
    inner = Counted()
    assert MeteredModel(inner, PRICED, Ledger(tmp_path / "usage.jsonl")).generate([]) == []
    assert inner.batches == [] and not (tmp_path / "usage.jsonl").exists()


def test_a_cap_on_money_needs_prices_of_servers_only() -> None:
    check_prices([("a", PRICED), ("b", ModelSettings(model="hf:folder"))])
    with pytest.raises(ConfigError, match=r"models\.c: has no input_price"):
        check_prices([("c", ModelSettings(model="openai:m", output_price=1.0))])
