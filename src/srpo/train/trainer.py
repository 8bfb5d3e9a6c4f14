"""The trainer: `transformers.Trainer` with trees as its unit of data and of accounting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from peft import get_peft_model
from torch import nn
from torch.utils.data import Sampler
from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainerCallback, set_seed

from srpo.errors import ConfigError
from srpo.models.encode import banned_token_ids, end_token_ids
from srpo.train.attention import check_architecture, check_attention
from srpo.train.batch import TreeCollator, TreeDataset, TreeOrder
from srpo.train.config import SRPOConfig
from srpo.train.figures import Figures
from srpo.train.logprobs import unwrap
from srpo.train.loss import tree_loss
from srpo.train.scorer import TreeScorer
from srpo.train.segments import use_segments
from srpo.train.vision import VisionFeatures, freeze_vision, restrict_to_language, vision_frozen


class SRPOTrainer(Trainer):  # type: ignore[misc]
    """Trains a vision-language model on trees.

    `model` is a model or what `from_pretrained` takes; `processing_class` is its processor, loaded beside a model
    given by name.  With `peft_config` adapters are trained, in the language model alone if vision is frozen.  The loss
    is a mean over the trees of an update, however they are spread over micro-batches and processes.

    Log rows hold `reference_loss`, `contrast_loss`, `margin`, `accuracy`, `z_chosen`, `z_rejected`, `max_z`, `trees`,
    `contrasts`, `dropped_branches`, `rejected_branches` and `reencoded_branches` beside the usual figures; evaluation
    logs the same with the prefix `eval_`.

    Raises ConfigError for settings that do not fit and ModelError for a model whose attention does not fit.
    """

    # `compute_loss` divides by the trees of the whole update, not of a micro-batch.
    loss_is_scaled_for_ga = True

    def __init__(  # noqa: PLR0913 - the parameters of transformers.Trainer that have a meaning here
        self,
        model: str | nn.Module,
        args: SRPOConfig | None = None,
        train_dataset: TreeDataset | None = None,
        eval_dataset: TreeDataset | dict[str, TreeDataset] | None = None,
        processing_class: Any = None,
        peft_config: Any = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
    ) -> None:
        args = SRPOConfig() if args is None else args
        if args.n_gpu > 1:
            raise ConfigError(f"{args.n_gpu} GPUs in one process; start one process per GPU (torchrun) or show one GPU")
        if isinstance(model, str):
            processing_class = processing_class or AutoProcessor.from_pretrained(model)
            model = AutoModelForImageTextToText.from_pretrained(model, **(args.model_init_kwargs or {}))
        if processing_class is None:
            raise ConfigError("processing_class is missing: a model that is not given by name needs its processor")
        check = check_architecture if args.step_impl == "tree" else check_attention
        check(unwrap(model).config)
        collator = _collator(model, processing_class, args)
        model = _prepare(model, args, peft_config)
        self._scorer = TreeScorer(VisionFeatures(args.vision_cache_bytes) if vision_frozen(model) else None)
        self._figures = {"train": Figures(), "eval": Figures()}
        super().__init__(
            model=model,
            args=args,
            data_collator=collator,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            callbacks=callbacks,
            optimizers=optimizers,
        )

    def _get_train_sampler(self, train_dataset: TreeDataset | None = None) -> Sampler[int] | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != "random":
            sampler: Sampler[int] | None = super()._get_train_sampler(dataset)
            return sampler
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return TreeOrder(dataset, seed, self._together(self.args.train_batch_size))

    def _get_eval_sampler(self, eval_dataset: TreeDataset) -> Sampler[int]:
        return TreeOrder(eval_dataset, None, self._together(self.args.eval_batch_size))

    def _together(self, batch_size: int) -> int:
        """Trees that all processes take at once; 1 if fillers are not needed."""
        world = self.args.world_size
        return 1 if world == 1 or self.args.dataloader_drop_last else int(world * batch_size)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | None]:
        """The micro-batches of an update and the number of trees in it, over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        own = torch.zeros((), device=device) + sum(batch["weights"].sum().to(device) for batch in batches)
        return batches, self.accelerator.gather(own[None]).sum()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> Any:
        """Weighted sum of the micro-batch's losses over the number of trees of the update (of the batch, without one).

        Data-parallel training averages gradients over processes, so the share of a process is scaled up by their
        number.
        """
        examples, weights = inputs["examples"], inputs["weights"]
        with self.accelerator.autocast():
            logps = self._scorer(model, examples)
        args = self.args
        losses = [
            tree_loss(paths, example.pairs, args.loss_type, args.contrast_lambda, args.contrast_weight)
            for paths, example in zip(logps, examples, strict=True)
        ]
        loss = sum(weight * out.loss for weight, out in zip(weights, losses, strict=True))
        trees, scale = weights.sum(), 1
        if num_items_in_batch is not None:
            trees, scale = num_items_in_batch, self.accelerator.num_processes
        self._figures["train" if model.training else "eval"].add(examples, losses)
        loss = loss * scale / trees.clamp(min=1)
        return (loss, {"loss": loss}) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[torch.Tensor, None, None]:
        """The loss of an evaluation batch; there are no predictions to gather."""
        with torch.no_grad():
            return self.compute_loss(model, self._prepare_inputs(inputs)).detach(), None, None

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the figures since the last row to training and evaluation rows; evaluation returns them as well."""
        gather, device = self.accelerator.gather, self.args.device
        if "loss" in logs:
            logs.update(self._figures["train"].drain(gather, device) | {"loss": logs["loss"]})
        for prefix in [key.removesuffix("loss") for key in logs if key.startswith("eval_") and key.endswith("_loss")]:
            figures = self._figures["eval"].drain(gather, device)
            logs.update({f"{prefix}{name}": value for name, value in figures.items()})
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """6 per parameter outside the embeddings and unique token; attention is left out."""
        tokens = sum(len(row.ids) for example in inputs["examples"] for row in example.rows)
        return 6 * tokens * int(unwrap(self.model).num_parameters(exclude_embeddings=True))


def _collator(model: Any, processor: Any, args: SRPOConfig) -> TreeCollator:
    core = unwrap(model)
    return TreeCollator(
        processor=processor,
        end_ids=end_token_ids(core, processor.tokenizer),
        banned_ids=frozenset(banned_token_ids(core, processor.tokenizer)),
        loss_type=args.loss_type,
        step_impl=args.step_impl,
        max_contrasts=args.max_contrasts,
        max_length=args.max_length,
        seed=args.seed,
    )


def _prepare(model: Any, args: SRPOConfig, peft_config: Any) -> Any:
    """Adapters, frozen vision and no dropout, as the settings ask."""
    if peft_config is not None:
        set_seed(args.seed)
        model = get_peft_model(model, restrict_to_language(peft_config, model) if args.freeze_vision else peft_config)
    if args.freeze_vision:
        freeze_vision(model)
    if args.disable_dropout:
        _disable_dropout(model)
    core = unwrap(model)
    by_segments = args.step_impl == "tree" and args.tree_attention == "segments"
    if by_segments and core.config.get_text_config()._attn_implementation == "sdpa":
        use_segments(core)
    return model


def _disable_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.__dict__["attention_dropout"] = 0.0
