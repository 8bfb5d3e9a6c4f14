"""Who shares a batch, who waits, and who is turned away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from srpo.models.base import Message, Progress, Request
from srpo.serve.batches import Batches
from srpo.serve.refusal import Refusal
from srpo.types import Completion


@dataclass
class Gated:
    """A model that works when the gate is open, keeps its batches, and breaks on the text "break"."""

    name: str = "gated"
    gate: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)
    broken: bool = False

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        texts = [request.messages[0].text for request in requests]
        self.batches.append(texts)
        self.begun.set()
        assert self.gate.wait(10)
        if self.broken or "break" in texts:
            raise RuntimeError("broken")
        return [Completion(id=r.id, text=text.upper(), finish="stop") for r, text in zip(requests, texts, strict=True)]

    def encode(self, request: Request) -> tuple[int, ...]:
        if request.messages[0].text == "refuse":
            raise Refusal(400, "no")
        return tuple(map(ord, request.messages[0].text))

    def interrupt(self) -> None:
        self.broken = True
        self.gate.set()


Make = Callable[..., tuple[Gated, Batches]]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[tuple[Gated, Batches]] = []

    def build(max_rows: int = 8, max_waiting: int = 16) -> tuple[Gated, Batches]:
        model = Gated()
        made.append((model, Batches(model, max_rows, max_waiting)))
        return made[-1]

    yield build
    for model, batches in made:
        model.gate.set()
        batches.close()


def call(*texts: str) -> tuple[Request, ...]:
    return tuple(Request(id=text, messages=(Message(role="user", text=text),)) for text in texts)


def test_what_waits_goes_together_up_to_the_rows_of_a_batch(make: Make) -> None:
    model, batches = make(max_rows=4)
    first = batches.submit(call("a"))
    assert model.begun.wait(10)
    later = [batches.submit(call(text, text + "'")) for text in "bcd"]
    model.gate.set()
    answers = [future.result(10) for future in (first, *later)]
    assert [[c.text for c in a.completions] for a in answers] == [["A"], ["B", "B'"], ["C", "C'"], ["D", "D'"]]
    assert [answer.prompt_ids for answer in answers] == [(97,), (98,), (99,), (100,)]
    assert model.batches == [["a"], ["b", "b'", "c", "c'"], ["d", "d'"]]


def test_full_queue_turns_away_and_takes_again(make: Make) -> None:
    model, batches = make(max_waiting=3)
    batches.submit(call("a"))
    assert model.begun.wait(10)
    waiting = batches.submit(call("b", "c"))
    with pytest.raises(Refusal) as refusal:
        batches.submit(call("d", "e"))
    assert refusal.value.status == 429 and refusal.value.headers == {"Retry-After": "1"}
    model.gate.set()
    assert waiting.result(10).completions[0].text == "B"
    assert batches.submit(call("d", "e")).result(10).completions[1].text == "E"


def test_one_call_that_breaks_the_model_breaks_alone(make: Make) -> None:
    model, batches = make()
    held = batches.submit(call("a"))
    assert model.begun.wait(10)
    futures = [batches.submit(call(text)) for text in ("b", "break", "refuse", "c")]
    model.gate.set()
    assert held.result(10).completions[0].text == "A"
    assert [futures[i].result(10).completions[0].text for i in (0, 3)] == ["B", "C"]
    with pytest.raises(RuntimeError, match="broken"):
        futures[1].result(10)
    with pytest.raises(Refusal, match="no"):
        futures[2].result(10)
    assert model.batches[1:] == [["b", "break", "c"], ["b"], ["break"], ["c"]]


def test_call_that_was_given_up_leaves_its_place_and_is_not_computed(make: Make) -> None:
    model, batches = make(max_waiting=1)
    batches.submit(call("a"))
    assert model.begun.wait(10)
    gone = batches.submit(call("gone"))
    assert gone.cancel()
    stays = batches.submit(call("stays"))
    model.gate.set()
    assert stays.result(10).completions and model.batches[1:] == [["stays"]]


def test_closing_refuses_what_waits_and_interrupts_what_takes_long(make: Make) -> None:
    model, batches = make()
    held = batches.submit(call("a"))
    assert model.begun.wait(10)
    waiting = batches.submit(call("b"))
    batches.close(grace_seconds=0.05)
    assert not batches.is_open
    for ask in (lambda: held.result(10), lambda: waiting.result(10), lambda: batches.submit(call("c"))):
        with pytest.raises(Refusal, match="shutting down"):
            ask()
    assert model.batches == [["a"]]


def test_closing_lets_a_short_batch_end(make: Make) -> None:
    model, batches = make()
    held = batches.submit(call("a"))
    assert model.begun.wait(10)
    threading.Timer(0.05, model.gate.set).start()
    batches.close(grace_seconds=10)
    assert held.result(0).completions[0].text == "A" and not model.broken
