"""The trainer: `transformers.Trainer` with trees as its unit of data and of accounting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import AutoConfig, Trainer, TrainerCallback

from srpo.errors import ConfigError
from srpo.models.encode import banned_token_ids, end_token_ids, tokenizer_of
from srpo.models.families import model_class
from srpo.models.processor import from_pretrained
from srpo.train.batch import Layout, TreeCollator, TreeDataset, TreeExample, TreeOrder
from srpo.train.budget import Budget, Pass, StepPlan, image_patches, plan_step
from srpo.train.config import SRPOConfig
from srpo.train.figures import DroppedBranches, Figures
from srpo.train.logprobs import unwrap
from srpo.train.loss import LossOut, Pair, tree_loss
from srpo.train.prepare import choose_layout, prepare
from srpo.train.scorer import PathLogps, TreeScorer, unscored
from srpo.train.sharding import keep_vision_whole
from srpo.train.vision import VisionFeatures, keeps_features


class SRPOTrainer(Trainer):  # type: ignore[misc]
    """Trains a vision-language model, or a language model, on trees.

    `model` is a model or what `from_pretrained` takes; `processing_class` is its processor, or the tokenizer of a model
    that takes text alone, loaded beside a model given by name.  With `peft_config` adapters are trained, in the
    language model alone if vision is frozen.  The loss is a mean over the trees of an update, however they are spread
    over micro-batches, passes and processes.

    Log rows hold `reference_loss`, `contrast_loss`, `margin`, `accuracy`, `z_chosen`, `z_rejected`, `max_z`, `trees`,
    `contrasts`, `dropped_branches`, `rejected_branches`, `reencoded_branches`, `tokens` and `recomputed_tokens` beside
    the usual figures; evaluation logs the same with the prefix `eval_`.

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
            processing_class = processing_class or from_pretrained(model)
            kind = model_class(AutoConfig.from_pretrained(model))
            model = kind.from_pretrained(model, **(args.model_init_kwargs or {}))
        if processing_class is None:
            raise ConfigError(
                "processing_class is missing: a model that is not given by name needs its processor, or its tokenizer "
                "if it takes text alone"
            )
        layout = choose_layout(args.step_impl, unwrap(model).config)
        collator = _collator(model, processing_class, args, layout)
        model = prepare(model, args, layout, peft_config)
        self._scorer = TreeScorer(VisionFeatures(args.vision_cache_bytes) if keeps_features(model) else None)
        self._figures = {"train": Figures(), "eval": Figures()}
        self._dropped = DroppedBranches()
        self._budget = Budget(args.max_step_tokens, args.max_step_patches)
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
        if self.is_fsdp_enabled and keeps_features(self.model):
            keep_vision_whole(self.model, self.accelerator)
        if self.is_fsdp_enabled and not keeps_features(self.model) and self.args.per_device_train_batch_size > 1:
            # Pictures of unlike shapes take a pass each, and every pass of a sharded model waits for all processes.
            raise ConfigError("with FSDP and a trained vision tower per_device_train_batch_size must be 1")
        if self._budget != Budget() and self.is_deepspeed_enabled:
            raise ConfigError("max_step_tokens and max_step_patches do not work with DeepSpeed; leave them out")

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
        with self.accelerator.autocast():
            logps = self._scorer(model, inputs["examples"])
        loss = self._total(inputs, logps, num_items_in_batch, "train" if model.training else "eval")
        return (loss, {"loss": loss}) if return_outputs else loss

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Forward and backward of a micro-batch, in as many passes as the budget asks for; returns its loss."""
        plan = self._plan(inputs["examples"], "train")
        if len(plan.passes) == 1:
            loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
            return loss
        model.train()
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            logps = self._score(model, inputs["examples"], plan.early)
        for work in plan.passes:
            with nullcontext() if work is plan.passes[-1] else self.accelerator.no_sync(model):
                self._backward(model, inputs, work, logps, num_items_in_batch)
        return self._total(inputs, logps, num_items_in_batch, "train").detach()

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[torch.Tensor, None, None]:
        """The loss of an evaluation batch; there are no predictions to gather."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            logps = self._score(model, inputs["examples"], self._plan(inputs["examples"], "eval").passes)
            return self._total(inputs, logps, None, "eval"), None, None

    def _plan(self, examples: Sequence[TreeExample], kind: str) -> StepPlan:
        """Passes of a micro-batch, entered into the figures.  Evaluation scores every path anyway."""
        plan = plan_step(examples, self._budget, self._patches)
        plan = plan if kind == "train" else replace(plan, early=())
        if self._budget != Budget() and self.is_fsdp_enabled:
            # Each pass of a sharded model gathers weights: processes with unequal numbers of passes would wait.
            own = torch.tensor([[len(plan.early), len(plan.passes)]], device=self.args.device)
            plan = plan.filled(*self.accelerator.gather(own).amax(0).tolist())
        self._figures[kind].add_tokens(examples, plan.tokens)
        self._dropped.log(examples)
        return plan

    def _patches(self, example: TreeExample) -> int:
        """Image patches of one row, if the vision tower runs in every pass and they are limited."""
        if self._budget.patches is None or self._scorer.vision is not None:
            return 0
        return image_patches(example.extras, unwrap(self.model).config)

    def _score(self, model: Any, examples: Sequence[TreeExample], passes: Sequence[Pass]) -> list[PathLogps]:
        """Log-probabilities of the paths in `passes`; those of other paths stand at -1."""
        logps = [unscored(example, self.args.device) for example in examples]
        for work in passes:
            with self.accelerator.autocast():
                found = self._scorer(model, [part.example for part in work])
            for part, paths in zip(work, found, strict=True):
                logps[part.index] |= paths
        return logps

    def _backward(
        self,
        model: Any,
        inputs: dict[str, Any],
        work: Pass,
        logps: list[PathLogps],
        num_items_in_batch: torch.Tensor | None,
    ) -> None:
        """Gradients of the paths of one pass, whose log-probabilities are then entered into `logps`.

        All other paths are constants.  The loss is a sum of terms, each of one path or of one contrast.  So only the
        two branches of a contrast must know each other, and the passes' gradients add up to those of the whole loss.
        """
        with self.accelerator.autocast():
            found = self._scorer(model, [part.example for part in work])
        pairs = [inputs["examples"][part.index].pairs for part in work]
        known = [logps[part.index] | paths for part, paths in zip(work, found, strict=True)]
        losses = [self._tree_loss(paths, tied).loss for paths, tied in zip(known, pairs, strict=True)]
        loss = sum(part.example.weight * loss for part, loss in zip(work, losses, strict=True))
        self.accelerator.backward(self._share(loss, inputs["weights"], num_items_in_batch))
        for part, paths in zip(work, found, strict=True):
            logps[part.index] |= {path: logps_T.detach() for path, logps_T in paths.items()}

    def _total(
        self, inputs: dict[str, Any], logps: Sequence[PathLogps], trees: torch.Tensor | None, kind: str
    ) -> torch.Tensor:
        """Loss of a micro-batch, entered into the figures."""
        examples, weights = inputs["examples"], inputs["weights"]
        losses = [self._tree_loss(paths, example.pairs) for paths, example in zip(logps, examples, strict=True)]
        self._figures[kind].add(examples, losses)
        loss = sum(weight * out.loss for weight, out in zip(weights, losses, strict=True))
        return self._share(loss, weights, trees)

    def _tree_loss(self, logps: PathLogps, pairs: Sequence[Pair]) -> LossOut:
        args = self.args
        return tree_loss(logps, pairs, args.loss_type, args.contrast_lambda, args.contrast_weight)

    def _share(self, loss: Any, weights: torch.Tensor, trees: torch.Tensor | None) -> torch.Tensor:
        """A sum over trees as its share of the mean over `trees` (of the batch, without a number)."""
        if trees is None:
            mean: torch.Tensor = loss / weights.sum().clamp(min=1)
            return mean
        share: torch.Tensor = loss * self.accelerator.num_processes / trees.clamp(min=1)
        return share

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


def _collator(model: Any, processor: Any, args: SRPOConfig, layout: Layout) -> TreeCollator:
    core = unwrap(model)
    return TreeCollator(
        processor=processor,
        end_ids=end_token_ids(core, tokenizer_of(processor)),
        banned_ids=frozenset(banned_token_ids(core, tokenizer_of(processor))),
        loss_type=args.loss_type,
        step_impl=layout,
        max_contrasts=args.max_contrasts,
        max_length=args.max_length,
        max_step_tokens=args.max_step_tokens,
        seed=args.seed,
    )
