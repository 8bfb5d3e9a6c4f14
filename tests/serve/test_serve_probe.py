"""The probe and the cache against servers with real models: ours, and the one that comes with transformers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from serve_process import ENVIRONMENT, KEY

from srpo.errors import ModelError
from srpo.models.base import Message, Request
from srpo.models.cached import CachedModel
from srpo.models.hf import HFModel
from srpo.models.openai import OpenAIModel
from srpo.models.probe import Capabilities, check_server, probe
from srpo.types import Sampling
from srpo.world import ASSETS

TINY = str(ASSETS / "tiny-vlm")
CHAT = (Message(role="user", text="May I put this here?"),)
CODE = "from transformers.cli.transformers import main; main()"


@pytest.fixture
def transformers_url(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("fastapi")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", CODE, "serve", TINY, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=log, stderr=log)
    try:
        for _ in range(600):
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def test_our_server_can_do_everything(server_url: str) -> None:
    model = OpenAIModel("embedded", base_url=server_url, api_key=KEY)
    assert probe(model, server_url) == Capabilities(None, True, True, True, True, True)
    assert check_server(model, "prefixes") is None and model.token_ids


def test_wrong_name_or_key_is_found_before_the_run(server_url: str) -> None:
    with pytest.raises(ModelError, match="this server has 'embedded'"):
        check_server(OpenAIModel("gpt", base_url=server_url, api_key=KEY), "texts")
    with pytest.raises(ModelError, match="401"):
        check_server(OpenAIModel("embedded", base_url=server_url, api_key="guess"), "texts")


def test_cache_in_front_of_our_server(server_url: str, tmp_path: Path) -> None:
    model = OpenAIModel("embedded", base_url=server_url, api_key=KEY)
    sampling = Sampling(temperature=1.0, max_new_tokens=8)
    requests = [Request(id=str(i), messages=CHAT, prefix=("Step 1",), sampling=sampling, seed=i) for i in range(3)]
    first = CachedModel(model, tmp_path).generate(requests)
    later = CachedModel(model, tmp_path)
    model.base_url = "http://127.0.0.1:9/v1"  # nobody listens there
    assert later.generate(requests) == first and all(c.token_ids for c in first)


def test_transformers_serve_writes_whole_paths_and_is_known_not_to_continue_steps(
    transformers_url: str, local: HFModel
) -> None:
    model = OpenAIModel(TINY, base_url=transformers_url, max_retries=0)
    with pytest.raises(ModelError, match="no step prefixes: judging and whole paths only"):
        check_server(model, "prefixes")
    assert "no step prefixes" in (check_server(model, "texts") or "")
    request = Request(id="1", messages=CHAT, sampling=Sampling(max_new_tokens=16))
    [there], [here] = model.generate([request]), local.generate([request])
    assert torch.get_num_threads() == 1
    assert (there.text, there.finish, there.token_ids) == (here.text, here.finish, None)
