"""Settings of a training run: those of `transformers.TrainingArguments`, and those of the objective."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from transformers import TrainingArguments

from srpo.errors import ConfigError
from srpo.train.loss import ContrastWeight, LossType

StepImpl = Literal["auto", "tree", "flat"]
TreeAttention = Literal["auto", "segments", "dense", "varlen"]

_CHOICES = {
    "loss_type": get_args(LossType),
    "contrast_weight": get_args(ContrastWeight),
    "step_impl": get_args(StepImpl),
    "tree_attention": get_args(TreeAttention),
}


@dataclass
class SRPOConfig(TrainingArguments):  # type: ignore[misc]
    """Training arguments of SRPO.  A batch is counted in trees.

    Defaults follow RPO's training script where it has a value (learning rate, schedule, warm-up, at most 8 contrasts,
    8 questions per update); the rest is our choice.  Raises ConfigError for a value out of range.
    """

    loss_type: LossType = field(
        default="srpo",
        metadata={"help": "srpo, rpo (as in RPO's code), orpo (whole paths) or sft (reference path only)"},
    )
    contrast_lambda: float = field(default=0.03, metadata={"help": "weight of the contrast loss"})
    contrast_weight: ContrastWeight = field(
        default="contrast", metadata={"help": "mean over contrasts, or first within each prefix (step)"}
    )
    max_contrasts: int = field(default=8, metadata={"help": "contrasts per tree and visit, drawn anew in every epoch"})
    max_length: int = field(
        default=4096, metadata={"help": "tokens of a path, image tokens included; longer branches are dropped whole"}
    )
    step_impl: StepImpl = field(
        default="auto",
        metadata={
            "help": "tree stores every token once; flat repeats the prefix for every branch; "
            "auto is tree where it is exact for the model, else flat"
        },
    )
    tree_attention: TreeAttention = field(
        default="auto",
        metadata={
            "help": "segments, varlen (FlashAttention on CUDA) or dense (a mask over the row); "
            "auto is varlen where it is installed, else segments"
        },
    )
    max_step_tokens: int | None = field(
        default=None,
        metadata={
            "help": "tokens of one forward and backward pass, image tokens and padding included; more trees than fit "
            "take several passes, a tree that does not fit is split, with equal gradients"
        },
    )
    max_step_patches: int | None = field(
        default=None,
        metadata={"help": "image patches of one forward and backward pass, if the vision tower runs in it"},
    )
    freeze_vision: bool = field(default=True, metadata={"help": "keep the vision tower and the connector as they are"})
    vision_cache_bytes: int = field(
        default=2**30, metadata={"help": "image features kept on the device when vision is frozen; 0 keeps none"}
    )
    disable_dropout: bool = field(
        default=True,
        metadata={"help": "with dropout, paths of a tree would share what is dropped from their shared tokens"},
    )
    model_init_kwargs: dict[str, Any] | None = field(
        default=None, metadata={"help": "for from_pretrained, when the model is given by name"}
    )

    learning_rate: float = field(default=5e-5, metadata={"help": "peak learning rate"})
    lr_scheduler_type: Any = field(default="cosine", metadata={"help": "learning rate schedule"})
    warmup_steps: float = field(
        default=100, metadata={"help": "updates of linear warm-up, or their share of the run if below 1"}
    )
    per_device_train_batch_size: int = field(default=1, metadata={"help": "trees per micro-batch and device"})
    gradient_accumulation_steps: int = field(default=8, metadata={"help": "micro-batches per update"})
    logging_steps: float = field(default=10, metadata={"help": "updates between two log rows"})
    report_to: Any = field(default="none", metadata={"help": "where to send log rows"})
    # The collator reads records, which the base class would take for unused columns.
    remove_unused_columns: bool = field(default=False, metadata={"help": "must stay off: items are records"})
    # Every step uses every trainable parameter.
    ddp_find_unused_parameters: bool | None = field(default=False, metadata={"help": "look for parameters without use"})
    # Buffers never change, and processes may make unequal numbers of forward passes, which sending them would tie.
    ddp_broadcast_buffers: bool | None = field(default=False, metadata={"help": "send buffers before every pass"})
    # Examples are lists of integers; the few tensors are copied once per picture.
    dataloader_pin_memory: bool = field(default=False, metadata={"help": "page-lock batches"})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")
        if self.contrast_lambda < 0:
            raise ConfigError(f"contrast_lambda is {self.contrast_lambda}; it must not be negative")
        for name in ("max_contrasts", "max_length", "max_step_tokens", "max_step_patches"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1")
