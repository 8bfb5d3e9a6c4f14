"""Language models that take text alone, and samples without a picture: trees score as plain calls do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny
from compare import collate, difference, gradients, score, worst
from oracle import plain
from peft import LoraConfig
from updates import settings

from srpo.errors import DataError
from srpo.models.encode import tokenizer_of
from srpo.train import SRPOTrainer, TreeDataset
from srpo.train.vision import freeze_vision, keeps_features, restrict_to_language, vision_frozen
from tiny_families import build, language_model

KINDS = {"Llama": {}, "Mistral": {"sliding_window": 40}, "Qwen2": {}, "Qwen3": {"head_dim": 8}}


def without_pictures(data: TreeDataset, every: int = 1) -> TreeDataset:
    """The same trees; every so manieth sample has lost its picture."""
    samples = [
        s.model_copy(update={"image": None}) if number % every == 0 else s
        for number, s in enumerate(data.samples.values())
    ]
    contrasts = [contrast for found in data.contrasts.values() for contrast in found]
    return TreeDataset(samples, data.trees, contrasts, data.folder, data.instruction)


@pytest.fixture(params=list(KINDS))
def words_only(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    model, tokenizer = language_model(request.param, **KINDS[request.param])
    return model.double(), tokenizer


@pytest.mark.parametrize("layout", ["dense", "segments", "flat"])
def test_log_probabilities_and_gradients_equal_plain_calls(words_only, tmp_path, layout):
    model, tokenizer = words_only
    data = without_pictures(tiny.dataset(tmp_path, tokenizer, 3))
    logps = plain(model, tokenizer, data)
    examples = collate(model, tokenizer, data)
    loss, expected = gradients(model, logps, examples)
    ours = score(layout, model, tokenizer, data)
    our_loss, our_gradients = gradients(model, ours, examples)
    assert difference(logps, ours) < 1e-9
    assert our_loss == pytest.approx(loss, abs=1e-9)
    assert set(our_gradients) == set(expected) and worst(expected, our_gradients) < 1e-6


def test_there_is_no_vision_to_freeze_and_adapters_lie_in_the_layers():
    model, _ = language_model("Llama")
    freeze_vision(model)
    assert vision_frozen(model) and not keeps_features(model)
    assert all(parameter.requires_grad for parameter in model.parameters())
    config = restrict_to_language(LoraConfig(target_modules=["q_proj"]), model)
    assert config.target_modules == r"model\.(?:.*\.)?(?:q_proj)"


@pytest.mark.parametrize("family", ["idefics3", "qwen3_vl", "gemma3", "internvl"])
@pytest.mark.parametrize("every", [1, 2], ids=["none", "some"])
def test_a_model_that_sees_takes_samples_without_pictures_too(family, every, tmp_path):
    model, processor = build(family)
    model = model.double()
    data = without_pictures(tiny.dataset(tmp_path, processor.tokenizer, 3), every)
    logps = plain(model, processor, data)
    for layout in ("dense", "segments and features"):
        assert difference(logps, score(layout, model, processor, data)) < 1e-9


def test_the_trainer_takes_a_language_model_by_its_name(tmp_path: Path):
    model, tokenizer = language_model("Llama")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    data = without_pictures(tiny.dataset(tmp_path, tokenizer, 4))
    trainer = SRPOTrainer(str(tmp_path / "model"), settings(tmp_path, max_steps=2), data)
    trainer.train()
    assert trainer.state.global_step == 2
    trainer.save_model(str(tmp_path / "trained"))
    again = SRPOTrainer(str(tmp_path / "trained"), settings(tmp_path, max_steps=1), data)
    assert tokenizer_of(again.processing_class).get_vocab() == tokenizer.get_vocab()


def test_a_picture_for_a_model_that_takes_none_is_named(tmp_path):
    model, tokenizer = language_model("Llama")
    with pytest.raises(DataError, match=r"0\.png: this model takes no pictures"):
        collate(model, tokenizer, tiny.dataset(tmp_path, tokenizer, 1))
