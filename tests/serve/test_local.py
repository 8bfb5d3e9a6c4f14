"""What the server makes of a local model."""

from __future__ import annotations

import pytest

from srpo.models.base import Message, Request
from srpo.models.hf import HFModel, load_hf
from srpo.serve.local import LocalModel, revision_of
from srpo.serve.refusal import Refusal
from srpo.types import Sampling
from srpo.world import ASSETS


def ask(text: str, tokens: int) -> Request:
    return Request(id="1", messages=(Message(role="user", text=text),), sampling=Sampling(max_new_tokens=tokens))


def test_only_prompts_that_fit_are_remembered(local: HFModel) -> None:
    model = LocalModel(local)
    for request in (ask("red " * 2000, 1), ask("red", 10_000)):
        with pytest.raises(Refusal, match="the context of this model holds 1024 tokens"):
            model.encode(request)
    assert model.encode(ask("red", 1))
    found = model._prompt_ids.cache_info()
    assert (found.currsize, found.hits) == (1, 1)


def test_another_type_of_the_weights_is_another_revision(local: HFModel) -> None:
    folder = ASSETS / "tiny-vlm"
    other = load_hf(str(folder), dtype="bfloat16")
    assert revision_of([folder], local) == revision_of([folder], load_hf(str(folder))) != revision_of([folder], other)
