"""Folders of every family, as `scripts/make_tiny_models.py` writes them, through `load_hf`."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from PIL import Image as PILImage
from transformers.utils import is_torchvision_available

from srpo.errors import ModelError
from srpo.models.base import Message
from srpo.models.encode import banned_token_ids, encode_prompt
from srpo.models.hf import load_hf
from srpo.models.processor import images_only
from tiny_families import BUILDERS, HYBRIDS, build

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
make_tiny_models: Any = importlib.import_module("make_tiny_models")

EVERY = {**BUILDERS, **HYBRIDS}


@pytest.fixture(autouse=True)
def no_progress_bars() -> None:
    transformers.utils.logging.disable_progress_bar()


@pytest.mark.parametrize("family", [name for name in EVERY if name != "smolvlm"])
def test_a_saved_model_is_loaded_as_it_was(family: str, tmp_path: Path) -> None:
    assert "parameters" in make_tiny_models.make(tmp_path, family)
    picture = tmp_path / "wide.png"
    PILImage.radial_gradient("L").resize((48, 24)).save(picture)
    loaded = load_hf(str(tmp_path / family), device="cpu")
    model, processor = build(family)
    messages = (Message(role="user", text="What?", images=(picture,)),)
    ours, theirs = encode_prompt(loaded.processor, messages), encode_prompt(processor, messages)
    assert ours.ids == theirs.ids
    inputs = [prompt.model_inputs(prompt.ids, torch.device("cpu")) for prompt in (ours, theirs)]
    with torch.no_grad():
        assert torch.equal(loaded.model(**inputs[0]).logits, model(**inputs[1]).logits)


@pytest.mark.skipif(is_torchvision_available(), reason="nothing is left out where torchvision is installed")
def test_a_processor_that_cannot_do_without_videos_names_the_package(tmp_path: Path) -> None:
    assert "needs torchvision" in make_tiny_models.make(tmp_path, "smolvlm")
    with pytest.raises(ModelError, match="SmolVLMProcessor needs torchvision"):
        load_hf(str(tmp_path / "smolvlm"), device="cpu")


def test_the_part_for_pictures_is_saved_under_the_name_of_the_whole(tmp_path: Path) -> None:
    processor = build("qwen3_vl")[1]
    assert type(processor) is images_only(transformers.Qwen3VLProcessor)
    assert type(processor).__name__ == "Qwen3VLProcessor"
    assert type(pickle.loads(pickle.dumps(processor))) is type(processor)
    processor.save_pretrained(tmp_path)
    assert '"processor_class": "Qwen3VLProcessor"' in (tmp_path / "processor_config.json").read_text()
    assert "video_processor" not in (tmp_path / "processor_config.json").read_text()


@pytest.mark.parametrize("family", EVERY)
def test_words_that_stand_for_pictures_are_never_sampled(family: str, tmp_path: Path) -> None:
    model, processor = build(family)
    picture = tmp_path / "wide.png"
    PILImage.radial_gradient("L").resize((48, 24)).save(picture)
    with_one, without = (
        set(encode_prompt(processor, (Message(role="user", text="What?", images=images),)).ids)
        for images in ((picture,), ())
    )
    special = set(processor.tokenizer.get_added_vocab().values())
    placeholders = (with_one - without) & special
    assert placeholders
    assert placeholders <= set(banned_token_ids(model, processor.tokenizer))
