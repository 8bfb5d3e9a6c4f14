"""Settings of a training run: those of `transformers.TrainingArguments`, and those of the objective."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

from transformers import TrainingArguments

from srpo.errors import ConfigError
from srpo.train.batch import StepImpl
from srpo.train.loss import ContrastWeight, LossType


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass
class SRPOConfig(TrainingArguments):  # type: ignore[misc]
    """Training arguments of SRPO.  A batch is counted in trees.

    Defaults follow RPO's training script where it has a value (learning rate, schedule, warm-up, at most 8 contrasts,
    8 questions per update); the rest is our choice.  Raises ConfigError for a value out of range.
    """

    loss_type: str = _setting("srpo", "srpo, rpo (as in RPO's code), orpo (whole paths) or sft (reference path only)")
    contrast_lambda: float = _setting(0.3, "weight of the contrast loss")
    contrast_weight: str = _setting("contrast", "mean over contrasts, or first within each prefix (step)")
    max_contrasts: int = _setting(8, "contrasts per tree and visit, drawn anew in every epoch")
    max_length: int = _setting(4096, "tokens of a path, image tokens included; longer branches are dropped whole")
    step_impl: str = _setting("tree", "tree stores every token once; flat repeats the prefix for every branch")
    freeze_vision: bool = _setting(True, "keep the vision tower and the connector as they are")
    vision_cache_bytes: int = _setting(2**30, "image features kept on the device when vision is frozen; 0 keeps none")
    disable_dropout: bool = _setting(True, "with dropout, branches that share a prefix would see different prefixes")
    model_init_kwargs: dict[str, Any] | None = _setting(None, "for from_pretrained, when the model is given by name")

    learning_rate: float = _setting(5e-5, "peak learning rate")
    lr_scheduler_type: Any = _setting("cosine", "learning rate schedule")
    warmup_steps: float = _setting(100, "updates of linear warm-up, or their share of the run if below 1")
    per_device_train_batch_size: int = _setting(1, "trees per micro-batch and device")
    gradient_accumulation_steps: int = _setting(8, "micro-batches per update")
    logging_steps: float = _setting(10, "updates between two log rows")
    report_to: Any = _setting("none", "where to send log rows")
    # The collator reads records, which the base class would take for unused columns.
    remove_unused_columns: bool = _setting(False, "must stay off: items are records")
    # Examples are lists of integers; the few tensors are copied once per picture.
    dataloader_pin_memory: bool = _setting(False, "page-lock batches")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in (("loss_type", LossType), ("contrast_weight", ContrastWeight), ("step_impl", StepImpl)):
            if getattr(self, name) not in get_args(choices):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(get_args(choices))}")
        if self.contrast_lambda < 0:
            raise ConfigError(f"contrast_lambda is {self.contrast_lambda}; it must not be negative")
        for name in ("max_contrasts", "max_length"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
