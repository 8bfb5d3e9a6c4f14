from __future__ import annotations

import asyncio
import base64
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chat_server import Answer, Server, chat, serve
from srpo.errors import ConfigError
from srpo.models.base import Message, Request
from srpo.models.openai import OpenAIModel
from srpo.types import Sampling


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def model_of(server: Server, **settings: Any) -> OpenAIModel:
    return OpenAIModel("vlm", base_url=server.base_url, **{"timeout_seconds": 5, "max_retries": 0, **settings})


def request(text: str = "What now?", images: tuple[Path, ...] = (), **fields: Any) -> Request:
    return Request(id=text, messages=(Message(role="user", text=text, images=images),), **fields)


def test_request_carries_model_sampling_seed_and_key() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=33)
    with serve(lambda p, n: Answer(chat("fine"))) as server:
        model = model_of(server, api_key="secret", extra_body={"min_p": 0.1})
        [completion] = model.generate([request(sampling=sampling, seed=2**62)])
    sent = server.payloads[0]
    assert sent["path"] == "/v1/chat/completions" and sent["model"] == "vlm"
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"], sent["seed"]) == (0.7, 0.9, 33, 2**62)
    assert sent["min_p"] == 0.1 and sent["messages"] == [{"role": "user", "content": "What now?"}]
    assert "continue_final_message" not in sent and "return_token_ids" not in sent
    assert server.headers[0]["authorization"] == "Bearer secret"
    assert (completion.id, completion.text, completion.finish) == ("What now?", "fine", "stop")
    assert (completion.prompt_tokens, completion.completion_tokens) == (7, 3)
    assert completion.token_ids is None and completion.error is None


def test_image_goes_as_its_bytes_with_the_media_type_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (3, 2), "red").save(path, format="JPEG")
    with serve(lambda p, n: Answer(chat())) as server:
        model_of(server).generate([request("Look", images=(path,))])
    picture, text = server.payloads[0]["messages"][0]["content"]
    head, data = picture["image_url"]["url"].split(",", 1)
    assert head == "data:image/jpeg;base64" and base64.b64decode(data) == path.read_bytes()
    assert text == {"type": "text", "text": "Look"}


