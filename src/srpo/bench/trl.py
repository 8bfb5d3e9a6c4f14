"""The training step of TRL's own `DPOTrainer` on the same pairs, for `srpo bench train --trl`.

Its loss is another one: DPO has a reference model, which runs forward on every row, and no likelihood of the reference
path.  Ids and pixels are those of the other ways; its data set, collator and processor are not used, because they make
a chat of two turns out of a prefix inside the assistant's turn.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from typing import Any

import torch

from srpo.bench.measure import TokenCounter
from srpo.bench.model import build_model
from srpo.bench.setting import Setting
from srpo.bench.trees import RandomTree
from srpo.errors import ModelError


class TrlStep:
    """Forward of policy and reference model, loss and backward of all contrasts, `rows` rows at a time."""

    def __init__(self, setting: Setting, trees: Sequence[RandomTree]) -> None:
        # TRL 1.16 says it with the old name, and so does transformers inside it; a user can do nothing about that.
        warnings.filterwarnings("ignore", r".*gradient_checkpointing` is deprecated", FutureWarning)
        policy = build_model(setting)
        # With adapters TRL takes the model without them as its reference.
        reference = None if setting.lora else build_model(setting)
        self.trainer = _trainer(policy, reference, setting)
        self.batches = [
            {key: value.to(setting.device) for key, value in batch.items()}
            for tree in trees
            for batch in _batches(tree, setting.rows // 2, policy.dtype)
        ]
        self.counters = [TokenCounter(model) for model in (policy, reference) if model is not None]
        policy.train()

    def step(self) -> None:
        for batch in self.batches:
            with self.trainer.compute_loss_context_manager():
                loss = self.trainer.compute_loss(self.trainer.model, batch)
            self.trainer.accelerator.backward(loss)


def _trainer(policy: Any, reference: Any, setting: Setting) -> Any:
    """A trainer whose checkpointing is off, as it is in the other ways (it is on by default)."""
    try:
        from datasets import Dataset
        from trl import DPOConfig, DPOTrainer
    except ImportError as error:
        raise ModelError(f'--trl needs the trl package ({error}); pip install "srpo[trl]"') from error
    arguments = DPOConfig(
        output_dir=tempfile.gettempdir(),  # nothing is written: the trainer's loop does not run
        max_length=None,
        report_to=[],
        use_cpu=torch.device(setting.device).type == "cpu",
        bf16=False,
        gradient_checkpointing=False,
        remove_unused_columns=False,
    )
    return DPOTrainer(
        model=policy,
        ref_model=reference,
        args=arguments,
        train_dataset=Dataset.from_list([{"images": []}]),
        processing_class=_processor(),
        data_collator=list,
    )


def _processor() -> Any:
    """What the trainer asks a processor for before it trains: a tokenizer with a padding token."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, ProcessorMixin

    class TokenizerOnly(ProcessorMixin):  # type: ignore[misc]
        def __init__(self, tokenizer: Any) -> None:
            self.tokenizer = tokenizer

    words = Tokenizer(models.WordLevel({"<pad>": 0}, unk_token="<pad>"))
    return TokenizerOnly(PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<pad>"))


def _batches(tree: RandomTree, size: int, dtype: torch.dtype) -> list[dict[str, torch.Tensor]]:
    groups = [tree.contrasts[begin : begin + size] for begin in range(0, len(tree.contrasts), size)]
    return [_batch(tree, [a for a, _ in group] + [b for _, b in group], dtype) for group in groups]


def _batch(tree: RandomTree, paths: Sequence[int], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Rows of chosen paths, then of rejected ones, as TRL's collator for pictures makes them."""
    branches = [tree.branches[path - 1] for path in paths]
    rows = [tree.prefix(branch.prefix) + branch.ids for branch in branches]
    longest, kinds = max(map(len, rows)), tree.prompt.extras["mm_token_type_ids"][0].tolist()
    own = [
        [0] * (len(row) - len(branch.ids)) + [1] * len(branch.ids) for row, branch in zip(rows, branches, strict=True)
    ]
    return {
        "input_ids": _padded(rows, longest),
        "attention_mask": _padded([[1] * len(row) for row in rows], longest),
        "completion_mask": _padded(own, longest),
        "mm_token_type_ids": _padded([kinds] * len(rows), longest),
        "pixel_values": torch.cat([tree.prompt.extras["pixel_values"]] * len(rows)).to(dtype),
        "image_grid_thw": torch.cat([tree.prompt.extras["image_grid_thw"]] * len(rows)),
    }


def _padded(rows: Sequence[Sequence[int]], length: int) -> torch.Tensor:
    return torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
