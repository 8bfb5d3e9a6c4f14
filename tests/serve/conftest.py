"""One `srpo serve` of the embedded model for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
import torch
from serve_process import KEY, serving

from srpo.models.hf import HFModel, load_hf
from srpo.world import ASSETS


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with serving("embedded", "--max-rows", "64", SRPO_API_KEY=KEY) as (_, url):
        yield url


@pytest.fixture(scope="session")
def client(server_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server_url, api_key=KEY, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def local() -> HFModel:
    torch.set_num_threads(1)
    return load_hf(str(ASSETS / "tiny-vlm"))
