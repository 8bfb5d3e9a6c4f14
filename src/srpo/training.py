"""The training stage: settings and records handed to `srpo.train.SRPOTrainer`.  Imports torch."""

from __future__ import annotations

import errno
import json
import math
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import PartialState
from peft import LoraConfig, PeftModel
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainerCallback

from srpo.errors import ConfigError, DataError, ModelError
from srpo.models.hf import load_hf
from srpo.processes import rank, shared_update, world_size
from srpo.progress import Bars
from srpo.run_config import LoraSettings, RunConfig, TrainSettings
from srpo.stage_files import StageFiles
from srpo.systems import Start, weights_are_whole
from srpo.train import SRPOConfig, SRPOTrainer, TreeDataset

LOG = "log.json"
"""Training curve beside the finished weights: the trainer's log rows."""

_STATE: Final = "trainer_state.json"
_ONLY_TO_RESUME: Final = (
    *("optimizer.*", "scheduler.pt", "scaler.pt", "rng_state*", "training_args.bin", "pytorch_model_fsdp.bin", _STATE),
)
_WRITERS: Final = ("PytorchStreamWriter", "PytorchFileWriter", "I/O error", "IoError")
"""How the libraries that save tensors begin to say that the disk refused; they raise no OSError."""
_READER: Final = "PytorchStreamReader"
"""The same of one that reads a file which was cut off."""


def train(run: StageFiles, config: RunConfig, dataset: TreeDataset, bars: Bars, start: Start) -> None:
    """Train and save to `checkpoint/final`; a run that was stopped goes on from its last checkpoint.

    Raises DataError if the disk refuses or a checkpoint is damaged, ModelError if memory runs out or the training
    diverges, ConfigError for settings that do not fit the model.
    """
    run.checkpoint.mkdir(exist_ok=True)
    last = last_checkpoint(run.checkpoint)
    total = updates(config.train, len(dataset))
    # A trainer that resumes from its last update would do one more.
    if last is None or number_of(last) < total:
        with _translated(run.checkpoint, last):
            _train(run, config, dataset, bars, start, last)
        last = last_checkpoint(run.checkpoint)
    if last is None:
        raise DataError(f"{run.checkpoint}: training left no checkpoint; run the stage again")
    _meet()
    if rank() == 0:
        _publish(last, run.checkpoint / "final")
    _part()


def _train(
    run: StageFiles, config: RunConfig, dataset: TreeDataset, bars: Bars, start: Start, last: Path | None
) -> None:
    dtype = "float32" if config.dtype == "auto" and not config.train.bf16 else config.dtype
    with bars("load base", 1, 0) as advance:
        loaded = load_hf(start.model, dtype=dtype, device="cpu" if world_size() > 1 else None)
        model = loaded.model
        if start.adapter is not None:
            model = PeftModel.from_pretrained(model, start.adapter, is_trainable=True)
        advance(1)
    with _fitting(config.train.lora):
        trainer = SRPOTrainer(
            model=model,
            args=training_arguments(config.train, run.checkpoint, start.seed),
            train_dataset=dataset,
            processing_class=loaded.processor,
            peft_config=lora_config(config.train.lora) if start.adapter is None else None,
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
    # The filter would log the last good loss in place of one that is not a number.
    given["logging_nan_inf_filter"] = False
    batch, accumulation = settings.per_device_train_batch_size, settings.gradient_accumulation_steps
    batch, accumulation = shared_update(batch, accumulation, world_size())
    given |= {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
    # Without it, processes on a machine without GPUs do not find one another, and bf16 is refused.
    given["use_cpu"] = (world_size() > 1 or settings.bf16) and not torch.cuda.is_available()
    return SRPOConfig(output_dir=str(out), seed=seed, disable_tqdm=True, dataloader_num_workers=0, **given)


def lora_config(settings: LoraSettings | None) -> LoraConfig | None:
    """Adapters as PEFT wants them."""
    if settings is None:
        return None
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=list(settings.target_modules),
        task_type="CAUSAL_LM",
    )


class _Follow(TrainerCallback):  # type: ignore[misc]
    """Moves the bar, keeps one checkpoint, has a log row written before it, and stops what diverges.

    Figures since the last row are not in a checkpoint; without them a resumed run would log other averages.
    """

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.advance(1)
        control.should_log = control.should_log or control.should_save

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
        for name in ("loss", "grad_norm"):
            if not math.isfinite(float(logs.get(name, 0.0))):
                problem = f"training diverged: {name} is {logs[name]} at update {state.global_step}"
                raise ModelError(f"{problem}; start a new run with a lower train.learning_rate")

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # The trainer's own way to keep the last one goes by file times, and warns where they are coarse.
        if not state.is_world_process_zero:
            return
        for old in Path(args.output_dir).glob("checkpoint-*"):
            if number_of(old) < state.global_step:
                shutil.rmtree(old)


def _is_complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / _STATE).read_bytes())
    except (OSError, ValueError):
        return False
    return weights_are_whole(checkpoint)


def _publish(checkpoint: Path, out: Path) -> None:
    """Copy the model beside the target and rename, so that `final` is either whole or not there."""
    part = out.with_name("final.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(checkpoint, part, ignore=shutil.ignore_patterns(*_ONLY_TO_RESUME))
    rows = json.loads((checkpoint / _STATE).read_bytes())["log_history"]
    (part / LOG).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    part.replace(out)


def _meet() -> None:
    """Wait until all processes are here, if there are several."""
    if world_size() > 1:
        PartialState(cpu=not torch.cuda.is_available()).wait_for_everyone()


def _part() -> None:
    """Leave the other processes together; one that just ends can tear a group of CPUs down with an error."""
    _meet()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextmanager
def _fitting(lora: LoraSettings | None) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if lora is None or "target" not in str(error).lower():
            raise
        names = ", ".join(lora.target_modules)
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"train.lora.target_modules {names}: do not fit the model ({reason}); name layers of it"
        ) from None


@contextmanager
def _translated(folder: Path, last: Path | None) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        hint = "set train.max_step_tokens below the tokens of a step, or train.gradient_checkpointing=true"
        raise ModelError(f"out of memory while training; {hint}, in a new run") from error
    except (EOFError, pickle.UnpicklingError, OSError) as error:
        # EINVAL: reading beyond the end of a file that was cut off; a disk that refuses has other numbers.
        if last is None or (isinstance(error, OSError) and error.errno != errno.EINVAL):
            raise
        raise _damaged(last, error) from error
    except (SafetensorError, RuntimeError) as error:
        if last is not None and _READER in str(error):
            raise _damaged(last, error) from error
        if not any(name in str(error) for name in _WRITERS):
            raise
        reason = str(error).splitlines()[0]
        raise DataError(f"{folder}: cannot write a checkpoint ({reason}); free space, then resume") from error


def _damaged(checkpoint: Path, error: Exception) -> DataError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return DataError(
        f"{checkpoint}: cannot go on from this checkpoint ({reason}); delete this folder and run the stage again"
    )
