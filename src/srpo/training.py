"""The training stage: settings and records handed to `srpo.train.SRPOTrainer`.  Imports torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peft import LoraConfig
from transformers import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from srpo.models.hf import load_hf
from srpo.progress import Bars
from srpo.run_config import LoraSettings, RunConfig, TrainSettings
from srpo.runs import RunFolder
from srpo.train import SRPOConfig, SRPOTrainer, TreeDataset

LOG = "log.json"
"""Training curve beside the finished weights: the trainer's log rows."""


def train(run: RunFolder, config: RunConfig, dataset: TreeDataset, bars: Bars, base: str) -> None:
    """Train and save to `checkpoint/final`; a run that was stopped goes on from its last checkpoint."""
    loaded = load_hf(base, dtype="float32" if config.dtype == "auto" and not config.train.bf16 else config.dtype)
    trainer = SRPOTrainer(
        model=loaded.model,
        args=training_arguments(config.train, run.checkpoint, config.seed),
        train_dataset=dataset,
        processing_class=loaded.processor,
        peft_config=lora_config(config.train.lora),
    )
    run.checkpoint.mkdir(exist_ok=True)
    last = get_last_checkpoint(str(run.checkpoint))
    done = int(Path(last).name.rpartition("-")[2]) if last else 0
    with bars(f"train {config.train.loss_type}", _updates(trainer, config.train), done) as advance:
        trainer.add_callback(_ShowProgress(advance))
        trainer.train(resume_from_checkpoint=last)
    _save(trainer, loaded.processor, run.checkpoint / "final")


def training_arguments(settings: TrainSettings, out: Path, seed: int) -> SRPOConfig:
    """The settings of a run as training arguments."""
    given: dict[str, Any] = settings.model_dump(exclude={"lora"})
    return SRPOConfig(
        output_dir=str(out), seed=seed, disable_tqdm=True, save_total_limit=1, dataloader_num_workers=0, **given
    )


def lora_config(settings: LoraSettings | None) -> LoraConfig | None:
    """Adapters as PEFT wants them."""
    if settings is None:
        return None
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.target_modules),
        task_type="CAUSAL_LM",
    )


class _ShowProgress(TrainerCallback):  # type: ignore[misc]
    """Moves the bar, and nothing else: log rows are kept by the trainer."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.advance(1)


def _updates(trainer: SRPOTrainer, settings: TrainSettings) -> int:
    if settings.max_steps > 0:
        return settings.max_steps
    per_update = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
    per_epoch = -(-len(trainer.train_dataset) // per_update)
    return int(per_epoch * settings.num_train_epochs)


def _save(trainer: SRPOTrainer, processor: Any, out: Path) -> None:
    """Write everything beside the target and rename, so that `final` is either whole or not there."""
    part = out.with_name("final.part")
    trainer.save_model(str(part))
    processor.save_pretrained(part)
    (part / LOG).write_text(json.dumps(trainer.state.log_history, indent=1), encoding="utf-8")
    part.replace(out)
