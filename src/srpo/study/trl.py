"""Methods of TRL with its own trainers, on the same contrasts and requests as the others.

Its losses see whole texts: prefix and branch together, encoded in one piece.  In DPO the shared prefix cancels; in KTO
it does not.  The reference model's passes, which have no gradients, are not in the tokens that are reported.
"""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from srpo.errors import ModelError
from srpo.rewards import SafetyReward
from srpo.run_config import RunConfig
from srpo.stage_files import StageFiles
from srpo.study.rows import Row, labelled_rows, pair_rows, request_rows
from srpo.study.settings import Method
from srpo.study.teaching import Lesson
from srpo.systems import base_path, load_judge

LOG: Final = "log.json"
"""Log rows beside the finished weights."""

_LENGTH: Final = "completions/mean_length"
"""What GRPO logs of the texts that it has sampled."""

TEXTS: Final = 2
"""Texts of an update for each tree of an update of `srpo train`: the sides of a pair, or two that are sampled."""


@dataclass(frozen=True)
class Course:
    """A method, the settings of its run, and what it is taught."""

    config: RunConfig
    method: Method
    lesson: Lesson

    @property
    def pairs(self) -> int:
        """Pairs of an update."""
        train = self.config.train
        return train.per_device_train_batch_size * train.gradient_accumulation_steps

    @property
    def texts(self) -> int:
        """Texts of an update."""
        return TEXTS * self.pairs


def train_trl(files: StageFiles, course: Course) -> None:
    """Train, and save to `checkpoint/final` as the product's own training does; a stopped one begins again."""
    shutil.rmtree(files.checkpoint, ignore_errors=True)
    part = files.checkpoint / "part"
    part.mkdir(parents=True)
    logging.getLogger("trl").setLevel(logging.ERROR)  # it names every text without a reward; the log rows count them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TRL's own use of transformers; nobody here can do anything about them
        trainer = _trainer(course, part)
        trainer.train()
    trainer.model.save_pretrained(part)
    trainer.processing_class.save_pretrained(part)
    rows = with_sampled_tokens(trainer.state.log_history, course.texts)
    (part / LOG).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    part.replace(files.trained)


def with_sampled_tokens(rows: Sequence[Row], texts: int) -> list[Row]:
    """Log rows with the tokens that were sampled since the row before: mean length, texts of an update, updates."""
    made, before = [], 0
    for row in rows:
        if _LENGTH in row:
            row = {**row, "sampled_tokens": round(row[_LENGTH] * texts * (row["step"] - before))}
            before = row["step"]
        made.append(row)
    return made


def _trainer(course: Course, out: Path) -> Any:
    try:
        import trl
    except ImportError as error:
        reason = f'{course.method.label} needs the trl package ({error}); pip install "srpo[trl]"'
        raise ModelError(reason) from error
    from transformers import PrinterCallback

    trainer = (_sampling if course.method.trainer == "grpo" else _preferring)(trl, course, out)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _preferring(trl: Any, course: Course, out: Path) -> Any:
    """DPO on pairs, or KTO on both sides of the same pairs."""
    config, kto = course.config, course.method.trainer == "kto"
    pairs = pair_rows(course.lesson, config.train.max_steps * course.pairs, config.seed)
    trainer, arguments = (trl.KTOTrainer, trl.KTOConfig) if kto else (trl.DPOTrainer, trl.DPOConfig)
    own = {"max_length": None, "train_sampling_strategy": "sequential", **course.method.trl}
    return trainer(
        _model(config),
        ref_model=_model(config),
        args=arguments(**_shared(config, course.texts if kto else course.pairs, out), **own),
        train_dataset=_dataset(labelled_rows(pairs, course.texts) if kto else pairs),
        processing_class=_processor(config),
    )


def _sampling(trl: Any, course: Course, out: Path) -> Any:
    """GRPO: the judge that labels branches is the reward."""
    from srpo.models.encode import tokenizer_of

    config, sampling = course.config, course.config.explore.sampling
    own = {"shuffle_dataset": False, "max_completion_length": sampling.max_new_tokens} | course.method.trl
    arguments = trl.GRPOConfig(**_shared(config, course.texts, out), temperature=sampling.temperature, **own)
    number = config.train.max_steps * course.texts // arguments.num_generations
    processor = _processor(config, padding_side="left")
    reward = SafetyReward(
        load_judge(config, config.judge, config.seed),
        course.lesson.samples.values(),
        course.lesson.folder,
        hazard_refusal=config.contrasts.hazard_refusal,
        end_ids=[tokenizer_of(processor).eos_token_id],
    )
    rows = request_rows(course.lesson, number, config.seed)
    return trl.GRPOTrainer(
        _model(config), [reward], arguments, train_dataset=_dataset(rows), processing_class=processor
    )


def _shared(config: RunConfig, size: int, out: Path) -> dict[str, Any]:
    """Arguments that are those of `srpo train`: rate, schedule, clipping; nothing is cut and nothing is saved."""
    train = config.train
    return {
        "output_dir": str(out.with_name("trainer")),
        "learning_rate": train.learning_rate,
        "lr_scheduler_type": train.lr_scheduler_type,
        "warmup_steps": train.warmup_steps,
        "weight_decay": train.weight_decay,
        "max_grad_norm": train.max_grad_norm,
        "max_steps": train.max_steps,
        "per_device_train_batch_size": size,
        "seed": config.seed,
        "logging_steps": train.logging_steps,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
    }


def _model(config: RunConfig) -> Any:
    """The base in float32 with vision frozen, as in `srpo train`."""
    from transformers import AutoConfig

    from srpo.models.families import model_class
    from srpo.train.vision import freeze_vision

    base = base_path(config)
    model = model_class(AutoConfig.from_pretrained(base)).from_pretrained(base)
    freeze_vision(model)
    return model


def _processor(config: RunConfig, **options: Any) -> Any:
    """A processor, or a tokenizer for text alone: TRL tells by its kind what the rows hold."""
    from srpo.models.processor import from_pretrained

    return from_pretrained(base_path(config), **options)


def _dataset(rows: list[Row]) -> Any:
    from datasets import Dataset, Image, List

    dataset = Dataset.from_list(rows)
    return dataset.cast_column("images", List(Image())) if "images" in dataset.column_names else dataset
