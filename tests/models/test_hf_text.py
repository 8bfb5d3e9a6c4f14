"""Language models that take text alone: loading, shared prefixes, and what they say to pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from srpo.errors import ModelError
from srpo.models.base import Message, Request
from srpo.models.encode import encode_prompt, encode_segment
from srpo.models.hf import HFModel, load_hf
from srpo.types import Sampling
from tiny_families import language_model

SEGMENTS = ("Step 1 - Visual context: a ball.\n", "Final answer: yes.")


def ask(prefix: int = 0, text: str = "I can see a ball. Play?", pictures: tuple[Path, ...] = ()) -> Request:
    messages = (Message(role="user", text=text, images=pictures),)
    return Request(
        id=f"{text}:{prefix}", messages=messages, prefix=SEGMENTS[:prefix], sampling=Sampling(max_new_tokens=8)
    )


def save(folder: Path, parts: tuple[Any, Any]) -> Path:
    for part in parts:
        part.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["Llama", "Qwen3", "Phi3"])
def test_a_folder_answers_as_plain_generate_does(kind: str, tmp_path: Path) -> None:
    loaded = load_hf(str(save(tmp_path / "m", language_model(kind))), device="cpu")
    requests = [ask(prefix, text) for text in ("Play?", "I can see a ball. Play?") for prefix in range(3)]
    found = [completion.token_ids for completion in loaded.generate(requests)]
    assert found == [plain_generate(loaded, request) for request in requests]
    assert len(set(found)) > 3


def plain_generate(loaded: HFModel, request: Request) -> tuple[int, ...]:
    prompt = encode_prompt(loaded.processor, request.messages)
    ids = prompt.ids + tuple(i for text in request.prefix for i in encode_segment(loaded.tokenizer, text))
    output = loaded.model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=8,
        do_sample=False,
        suppress_tokens=list(loaded.banned_ids),
        eos_token_id=list(loaded.end_ids),
    )
    return tuple(output[0, len(ids) :].tolist())


def test_the_prompt_is_what_the_tokenizer_makes_of_the_chat() -> None:
    tokenizer = language_model("Llama")[1]
    turns = [{"role": "user", "content": "Play?"}]
    expected = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    prompt = encode_prompt(tokenizer, (Message(role="user", text="Play?"),))
    assert list(prompt.ids) == expected and prompt.extras == {}


def test_a_picture_fails_its_own_request_only(tmp_path: Path) -> None:
    model = HFModel(*language_model("Llama"), name="words")
    seen, told = model.generate([ask(pictures=(tmp_path / "ball.png",)), ask()])
    assert seen.finish == "error" and "takes no pictures" in str(seen.error)
    assert told.finish != "error"


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ("chat_template.jinja", "no chat template"),
        ("tokenizer*", "no usable tokenizer .*; save one with tokenizer.save_pretrained"),
        ("*.safetensors", "no weights"),
    ],
)
def test_a_missing_part_is_named(removed: str, message: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "m", language_model("Llama"))
    for file in folder.glob(removed):
        file.unlink()
    with pytest.raises(ModelError, match=message):
        load_hf(str(folder), device="cpu")