@pytest.mark.parametrize("content", [None, b"GIF, but not really"])
def test_unreadable_image_fails_its_request_only(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.gif"
    if content is not None:
        path.write_bytes(content)
    with serve(lambda p, n: Answer(chat())) as server:
        bad, good = model_of(server).generate([request("a", images=(path,)), request("b")])
    assert bad.finish == "error" and "broken.gif" in (bad.error or "") and good.finish == "stop"
    assert len(server.payloads) == 1


def test_prefix_is_an_open_assistant_turn_and_ids_come_back() -> None:
    with serve(lambda p, n: Answer(chat("rest", token_ids=[5, 6, 2]))) as server:
        [completion] = model_of(server).generate([request(prefix=("Step 1\n", "Step 2\n"))])
    sent = server.payloads[0]
    assert sent["messages"][-1] == {"role": "assistant", "content": "Step 1\nStep 2\n"}
    assert sent["continue_final_message"] is True and sent["add_generation_prompt"] is False
    assert sent["return_token_ids"] is True
    assert completion.token_ids == (5, 6, 2) and completion.text == "rest"


def test_order_is_kept_concurrency_bounded_and_progress_complete() -> None:
    def reply(payload: dict[str, Any], number: int) -> Answer:
        text = payload["messages"][0]["content"]
        time.sleep(0.002 * (12 - int(text)))
        return Answer(chat(text))

    seen: list[int] = []
    with serve(reply) as server:
        completions = model_of(server, max_concurrency=3).generate([request(str(i)) for i in range(12)], seen.append)
    assert [c.text for c in completions] == [str(i) for i in range(12)]
    assert 2 <= server.most_active <= 3 and sum(seen) == 12


@pytest.mark.parametrize(
    ("body", "finish", "error"),
    [
        (chat("cut", "length"), "length", None),
        (chat(None, "length"), "length", None),
        (chat("so", "content_filter"), "error", "refused:"),
        (chat(None, refusal="I will not."), "error", "refused: I will not."),
        (chat(None), "error", "error: the server sent no text"),
        (chat("x", "tool_calls"), "error", "error:"),
        (chat("x", None), "error", "error:"),
        ({"choices": []}, "error", "error: the server's answer is not a chat completion"),
        ({"error": "overloaded"}, "error", "error:"),
        (b"<html>gateway</html>", "error", "error:"),
        (b"", "error", "error:"),
        (b'{"choices": [{"message": {"content": "\\ud800"}, "finish_reason": "stop"}]}', "error", "error:"),
    ],
)
def test_how_a_reply_ended(body: object, finish: str, error: str | None) -> None:
    with serve(lambda p, n: Answer(body)) as server:
        [completion] = model_of(server).generate([request()])
    assert completion.finish == finish
    assert completion.error is None if error is None else (completion.error or "").startswith(error)


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": None, "completion_tokens": None}, {}])
def test_a_server_that_does_not_count_can_be_used(usage: object) -> None:
    with serve(lambda p, n: Answer({**chat("yes"), "usage": usage})) as server:
        [completion] = model_of(server).generate([request()])
    assert (completion.text, completion.prompt_tokens, completion.completion_tokens) == ("yes", 0, 0)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_server_is_asked_again_after_the_time_it_names(status: int) -> None:
    busy = Answer({"error": {"message": "busy"}}, status, Retry_After="0.2")
    with serve(lambda p, n: busy if n == 1 else Answer(chat("now"))) as server:
        start = time.monotonic()
        [completion] = model_of(server, max_retries=1).generate([request()])
    assert completion.text == "now" and completion.finish == "stop"
    assert len(server.payloads) == 2 and time.monotonic() - start >= 0.2


def test_retries_are_bounded() -> None:
    down = Answer({"error": {"message": "down\nfor ever"}}, 500, retry_after_ms="1")
    with serve(lambda p, n: down) as server:
        [completion] = model_of(server, max_retries=2).generate([request()])
    assert len(server.payloads) == 3 and completion.finish == "error"
    assert "500" in (completion.error or "") and "\n" not in (completion.error or "")


def test_request_the_server_rejects_is_not_repeated_and_fails_alone() -> None:
    def reply(payload: dict[str, Any], number: int) -> Answer:
        if payload["messages"][0]["content"] == "long":
            return Answer({"error": {"message": "too many tokens"}}, 400)
        return Answer(chat())

    with serve(reply) as server:
        long, short = model_of(server, max_retries=3).generate([request("long"), request("short")])
    assert "400" in (long.error or "") and "too many tokens" in (long.error or "")
    assert short.finish == "stop" and len(server.payloads) == 2


def test_server_that_wants_to_be_left_alone_for_long_is_not_waited_for() -> None:
    busy = Answer({"error": {"message": "come back tomorrow"}}, 429, Retry_After="86400")
    with serve(lambda p, n: busy) as server:
        start = time.monotonic()
        [completion] = model_of(server, max_retries=3).generate([request()])
    assert "429" in (completion.error or "") and len(server.payloads) == 1 and time.monotonic() - start < 5


@pytest.mark.parametrize("cut", [1, 60])
def test_answer_that_breaks_off_is_an_error(cut: int) -> None:
    torn = Answer(chat("half"))
    torn.cut = cut
    with serve(lambda p, n: torn) as server:
        [completion] = model_of(server).generate([request()])
    assert completion.finish == "error" and (completion.error or "").startswith("error: cannot reach")


def test_server_that_dies_in_the_middle_loses_no_request() -> None:
    def reply(payload: dict[str, Any], number: int) -> Answer:
        server.dead = number >= 5
        return Answer(chat(payload["messages"][0]["content"]))

    with serve(reply) as server:
        completions = model_of(server, max_concurrency=2).generate([request(str(i)) for i in range(20)])
    assert [c.id for c in completions] == [str(i) for i in range(20)]
    answered = [c for c in completions if c.finish == "stop"]
    assert 5 <= len(answered) <= 6 and all(c.text == c.id for c in answered)
    assert all(c.error for c in completions if c.finish == "error")


def test_ids_are_asked_for_throughout_a_batch_with_a_prefix() -> None:
    with serve(lambda p, n: Answer(chat("rest", token_ids=[5]))) as server:
        model_of(server).generate([request("a"), request("a", prefix=("Step 1\n",))])
    assert all(sent["return_token_ids"] for sent in server.payloads)


def test_hanging_server_is_a_timeout() -> None:
    release = threading.Event()

    def hang(payload: dict[str, Any], number: int) -> Answer:
        release.wait(5)
        return Answer(chat())

    with serve(hang) as server:
        [completion] = model_of(server, timeout_seconds=0.2).generate([request()])
        release.set()
    assert completion.finish == "error" and (completion.error or "").startswith("timeout: ")
    assert "0.2 seconds" in (completion.error or "")


def test_server_that_sends_a_byte_now_and_then_is_a_timeout_too() -> None:
    slow = Answer(chat())
    slow.drip_seconds = 0.05
    with serve(lambda p, n: slow) as server:
        start = time.monotonic()
        [completion] = model_of(server, timeout_seconds=0.3).generate([request()])
    assert (completion.error or "").startswith("timeout: ") and time.monotonic() - start < 2


def test_no_server_gives_completions_and_soon_stops_trying() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    model = OpenAIModel("vlm", base_url=url, max_retries=0, max_concurrency=2)
    completions = model.generate([request(str(i)) for i in range(50)])
    assert [c.id for c in completions] == [str(i) for i in range(50)]
    assert all(c.finish == "error" for c in completions)
    assert url in (completions[0].error or "") and "not sent" in (completions[-1].error or "")


def test_works_inside_a_running_event_loop() -> None:
    async def notebook(model: OpenAIModel) -> str:
        return model.generate([request()])[0].text

    with serve(lambda p, n: Answer(chat("from a loop"))) as server:
        assert asyncio.run(notebook(model_of(server))) == "from a loop"


def test_no_requests_no_calls() -> None:
    with serve(lambda p, n: Answer(chat())) as server:
        assert model_of(server).generate([]) == [] and server.payloads == []


def test_key_is_needed_only_without_a_server_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        OpenAIModel("gpt")
    with serve(lambda p, n: Answer(chat())) as server:
        model_of(server).generate([request()])
        monkeypatch.setenv("OPENAI_API_KEY", "from-env")
        model_of(server).generate([request()])
    assert [h["authorization"] for h in server.headers] == ["Bearer none", "Bearer from-env"]


def test_key_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hidden" not in repr(OpenAIModel("gpt", api_key="hidden"))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_concurrency": 0},
        {"max_retries": -1},
        {"timeout_seconds": 0},
        {"timeout_seconds": float("nan")},
        {"base_url": "localhost:8000"},
        {"base_url": "http://host:port/v1"},
        {"base_url": "http://"},
        {"base_url": []},
    ],
)
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="got"):
        OpenAIModel("vlm", **{"base_url": "http://localhost/v1", **settings})
