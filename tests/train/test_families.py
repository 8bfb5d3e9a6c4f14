"""What training makes of every model family: adapters, checkpointing, several pictures, and models without trees."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import transformers
from compare import collate, difference, gradients, score, worst
from oracle import plain, plain_path
from updates import first_update

from srpo.errors import ModelError
from srpo.models.base import Message
from srpo.models.encode import encode_prompt
from srpo.models.families import FAMILIES
from srpo.train.attention import check_architecture, segments_problem, tree_problem
from srpo.train.batch import TreeExample
from srpo.train.logprobs import unwrap
from srpo.train.pack import Branch, pack_tree
from srpo.train.scorer import TreeScorer
from srpo.train.segments import use_segments
from srpo.train.vision import VisionFeatures, freeze_vision, keeps_features, restrict_to_language
from tiny_families import BUILDERS, build, gemma3, idefics3, qwen2_vl


def lora(model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    torch.manual_seed(0)
    return get_peft_model(model, restrict_to_language(config, model))


@pytest.mark.parametrize("adapters", [False, True], ids=["full", "lora"])
def test_adapters_and_checkpointing_leave_gradients_as_they_are(double, tmp_path, adapters):
    model, processor = double
    data = tiny.dataset(tmp_path, processor.tokenizer, 2)
    freeze_vision(model)
    model = lora(model) if adapters else model
    assert keeps_features(model)
    examples = collate(model, processor, data)
    logps = plain(model, processor, data)
    loss, expected = gradients(model, logps, examples)
    for checkpointing in (False, True):
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.train()
            assert unwrap(model).is_gradient_checkpointing
        ours = score("segments and features", model, processor, data)
        our_loss, our_gradients = gradients(model, ours, examples)
        assert difference(logps, ours) < 1e-9
        assert our_loss == pytest.approx(loss, abs=1e-9)
        assert set(our_gradients) == set(expected)
        assert worst(expected, our_gradients) < 1e-6


def test_two_pictures_in_one_prompt(double, tmp_path):
    """Side by side in a batch with a prompt of one picture."""
    model, processor = double
    sizes = ((24, 24), (48, 24), (24, 16))
    first, second, third = (
        tmp_path / tiny.sample(tmp_path, number, size=size).image.path for number, size in enumerate(sizes)
    )
    segments, branch = [(72, 105), (46,)], Branch(1, (80, 81, 82))
    for layout in ("pixels", "features"):
        examples, expected = [], []
        for images in ((first, second), (third,)):
            prompt = encode_prompt(processor, (Message(role="user", text="Which?", images=images),))
            row = pack_tree(prompt.ids, segments, [branch, Branch(0, (90, 91))])
            examples.append(TreeExample(str(images), "", str(images), (row,), (), prompt.extras, 1.0, (), 0, 0))
            expected.append(
                {
                    0: plain_path(model, prompt, prompt.ids, (72, 105, 46)),
                    1: plain_path(model, prompt, (*prompt.ids, 72, 105), branch.ids),
                    2: plain_path(model, prompt, prompt.ids, (90, 91)),
                }
            )
        use_segments(model)
        vision = VisionFeatures(2**20) if layout == "features" else None
        assert difference(expected, TreeScorer(vision)(model, examples)) < 1e-9


def windowed(kind: str) -> tuple[Any, Any]:
    """Language models with sliding windows in all layers, or in some."""
    if kind == "all layers":
        return idefics3(model_type="mistral", sliding_window=16, head_dim=8)
    text = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}
    return qwen2_vl(**text)


@pytest.mark.parametrize("kind", ["all layers", "some layers"])
@pytest.mark.parametrize("layout", ["segments", "flat"])
def test_sliding_windows_of_other_families(kind, layout, tmp_path):
    model, processor = windowed(kind)
    model = model.double()
    data = tiny.dataset(tmp_path, processor.tokenizer, 2)
    assert "sliding-window" in (segments_problem(model.config) or "")
    assert difference(plain(model, processor, data), score(layout, model, processor, data)) < 1e-9


def test_a_hybrid_has_flat_rows_only_and_they_are_exact(tmp_path):
    model, processor = build("qwen3_5")
    model = model.double()
    problem = tree_problem(model.config) or ""
    assert "linear_attention" in problem
    assert "\n" not in problem
    with pytest.raises(ModelError, match="step_impl to flat"):
        check_architecture(model.config)
    data = tiny.dataset(tmp_path, processor.tokenizer, 3)
    assert difference(plain(model, processor, data), score("flat", model, processor, data)) < 1e-9
    assert difference(plain(model, processor, data), score("dense", model, processor, data)) > 1e-3


def test_a_model_of_no_known_family_keeps_its_own_positions_and_masks(tmp_path):
    model, processor = build("llava")
    strange = deepcopy(model).double()
    strange.config.model_type = "vipllava"
    assert "not for vipllava" in (tree_problem(strange.config) or "")
    freeze_vision(strange)
    assert not keeps_features(strange)
    data = tiny.dataset(tmp_path, processor.tokenizer, 3)
    assert difference(plain(model.double(), processor, data), score("flat", strange, processor, data)) < 1e-9


def test_token_types_of_a_model_of_no_known_family_are_not_guessed(tmp_path):
    model, processor = build("gemma3")
    model.config.model_type = "something_new"
    data = tiny.dataset(tmp_path, processor.tokenizer, 1)
    with pytest.raises(ModelError, match="add an adapter"):
        score("flat", model, processor, data)


@pytest.mark.parametrize(
    ("family", "warning"), [("qwen3_vl", None), ("gemma3", None), ("qwen3_5", "qwen3_5 has linear_attention layers")]
)
def test_the_trainer_chooses_rows_and_attention(family, warning, tmp_path, caplog):
    parts = build(family)
    data = tiny.dataset(tmp_path, parts[1].tokenizer, 2)
    loss, ours = first_update(parts, tmp_path, data)
    messages = [r.getMessage() for r in caplog.records if r.name.startswith("srpo")]
    assert [warning in message for message in messages] == ([] if warning is None else [True])
    flat_loss, flat = first_update(parts, tmp_path, data, step_impl="flat")
    assert loss == pytest.approx(flat_loss, abs=1e-4)
    assert worst(flat, ours) < 1e-6


@pytest.mark.parametrize("family", BUILDERS)
def test_all_families_have_trees(family):
    config = build(family)[0].config
    assert tree_problem(config) is None
    assert (segments_problem(config) is None) == (family != "gemma3")


def test_a_language_model_that_was_not_checked_has_no_trees():
    config = transformers.LlavaConfig(text_config={"model_type": "phi3", "hidden_size": 16, "num_attention_heads": 2})
    assert tree_problem(config) == "tree rows of llava are checked with llama, mistral, qwen2, qwen3, not phi3"
    two_way, _ = gemma3()
    two_way.config.text_config.use_bidirectional_attention = True
    assert "not causal" in (tree_problem(two_way.config) or "")


def test_the_page_has_a_row_for_every_family():
    page = (Path(__file__).parents[2] / "docs" / "families.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if " | tree | " in line or " | flat | " in line]
    listed = {kind.strip("` ") for row in rows for kind in row[1].split(",")}
    assert {kind for family in FAMILIES for kind in family.model_types} <= listed
    trees = {kind.strip("` ") for row in rows for kind in row[1].split(",") if row[2] == "tree"}
    assert trees == {kind for family in FAMILIES if family.text_types for kind in family.model_types}
