"""Run by `test_processes.py`: two updates on three trees, in as many processes as started; rank 0 saves the figures.

It trains three times: with whole trees, with a budget that splits them into unequal numbers of passes, and with a
vision tower whose pictures are unlike, so that processes make unequal numbers of passes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import tiny
import torch
from transformers import TrainerCallback

from srpo.train import SRPOConfig, SRPOTrainer

BUDGETS = {"whole": None, "split": 280}
"""Tokens of a pass: as many as there are; less than a tree has, more than its longest path."""


class FirstGradients(TrainerCallback):
    gradients: dict[str, torch.Tensor] | None = None

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if self.gradients is None:
            named = model.named_parameters()
            self.gradients = {n.removeprefix("module."): p.grad.clone() for n, p in named if p.grad is not None}


FIGURES = ("loss", "trees", "contrasts", "margin", "max_z", "tokens", "recomputed_tokens")


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    # Each process writes the same pictures; only its own copy is read.
    own = folder / f"{world}-{os.environ.get('RANK', '0')}"
    own.mkdir()
    found = {name: updates(own, world, tiny.idefics3, 1, max_step_tokens=budget) for name, budget in BUDGETS.items()}
    found["tower"] = updates(own, world, tiny.smolvlm, 4 // world, freeze_vision=False)
    if int(os.environ.get("RANK", "0")) == 0:
        torch.save(found, folder / f"{world}.pt")


def updates(
    own: Path, world: int, build: Any, together: int, **settings: Any
) -> tuple[Any, dict[str, list[float]], float]:
    model, processor = build()
    data = tiny.dataset(own, processor.tokenizer, 3, low=20, high=60)
    args = SRPOConfig(
        output_dir=str(own),
        contrast_lambda=0.3,
        per_device_train_batch_size=together,
        gradient_accumulation_steps=4 // world // together,
        max_steps=2,
        max_grad_norm=0.0,
        warmup_steps=0,
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        ddp_backend="gloo" if world > 1 else None,
        **settings,
    )
    keeper = FirstGradients()
    trainer = SRPOTrainer(model.double(), args, data, data, processing_class=processor, callbacks=[keeper])
    trainer.train()
    evaluation = trainer.evaluate()["eval_loss"]
    rows = [row for row in trainer.state.log_history if "loss" in row]
    return keeper.gradients, {key: [row[key] for row in rows] for key in FIGURES}, evaluation


if __name__ == "__main__":
    main(Path(sys.argv[1]))
