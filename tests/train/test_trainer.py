"""The trainer: accounting, resume, adapters, figures."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from oracle import plain
from peft import LoraConfig
from updates import assert_equal_gradients, first_update, logged, settings, train

from srpo.errors import ConfigError, ModelError
from srpo.train import SRPOTrainer, TreeDataset
from srpo.train.vision import vision_frozen

ADAPTERS = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)


@pytest.fixture
def data(idefics3: tuple[Any, Any], tmp_path: Path) -> TreeDataset:
    return tiny.dataset(tmp_path, idefics3[1].tokenizer, 4)


@pytest.mark.parametrize("step_impl", ["tree", "flat"])
def test_an_update_does_not_depend_on_how_trees_are_spread_over_micro_batches(idefics3, data, tmp_path, step_impl):
    def update(size: int, times: int) -> tuple[float, dict[str, torch.Tensor]]:
        spread = {"per_device_train_batch_size": size, "gradient_accumulation_steps": times}
        return first_update(idefics3, tmp_path, data, step_impl=step_impl, freeze_vision=False, **spread)

    loss, gradients = update(4, 1)
    for other_loss, other in (update(1, 4), update(3, 2)):
        assert other_loss == pytest.approx(loss, abs=1e-6)
        assert_equal_gradients(other, gradients)


@pytest.mark.parametrize("attention", ["segments", "dense"])
@pytest.mark.parametrize("peft_config", [None, ADAPTERS], ids=["full", "lora"])
def test_activation_checkpointing_changes_nothing(idefics3, data, tmp_path, attention, peft_config):
    changes = {"peft_config": peft_config, "tree_attention": attention, "max_step_tokens": 320}
    loss, gradients = first_update(idefics3, tmp_path, data, **changes)
    again, other = first_update(idefics3, tmp_path, data, activation_checkpointing=True, **changes)
    assert again == pytest.approx(loss, abs=1e-6)
    assert_equal_gradients(other, gradients)


def test_the_loss_of_an_update_is_the_naive_mean_over_its_trees(idefics3, data, tmp_path):
    model, processor = idefics3[0].double(), idefics3[1]

    def naive(paths: dict[int, torch.Tensor]) -> float:
        z = {j: v.mean().item() for j, v in paths.items()}
        odds = {j: v - math.log(1 - math.exp(v)) for j, v in z.items()}
        contrast = [math.log1p(math.exp(odds[j + 1] - odds[j])) for j in (1, 3, 5)]
        return -z[0] + 0.3 * sum(contrast) / 3

    expected = sum(map(naive, plain(model, processor, data))) / 4
    loss, _ = first_update(idefics3, tmp_path, data, per_device_train_batch_size=4, max_contrasts=8)
    assert loss == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("loss_type", "chosen"), [("sft", None), ("orpo", 1)])
def test_variants_against_naive_formulas(idefics3, data, tmp_path, loss_type, chosen):
    model, processor = idefics3[0].double(), idefics3[1]
    terms = []
    for paths in plain(model, processor, data):
        z = {j: v.mean().item() for j, v in paths.items()}
        if chosen is None:
            terms.append(-z[0])
        else:
            odds = [z[j] - math.log(1 - math.exp(z[j])) for j in (1, 2)]
            terms.append(-z[1] + 0.3 * math.log1p(math.exp(odds[1] - odds[0])))
    loss, _ = first_update(idefics3, tmp_path, data, per_device_train_batch_size=4, loss_type=loss_type)
    assert loss == pytest.approx(sum(terms) / 4, abs=1e-5)


def test_trees_a_loss_cannot_use_do_not_count(idefics3, data, tmp_path):
    late = {t.id: tuple(c for c in data.contrasts[t.id] if c.prefix) for t in data.trees[:2]}
    data.contrasts |= late
    usable = TreeDataset(list(data.samples.values()), data.trees[2:], [], data.folder, data.instruction)
    usable.contrasts |= {t.id: data.contrasts[t.id] for t in data.trees[2:]}
    changes = {"loss_type": "orpo", "per_device_train_batch_size": 1, "gradient_accumulation_steps": 4}
    loss, gradients = first_update(idefics3, tmp_path, data, **changes)
    expected, expected_gradients = first_update(idefics3, tmp_path, usable, **changes)
    assert loss == pytest.approx(expected, abs=1e-6)
    assert_equal_gradients(gradients, expected_gradients)


def test_a_resumed_run_repeats_the_losses_of_an_uninterrupted_one(idefics3, data, tmp_path):
    changes = {"max_steps": 5, "save_strategy": "steps", "save_steps": 2, "learning_rate": 1e-3, "max_contrasts": 1}
    whole = train(deepcopy(idefics3[0]), idefics3[1], data, settings(tmp_path, **changes))
    resumed = train(
        deepcopy(idefics3[0]),
        idefics3[1],
        data,
        settings(tmp_path / "again", **changes),
        resume=str(tmp_path / "out" / "checkpoint-2"),
    )
    assert len(logged(whole, "loss")) == 5
    assert logged(resumed, "loss")[2:] == logged(whole, "loss")[2:]
    assert logged(resumed, "margin")[2:] == logged(whole, "margin")[2:]
    for ours, theirs in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_every_epoch_draws_contrasts_anew(idefics3, data, tmp_path):
    args = settings(tmp_path, num_train_epochs=4, learning_rate=0.0, max_contrasts=1, per_device_train_batch_size=4)
    z = logged(train(*idefics3, data, args), "z_chosen")
    assert len(z) == 4
    assert len({round(value, 5) for value in z}) > 1


def test_full_training_lowers_the_loss_and_leaves_vision_alone(idefics3, data, tmp_path):
    model, processor = idefics3
    before = {name: p.clone() for name, p in model.named_parameters()}
    trainer = train(
        model, processor, data, settings(tmp_path, num_train_epochs=12, learning_rate=1e-2, max_contrasts=8)
    )
    losses, accuracy = logged(trainer, "loss"), logged(trainer, "accuracy")
    assert sum(losses[-2:]) < 0.7 * sum(losses[:2])
    assert sum(accuracy[-2:]) == 2
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert any("text_model" in name for name in moved)
    assert not any("vision_model" in name or "connector" in name for name in moved)


def test_vision_trains_if_asked(idefics3, data, tmp_path):
    _, gradients = first_update(idefics3, tmp_path, data, freeze_vision=False)
    assert any("vision_model" in name and gradient.abs().sum() > 0 for name, gradient in gradients.items())


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], "all-linear", None])
def test_adapters_stay_in_the_language_model_and_learn(idefics3, data, tmp_path, targets):
    model, processor = idefics3
    args = settings(tmp_path, num_train_epochs=10, learning_rate=2e-2)
    trainer = train(model, processor, data, args, peft_config=LoraConfig(r=4, target_modules=targets))
    trainable = [name for name, p in trainer.model.named_parameters() if p.requires_grad]
    assert trainable
    assert all("lora_" in name and "text_model" in name for name in trainable)
    assert vision_frozen(trainer.model)
    losses = logged(trainer, "loss")
    assert sum(losses[-2:]) < 0.95 * sum(losses[:2])


def test_evaluation_gives_the_loss_and_its_figures(idefics3, data, tmp_path):
    trainer = SRPOTrainer(idefics3[0], settings(tmp_path), data, data, processing_class=idefics3[1])
    metrics = trainer.evaluate()
    parts = metrics["eval_reference_loss"] + 0.3 * metrics["eval_contrast_loss"]
    assert metrics["eval_loss"] == pytest.approx(parts, abs=1e-5)
    assert (metrics["eval_trees"], metrics["eval_contrasts"]) == (4, 8)
    assert metrics["eval_loss"] == pytest.approx(trainer.evaluate()["eval_loss"], abs=1e-6)
    uneven = SRPOTrainer(
        idefics3[0], settings(tmp_path, per_device_eval_batch_size=3), data, data, processing_class=idefics3[1]
    )
    assert metrics["eval_loss"] == pytest.approx(uneven.evaluate()["eval_loss"], abs=1e-5)


def test_log_rows_hold_the_figures(idefics3, data, tmp_path):
    trainer = train(*idefics3, data, settings(tmp_path, max_steps=2, logging_steps=2))
    row = next(row for row in trainer.state.log_history if "loss" in row)
    assert (row["trees"], row["contrasts"], row["dropped_branches"]) == (4, 8, 0)
    assert row["loss"] == pytest.approx(row["reference_loss"] + 0.3 * row["contrast_loss"], abs=1e-5)
    assert 0 <= row["accuracy"] <= 1
    assert max(row["z_chosen"], row["z_rejected"]) <= row["max_z"] < 0


def test_dropped_branches_are_logged(idefics3, data, tmp_path):
    long = data.trees[0].nodes[7].model_copy(update={"token_ids": (*range(250), 257)})
    tree = data.trees[0].model_copy(update={"nodes": (*data.trees[0].nodes[:7], long, *data.trees[0].nodes[8:])})
    data.trees = (tree, *data.trees[1:])
    args = settings(tmp_path, max_steps=1, per_device_train_batch_size=4, max_length=290)
    assert logged(train(*idefics3, data, args), "dropped_branches") == [1]


def test_a_saved_model_is_loaded_by_name_with_its_processor(idefics3, data, tmp_path):
    trainer = train(*idefics3, data, settings(tmp_path, max_steps=1))
    trainer.save_model(str(tmp_path / "saved"))
    args = settings(tmp_path, max_steps=1, learning_rate=0.0)
    again = SRPOTrainer(str(tmp_path / "saved"), args, data, data)
    assert again.evaluate()["eval_loss"] == pytest.approx(
        SRPOTrainer(trainer.model, args, data, data, processing_class=idefics3[1]).evaluate()["eval_loss"], abs=1e-5
    )


def test_dropout_is_off(tmp_path, data):
    model, processor = tiny.idefics3(attention_dropout=0.5)
    trainer = SRPOTrainer(model, settings(tmp_path), data, processing_class=processor)
    batch = trainer.data_collator([data[0]])
    model.train()
    assert trainer.compute_loss(model, batch).item() == trainer.compute_loss(model, batch).item()


def test_a_model_for_which_trees_are_not_exact_trains_on_flat_rows(idefics3, data, tmp_path, caplog):
    loss, gradients = first_update(idefics3, tmp_path, data)
    idefics3[0].config.model_type = "other"
    other_loss, other = first_update(idefics3, tmp_path, data)
    assert [record.levelname for record in caplog.records if "flat rows" in record.message] == ["WARNING"]
    assert other_loss == pytest.approx(loss, abs=1e-6)
    assert_equal_gradients(other, gradients)
    with pytest.raises(ModelError, match="step_impl"):
        SRPOTrainer(idefics3[0], settings(tmp_path, step_impl="tree"), data, processing_class=idefics3[1])


def test_varlen_attention_that_cannot_run_is_refused(idefics3, data, tmp_path):
    with pytest.raises(ModelError, match="varlen: it needs a CUDA device, not cpu"):
        SRPOTrainer(idefics3[0], settings(tmp_path, tree_attention="varlen"), data, processing_class=idefics3[1])


def test_a_model_without_a_processor_is_refused(idefics3, data, tmp_path):
    with pytest.raises(ConfigError, match="processing_class"):
        SRPOTrainer(idefics3[0], settings(tmp_path), data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss_type": "dpo"},
        {"contrast_weight": "token"},
        {"step_impl": "pairs"},
        {"tree_attention": "flash"},
        {"contrast_lambda": -0.1},
        {"max_contrasts": 0},
        {"max_length": 0},
        {"max_step_tokens": 0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        settings(tmp_path, **wrong)
