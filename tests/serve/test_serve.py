"""What a client of OpenAI may ask of `srpo serve`, and what hostile clients get."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image
from serve_process import KEY, serving

from srpo.serve.pictures import MAX_BYTES


def data_url(image: Image.Image | bytes, media_type: str = "image/png") -> str:
    if isinstance(image, Image.Image):
        file = io.BytesIO()
        image.save(file, format="PNG")
        image = file.getvalue()
    return f"data:{media_type};base64,{base64.b64encode(image).decode()}"


def picture(url: str) -> list[dict[str, Any]]:
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Where may I put this?"}]
    return [{"role": "user", "content": parts}]


RED = data_url(Image.new("RGB", (96, 96), "red"))
ASK = [{"role": "user", "content": "May I?"}]


def post(url: str, body: bytes | object, key: str = KEY, **headers: str) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    all_headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", **headers}
    request = urllib.request.Request(f"{url}/chat/completions", data, all_headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_models_are_listed(client: openai.OpenAI) -> None:
    [model] = client.models.list().data
    assert model.id == "embedded" and model.to_dict()["max_model_len"] == 1024


def test_choices_differ_and_the_first_is_that_of_the_seed_alone(client: openai.OpenAI) -> None:
    ask: Any = {"model": "embedded", "messages": picture(RED), "temperature": 1.0, "max_completion_tokens": 12}
    both = client.chat.completions.create(**ask, n=2, seed=3, extra_body={"return_token_ids": True})
    first, second = both.choices
    assert (first.index, second.index) == (0, 1) and first.message.content != second.message.content
    for seed, choice in ((3, first), (4, second)):
        alone = client.chat.completions.create(**ask, seed=seed)
        assert alone.choices[0].message.content == choice.message.content and not alone.choices[0].model_extra
    reply = both.to_dict()
    counts = [len(choice["token_ids"]) for choice in reply["choices"]]
    assert both.usage is not None and both.usage.completion_tokens == sum(counts)
    assert both.usage.prompt_tokens == len(reply["prompt_token_ids"])
    assert first.finish_reason == "length" and counts == [12, 12]


def test_open_turn_is_continued_and_a_closed_one_is_history(client: openai.OpenAI) -> None:
    def prompt(*messages: object, **extra: object) -> list[int]:
        body: Any = {"model": "embedded", "messages": messages, "max_tokens": 1}
        reply = client.chat.completions.create(**body, extra_body={"return_token_ids": True, **extra})
        return list(reply.to_dict()["prompt_token_ids"])

    said = {"role": "assistant", "content": "Step 1 - Visual context: a red square.\n"}
    base, closed = prompt(*ASK), prompt(*ASK, said)
    opened = prompt(*ASK, said, continue_final_message=True, add_generation_prompt=False)
    assert opened[: len(base)] == base and len(base) < len(opened) < len(closed)
    assert closed[-2:] == base[-2:]


def body(**fields: object) -> dict[str, object]:
    return {"model": "embedded", "messages": ASK, "max_tokens": 2} | fields


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (40_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def damaged() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, format="PNG")
    return file.getvalue()[:-2000]


OPEN = {"continue_final_message": True}
HOSTILE: dict[str, tuple[int, object, str]] = {
    "no json": (400, b"{", "body"),
    "no object": (400, b"[]", ""),
    "not UTF-8": (400, b'{"model": "\xff\xfe"}', "body"),
    "lone surrogate": (400, b'{"model": "embedded", "messages": [{"role": "user", "content": "\\ud800"}]}', "body"),
    "deep": (400, b"[" * 100_000, "body"),
    "no messages": (400, body(messages=[]), "messages"),
    "wrong type": (400, body(messages="hello"), "messages"),
    "unknown role": (400, body(messages=[{"role": "root", "content": "x"}]), "role"),
    "unknown part": (400, body(messages=[{"role": "user", "content": [{"type": "video_url"}]}]), "video_url"),
    "text tokens": (400, body(max_tokens="12"), "max_tokens"),
    "negative tokens": (400, body(max_tokens=-1), "max_tokens"),
    "many tokens": (400, body(max_tokens=10**12), "context"),
    "long prompt": (400, body(messages=[{"role": "user", "content": "red " * 2000}]), "context"),
    "many choices": (400, body(n=10**9), "n:"),
    "boolean choices": (400, body(n=True), "n:"),
    "not a number": (400, b'{"model": "embedded", "messages": [], "temperature": NaN}', ""),
    "infinite": (400, b'{"model": "embedded", "temperature": Infinity, "messages": []}', ""),
    "cold": (400, body(temperature=-0.1), "temperature"),
    "nucleus": (400, body(top_p=1.5), "top_p"),
    "stream": (400, body(stream=True), "stream"),
    "stop": (400, body(stop=["\n"]), "stop"),
    "wrong model": (404, body(model="gpt"), "embedded"),
    "remote picture": (400, body(messages=picture("http://127.0.0.1:1/x.png")), "fetches no URLs"),
    "local file": (400, body(messages=picture("file:///etc/passwd")), "fetches no URLs"),
    "broken base64": (400, body(messages=picture("data:image/png;base64,%%%")), "base64"),
    "no picture": (400, body(messages=picture(data_url(b"hello"))), "not a readable picture"),
    "half a picture": (400, body(messages=picture(data_url(damaged()))), "not a readable picture"),
    "svg": (400, body(messages=picture(data_url(b"<svg/>", "image/svg+xml"))), "not a readable picture"),
    "bomb": (413, body(messages=picture(data_url(bomb()))), "pixels"),
    "large picture": (413, body(messages=picture(data_url(bytes(MAX_BYTES + 9)))), "bytes"),
    "large body": (413, b'{"x": "' + bytes(50_000_000), "bytes"),
    "placeholder": (400, body(messages=[{"role": "user", "content": "an <image> here"}]), "placeholder"),
    "prefix placeholder": (
        400,
        body(messages=[*ASK, {"role": "assistant", "content": "Step 1 - Visual context: <image>\n"}], **OPEN),
        "placeholder",
    ),
    "nothing to continue": (400, body(**OPEN), "assistant"),
    "two ways": (400, body(**OPEN, add_generation_prompt=True), "add_generation_prompt"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_request_is_refused_and_the_server_lives_on(server_url: str, case: str) -> None:
    status, sent, words = HOSTILE[case]
    found, reply = post(server_url, sent)
    assert found == status, reply
    assert reply["error"].keys() == {"message", "type", "param", "code"} and words in reply["error"]["message"]
    assert "/tmp" not in str(reply) and "Traceback" not in str(reply)
    assert post(server_url, body())[0] == 200


def test_unknown_fields_and_harmless_values_are_ignored(server_url: str) -> None:
    assert post(server_url, body(stream=False, stop=None, user="me", unheard_of={"x": 1}, temperature=1e-300))[0] == 200


def test_other_types_keys_pages_and_methods(server_url: str) -> None:
    # A page in a browser can post text to a local server unasked.
    assert post(server_url, body(), **{"Content-Type": "text/plain"})[0] == 415
    assert post(server_url, body(), key="wrong")[0] == 401
    assert post(server_url, body(), key="wr\xf6ng")[0] == 401
    assert post(f"{server_url}/nowhere", body())[0] == 404
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"{server_url}/chat/completions", timeout=10)
    with urllib.request.urlopen(server_url.removesuffix("/v1") + "/health", timeout=10) as response:
        assert json.load(response) == {"status": "ok"}


def test_ctrl_c_ends_it_quietly_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    replies: list[tuple[int, dict[str, Any]]] = []
    with serving("embedded", "--host", "0.0.0.0", "--name", "mine", TMPDIR=str(tmp_path)) as (process, url):
        url = f"http://127.0.0.1:{url.rsplit(':', 1)[1]}"
        status, reply = post(url, body(model="mine", messages=picture(RED)))
        assert status == 200 and reply["model"] == "mine"
        assert [list(folder.iterdir()) for folder in tmp_path.glob("srpo-serve-*")] == [[]]
        endless = body(model="mine", n=64, max_tokens=900, temperature=8)
        # More than one batch of 256 rows, so that some wait.
        asking = [threading.Thread(target=lambda: replies.append(post(url, endless))) for _ in range(6)]
        for thread in asking:
            thread.start()
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        for thread in asking:
            thread.join()
    assert process.returncode == 0 and rest == "stopped\n"
    refused = [reply["error"]["message"] for status, reply in replies if status == 503]
    assert len(replies) == 6 and {status for status, _ in replies} <= {200, 503}
    assert refused and set(refused) == {"the server is shutting down"}
    assert list(tmp_path.glob("srpo-serve-*")) == []
