"""The training stage: settings and records handed to `srpo.train.SRPOTrainer`.  Imports torch."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from peft import LoraConfig
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainerCallback

from srpo.errors import DataError, ModelError
from srpo.models.hf import load_hf
from srpo.progress import Bars
from srpo.run_config import LoraSettings, RunConfig, TrainSettings
from srpo.runs import RunFolder
from srpo.train import SRPOConfig, SRPOTrainer, TreeDataset

LOG = "log.json"
"""Training curve beside the finished weights: the trainer's log rows."""

_STATE: Final = "trainer_state.json"
_ONLY_TO_RESUME: Final = ("optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state*", "training_args.bin", _STATE)
_WRITERS: Final = ("PytorchStreamWriter", "PytorchFileWriter", "I/O error", "IoError")
"""How the libraries that save tensors begin to say that the disk refused; they raise no OSError."""


def train(run: RunFolder, config: RunConfig, dataset: TreeDataset, bars: Bars, base: str) -> None:
    """Train and save to `checkpoint/final`; a run that was stopped goes on from its last checkpoint.

    Raises DataError if the disk refuses, ModelError if memory runs out.
    """
    run.checkpoint.mkdir(exist_ok=True)
    last = last_checkpoint(run.checkpoint)
    total = updates(config.train, len(dataset))
    # A trainer that resumes from its last update would do one more.
    if last is None or number_of(last) < total:
        with _translated(run.checkpoint):
            _train(run, config, dataset, bars, base, last)
        last = last_checkpoint(run.checkpoint)
    if last is None:
        raise DataError(f"{run.checkpoint}: training left no checkpoint; run the stage again")
    _publish(last, run.checkpoint / "final")


def _train(run: RunFolder, config: RunConfig, dataset: TreeDataset, bars: Bars, base: str, last: Path | None) -> None:
    dtype = "float32" if config.dtype == "auto" and not config.train.bf16 else config.dtype
    with bars("load base", 1, 0) as advance:
        loaded = load_hf(base, dtype=dtype)
        advance(1)
    trainer = SRPOTrainer(
        model=loaded.model,
        args=training_arguments(config.train, run.checkpoint, config.seed),
        train_dataset=dataset,
        processing_class=loaded.processor,
        peft_config=lora_config(config.train.lora),
    )
    trainer.remove_callback(PrinterCallback)
    done = number_of(last) if last else 0
    with bars(f"train {config.train.loss_type}", updates(config.train, len(dataset)), done) as advance:
        trainer.add_callback(_Follow(advance))
        trainer.train(resume_from_checkpoint=str(last) if last else None)


def last_checkpoint(folder: Path) -> Path | None:
    """The last complete checkpoint: the trainer writes its state last, and a kill may come before."""
    found = [path for path in folder.glob("checkpoint-*") if _is_complete(path)]
    return max(found, key=number_of, default=None)


def number_of(checkpoint: Path) -> int:
    """Updates before a checkpoint."""
    return int(checkpoint.name.rpartition("-")[2])


def updates(settings: TrainSettings, trees: int) -> int:
    """Updates of the whole run."""
    if settings.max_steps > 0:
        return settings.max_steps
    per_update = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
    return math.ceil(math.ceil(trees / per_update) * settings.num_train_epochs)


def training_arguments(settings: TrainSettings, out: Path, seed: int) -> SRPOConfig:
    """The settings of a run as training arguments."""
    given: dict[str, Any] = settings.model_dump(exclude={"lora", "gradient_checkpointing"})
    given["activation_checkpointing"] = settings.gradient_checkpointing
    return SRPOConfig(output_dir=str(out), seed=seed, disable_tqdm=True, dataloader_num_workers=0, **given)


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


class _Follow(TrainerCallback):  # type: ignore[misc]
    """Moves the bar, keeps one checkpoint, and has a log row written before it.

    Figures since the last row are not in a checkpoint; without them a resumed run would log other averages.
    """

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.advance(1)
        control.should_log = control.should_log or control.should_save

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # The trainer's own way to keep the last one goes by file times, and warns where they are coarse.
        for old in Path(args.output_dir).glob("checkpoint-*"):
            if number_of(old) < state.global_step:
                shutil.rmtree(old)


def _is_complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / _STATE).read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _publish(checkpoint: Path, out: Path) -> None:
    """Copy the model beside the target and rename, so that `final` is either whole or not there."""
    part = out.with_name("final.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(checkpoint, part, ignore=shutil.ignore_patterns(*_ONLY_TO_RESUME))
    rows = json.loads((checkpoint / _STATE).read_bytes())["log_history"]
    (part / LOG).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    part.replace(out)


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        hint = "lower train.per_device_train_batch_size or set train.gradient_checkpointing=true"
        raise ModelError(f"out of memory while training; {hint}, in a new run") from error
    except (SafetensorError, RuntimeError) as error:
        if not any(name in str(error) for name in _WRITERS):
            raise
        reason = str(error).splitlines()[0]
        raise DataError(f"{folder}: cannot write a checkpoint ({reason}); free space, then resume") from error
