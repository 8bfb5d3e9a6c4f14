from __future__ import annotations

from typing import Any, cast

from srpo.models.base import Message, Request
from srpo.models.scripted import ScriptedModel


def request(text: str, prefix: tuple[str, ...] = ()) -> Request:
    return Request(id=f"id-{text}", messages=(Message(role="user", text=text),), prefix=prefix)


def test_answers_in_order_with_the_ids_of_the_requests() -> None:
    model = ScriptedModel(lambda r: r.messages[-1].text.upper())
    completions = model.generate([request("b"), request("a")])
    assert [(c.id, c.text, c.finish) for c in completions] == [("id-b", "B", "stop"), ("id-a", "A", "stop")]
    assert all(c.token_ids is None and c.error is None for c in completions)


def test_text_is_used_as_given_and_prefix_is_seen_but_not_repeated() -> None:
    model = ScriptedModel(lambda r: f" after {len(r.prefix)} steps\n")
    assert model.generate([request("q", prefix=("one", "two"))])[0].text == " after 2 steps\n"


def test_exception_fails_one_request_only() -> None:
    def answer(r: Request) -> str:
        if r.messages[-1].text == "bad":
            raise KeyError("no such answer")
        return "ok"

    seen: list[int] = []
    completions = ScriptedModel(answer).generate([request("good"), request("bad"), request("fine")], seen.append)
    assert [c.finish for c in completions] == ["stop", "error", "stop"]
    assert "KeyError" in (completions[1].error or "") and "no such answer" in (completions[1].error or "")
    assert seen == [1, 1, 1]


def test_something_that_is_not_text_is_a_failure() -> None:
    completion = ScriptedModel(lambda r: cast(Any, None)).generate([request("q")])[0]
    assert completion.finish == "error" and completion.text == ""


def test_name_is_the_users() -> None:
    assert ScriptedModel(str, name="always-polite").name == "always-polite"
