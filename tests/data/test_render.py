"""Pictures from a server: strict about what it sends, and a failure is no refusal."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from picture_files import draw, encode, write

from chat_server import Answer, Server, serve
from srpo.data.config import BuildConfig, RenderSettings
from srpo.data.folder import DatasetFolder
from srpo.data.leakage import Corpus
from srpo.data.meter import Ledger
from srpo.data.pictures import PictureRefused
from srpo.data.render import Renderer, RenderFailed
from srpo.data.sources import take_sources
from srpo.errors import ConfigError, DataError, ModelError
from srpo.progress import silent
from srpo.records import read_records
from srpo.types.data import Rejection, Source, Usage

PICTURE = encode(draw(1), "PNG")


def picture(data: bytes = PICTURE) -> Answer:
    return Answer({"created": 1, "data": [{"b64_json": base64.b64encode(data).decode()}]})


def renderer(server: Server, model: str = "painter") -> Renderer:
    return Renderer(RenderSettings(model=model, base_url=server.base_url), max_retries=0)


def test_a_caption_becomes_the_bytes_that_were_sent():
    with serve(lambda payload, number: picture()) as server:
        assert renderer(server).draw("A cup on a table.") == PICTURE
        assert renderer(server, "gpt-image-1").draw("A cup.") == PICTURE
    first, second = server.payloads
    assert first.pop("path") == "/v1/images/generations"
    assert first == {
        "model": "painter", "prompt": "A cup on a table.", "size": "1024x1024", "n": 1, "response_format": "b64_json"
    }  # fmt: skip
    assert "response_format" not in second


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Answer({"created": 1, "data": [{"url": "http://127.0.0.1:1/secret.png"}]}),
            "an address, which is never fetched",
        ),
        (Answer({"created": 1, "data": [{"b64_json": None}]}), "no picture"),
        (Answer({"created": 1, "data": [{"b64_json": "?" * 8}]}), "broken base64"),
        (Answer({"created": 1, "data": [{"b64_json": 7}]}), "no picture"),
        (Answer({"created": 1, "data": []}), "no picture"),
        (Answer({"created": 1, "data": {"b64_json": "x"}}), "no picture"),
        (Answer({"created": 1, "data": ["x"]}), "no picture"),
        (Answer([]), "server"),
        (Answer(b"<html>"), "server"),
        (Answer(b'{"data": [{"b64_json": "aaaa'), "server"),
        (Answer({"error": {"message": "I will not\ndraw this"}}, 400), "400: "),
    ],
)
def test_what_is_no_picture_is_refused(answer, words):
    with serve(lambda payload, number: answer) as server, pytest.raises(PictureRefused) as caught:
        renderer(server).draw("A cup.")
    assert caught.value.reason == "render" and words in caught.value.detail and "\n" not in caught.value.detail
    assert len(server.payloads) == 1


def test_a_picture_of_too_many_bytes_is_refused(monkeypatch):
    monkeypatch.setattr("srpo.data.render._MAX_BYTES", 1000)
    with (
        serve(lambda payload, number: picture(b"x" * 1100)) as server,
        pytest.raises(PictureRefused, match="at most 1000"),
    ):
        renderer(server).draw("A cup.")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_outage_is_no_refusal(status):
    with (
        serve(lambda payload, number: Answer({"error": {"message": "later"}}, status)) as server,
        pytest.raises(RenderFailed, match=str(status)),
    ):
        renderer(server).draw("A cup.")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_everything_stops_the_run(status):
    with (
        serve(lambda payload, number: Answer({"error": {"message": "no"}}, status)) as server,
        pytest.raises(ModelError, match=rf"renderer painter at .*{status}.*check key, model and base_url"),
    ):
        renderer(server).draw("A cup.")


def test_nobody_there_and_no_key(monkeypatch):
    with pytest.raises(RenderFailed, match=r"cannot reach http://127\.0\.0\.1:9/v1"):
        Renderer(RenderSettings(model="m", base_url="http://127.0.0.1:9/v1"), max_retries=0).draw("A cup.")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="renderer: no API key"):
        Renderer(RenderSettings(model="m"))


# --- Captions ------------------------------------------------------------------------------------------------


def config_of(captions: Path, base_url: str, **images: object) -> BuildConfig:
    return BuildConfig.model_validate(
        {
            "images": {"captions": str(captions), "licence": "CC0-1.0", "attribution": "painter", **images},
            "renderer": {"model": "painter", "base_url": base_url, "price": 0.04},
            "models": {name: {"model": "openai:x"} for name in ("agent", "judge")},
        }
    )


def painted(payload: dict, number: int) -> Answer:
    """Another picture for every caption; some captions are trouble."""
    caption = payload["prompt"]
    if "refused" in caption:
        return Answer({"error": {"message": "policy"}}, 400)
    if "letter" in caption:
        return picture(b"Dear aunt,")
    if "tiny" in caption:
        return picture(encode(draw(1, (8, 8)), "PNG"))
    return picture(encode(draw(int(caption.split()[-1])), "PNG"))


def take(config: BuildConfig, folder: DatasetFolder) -> int:
    return take_sources(config, folder, silent, Corpus(), Ledger(folder.usage))


def rows(folder: DatasetFolder) -> tuple[list[Source], list[Rejection]]:
    return read_records(folder.sources, Source), (
        read_records(folder.rejections, Rejection) if folder.rejections.exists() else []
    )


def test_captions_are_drawn_once(tmp_path):
    captions = write(tmp_path, "captions.txt", b"\xef\xbb\xbfcup 1\n\n cup 2 \nrefused 1\nletter 1\ntiny 1\ncup 3\n")
    folder = DatasetFolder(tmp_path / "out")
    folder.path.mkdir()
    with serve(painted) as server:
        config = config_of(captions, server.base_url)
        assert take(config, folder) == 0
        sources, rejections = rows(folder)
        assert [one.caption for one in sources] == ["cup 1", "cup 2", "cup 3"]
        assert {(one.licence, one.attribution) for one in sources} == {("CC0-1.0", "painter")}
        assert [row.reason for row in rejections] == ["render", "render", "too_small"]
        assert all(
            word in row.detail for word, row in zip(("refused 1", "letter 1", "tiny 1"), rejections, strict=True)
        )
        assert len(server.payloads) == 6
        usage = read_records(folder.usage, Usage)
        assert (sum(row.calls for row in usage), sum(row.failed for row in usage)) == (6, 1)
        assert sum(row.cost or 0 for row in usage) == pytest.approx(5 * 0.04)
        write(tmp_path, "captions.txt", b"cup 4\n" + captions.read_bytes()[3:])
        assert take(config, folder) == 0
        assert [payload["prompt"] for payload in server.payloads[6:]] == ["cup 4"]


def test_a_key_that_ends_keeps_and_books_what_was_drawn_beside(tmp_path):
    captions = write(tmp_path, "captions.txt", b"cup 1\ncup 2\nlocked 3\ncup 4\ncup 5\n")
    folder = DatasetFolder(tmp_path / "out")
    folder.path.mkdir()

    def reply(payload: dict, number: int) -> Answer:
        locked = "locked" in payload["prompt"]
        return Answer({"error": {"message": "no such key"}}, 401) if locked else painted(payload, number)

    with serve(reply) as server:
        with pytest.raises(ModelError, match="no such key"):
            take(config_of(captions, server.base_url), folder)
        assert len(server.payloads) == 4
    assert [one.caption for one in rows(folder)[0]] == ["cup 1", "cup 2", "cup 4"] and not rows(folder)[1]
    (usage,) = read_records(folder.usage, Usage)
    assert (usage.calls, usage.failed, usage.cost) == (4, 1, pytest.approx(0.12))


def test_captions_wait_for_a_renderer_that_fails(tmp_path):
    captions = write(tmp_path, "captions.txt", "\n".join(f"cup {n}" for n in range(7)).encode())
    folder = DatasetFolder(tmp_path / "out")
    folder.path.mkdir()
    busy = {"cup 1", "cup 5"}

    def reply(payload: dict, number: int) -> Answer:
        if payload["prompt"] in busy:
            return Answer({"error": {"message": "busy"}}, 503, x_should_retry="false")
        return painted(payload, number)

    with serve(reply) as server:
        config = config_of(captions, server.base_url)
        assert take(config, folder) == 2
        assert [one.caption for one in rows(folder)[0]] == [f"cup {n}" for n in (0, 2, 3, 4, 6)] and not rows(folder)[1]
        busy.clear()
        assert take(config, folder) == 0
        assert {one.caption for one in rows(folder)[0]} == {f"cup {n}" for n in range(7)} and len(server.payloads) == 9


def test_a_renderer_that_draws_nothing_stops_the_run(tmp_path):
    captions = write(tmp_path, "captions.txt", "\n".join(f"cup {n}" for n in range(9)).encode())
    folder = DatasetFolder(tmp_path / "out")
    folder.path.mkdir()

    def reply(payload: dict, number: int) -> Answer:
        if number > 4:
            return Answer({"error": {"message": "busy"}}, 503, x_should_retry="false")
        return painted(payload, number)

    with serve(reply) as server:
        config = config_of(captions, server.base_url)
        with pytest.raises(
            ModelError, match=r"renderer painter: .*503.*; 5 captions wait; .* run the same command again"
        ):
            take(config, folder)
    assert len(server.payloads) == 8 and len(rows(folder)[0]) == 4, "the last one was not even asked for"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a cup\nb\na cup\n", "line 3: is the caption of line 1"),
        (b"\n \n", "holds no caption"),
        (b"a\x00b", "line 1: holds the control character"),
        (b"\xff", "not UTF-8"),
        (b"x" * 5000, "has 5000 characters"),
    ],
)
def test_captions_that_do_not_fit(tmp_path, text, message):
    captions = write(tmp_path, "captions.txt", text)
    with pytest.raises(DataError, match=message):
        take(config_of(captions, "http://127.0.0.1:9/v1"), DatasetFolder(tmp_path))
