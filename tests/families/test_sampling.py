"""Sampling with shared prefixes against plain `generate` of the unmodified model, for every family."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from srpo.models.base import Limits, Message, Request
from srpo.models.encode import encode_prompt, encode_segment
from srpo.models.hf import HFModel
from srpo.types import Sampling
from tiny_families import BUILDERS, HYBRIDS, build, gemma3, idefics3

torch.set_num_threads(1)

SEGMENTS = ("Step 1: a ball.\n", "Step 2: a dog.\n", "Answer: no.")
SIZES = ((24, 16), (24, 24), (48, 24))
TEXTS = ("Play?", "Play? Please.", "And now?")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A narrow, a square and a wide one: image tokens and positions differ between prompts."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, (width, height) in enumerate(SIZES):
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        PILImage.fromarray(pixels).save(folder / f"{number}.png")
    return [folder / f"{number}.png" for number in range(len(SIZES))]


def requests(pictures: list[Path]) -> list[Request]:
    """Every prefix of three prompts with one picture, of one with two and of one with none, and twins of some."""
    seen: list[tuple[Path, ...]] = [*((p,) for p in pictures), (pictures[1], pictures[2]), ()]
    return [
        Request(
            id=f"{number}:{prefix}:{twin}",
            messages=(Message(role="user", text=TEXTS[number % 3], images=images),),
            prefix=SEGMENTS[:prefix],
            sampling=Sampling(max_new_tokens=10),
        )
        for number, images in enumerate(seen)
        for prefix in range(4)
        for twin in range(2 if prefix == 1 else 1)
    ]


def plain(model: Any, processor: Any, request: Request, banned: tuple[int, ...], ends: tuple[int, ...]) -> list[int]:
    """Greedy ids from transformers' own loop, the whole text in one row."""
    prompt = encode_prompt(processor, request.messages)
    ids = prompt.ids + tuple(i for text in request.prefix for i in encode_segment(processor.tokenizer, text))
    output = model.generate(
        **prompt.model_inputs(ids, model.device),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=request.sampling.max_new_tokens,
        do_sample=False,
        suppress_tokens=list(banned),
        eos_token_id=list(ends),
    )
    written: list[int] = output[0, len(ids) :].tolist()
    return written


def check(model: Any, processor: Any, pictures: list[Path]) -> None:
    ours = HFModel(model, processor, "tiny", Limits(max_rows=6))
    asked = requests(pictures)
    expected = [plain(model, processor, r, ours.banned_ids, ours.end_ids) for r in asked]
    assert [list(c.token_ids or ()) for c in ours.generate(asked)] == expected
    # Otherwise the weights would be too flat to tell a wrong prefix from a right one.
    assert len({tuple(ids) for ids in expected}) > len(asked) // 2


@pytest.mark.parametrize("family", BUILDERS)
def test_greedy_text_equals_plain_generate(family: str, pictures: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "srpo"):
        check(*build(family), pictures)
    assert not [r for r in caplog.records if r.name.startswith("srpo")]  # prefixes were shared


STRANGERS = {
    "llava": lambda: build("llava"),
    "positions of its own": lambda: build("qwen3_vl"),
    "windows": lambda: idefics3(model_type="mistral", sliding_window=30, head_dim=8),
    "two-way images": lambda: gemma3(layer_types=["full_attention"] * 3),
}


@pytest.mark.parametrize("like", STRANGERS)
def test_a_model_of_no_known_family_is_sampled_with_care(
    like: str, pictures: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Prefixes are shared if a trial allows it; positions of its own making, windows and token types do not."""
    model, processor = STRANGERS[like]()
    model.config.model_type = "something_new"
    with caplog.at_level(logging.WARNING, "srpo"):
        check(model, processor, pictures)
    assert (like == "llava") == (not [r for r in caplog.records if r.name.startswith("srpo")])


@pytest.mark.parametrize("family", HYBRIDS)
def test_a_state_that_cannot_be_cut_is_computed_anew_and_said_so(
    family: str, pictures: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "srpo"):
        check(*build(family), pictures)
    assert ["cannot be cut" in r.getMessage() for r in caplog.records if r.name.startswith("srpo")] == [True]
