"""Training runs of a few updates on tiny models."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from srpo.train import SRPOConfig, SRPOTrainer, TreeDataset


def settings(folder: Path, **changes: Any) -> SRPOConfig:
    defaults: dict[str, Any] = {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "warmup_steps": 0,
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "max_contrasts": 2,
        "contrast_lambda": 0.3,
    }
    return SRPOConfig(**defaults | changes)


def train(model: Any, processor: Any, data: TreeDataset, args: SRPOConfig, **extra: Any) -> SRPOTrainer:
    resume = extra.pop("resume", None)
    trainer = SRPOTrainer(model, args, data, processing_class=processor, **extra)
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def logged(trainer: SRPOTrainer, key: str) -> list[float]:
    return [row[key] for row in trainer.state.log_history if key in row]


class GradientKeeper(TrainerCallback):
    """Keeps the gradients of the first update."""

    def __init__(self) -> None:
        self.gradients: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if not self.gradients:
            self.gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def first_update(
    idefics3: Any, folder: Path, data: TreeDataset, **changes: Any
) -> tuple[float, dict[str, torch.Tensor]]:
    keeper, peft_config = GradientKeeper(), changes.pop("peft_config", None)
    args = settings(folder, max_steps=1, max_grad_norm=0.0, **changes)
    trainer = train(
        deepcopy(idefics3[0]).double(), idefics3[1], data, args, callbacks=[keeper], peft_config=peft_config
    )
    return logged(trainer, "loss")[0], keeper.gradients


def assert_equal_gradients(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    """Equal to 1e-6 of the largest gradient of each parameter (norms of the models run in float32 inside)."""
    assert set(ours) == set(theirs)
    for name, expected in theirs.items():
        scale = expected.abs().max().clamp(min=1e-6)
        assert ((ours[name] - expected).abs().max() / scale).item() < 1e-6, name
