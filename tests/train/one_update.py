"""Run by `test_processes.py`: two updates on three trees, in as many processes as started; rank 0 saves the figures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import tiny
import torch
from transformers import TrainerCallback

from srpo.train import SRPOConfig, SRPOTrainer


class FirstGradients(TrainerCallback):
    gradients: dict[str, torch.Tensor] | None = None

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if self.gradients is None:
            named = model.named_parameters()
            self.gradients = {n.removeprefix("module."): p.grad.clone() for n, p in named if p.grad is not None}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    model, processor = tiny.idefics3()
    # Each process writes the same pictures; only its own copy is read.
    own = folder / f"{world}-{os.environ.get('RANK', '0')}"
    own.mkdir()
    data = tiny.dataset(own, processor.tokenizer, 3)
    args = SRPOConfig(
        output_dir=str(own),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=4 // world,
        max_steps=2,
        max_grad_norm=0.0,
        warmup_steps=0,
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        ddp_backend="gloo" if world > 1 else None,
    )
    keeper = FirstGradients()
    trainer = SRPOTrainer(model.double(), args, data, data, processing_class=processor, callbacks=[keeper])
    trainer.train()
    evaluation = trainer.evaluate()["eval_loss"]
    if trainer.is_world_process_zero():
        rows = [row for row in trainer.state.log_history if "loss" in row]
        figures = {key: [row[key] for row in rows] for key in ("loss", "trees", "contrasts", "margin", "max_z")}
        torch.save((keeper.gradients, figures, evaluation), folder / f"{world}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
