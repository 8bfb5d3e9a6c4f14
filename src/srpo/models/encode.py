"""Messages and segments to token ids and tensors, the same for sampling and for training.

The prompt goes through the model's own processor once; segments of the assistant's turn are encoded apart and
their ids concatenated, so that every step offset is a token position (`docs/method.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from PIL import Image as PILImage
from PIL import UnidentifiedImageError
from transformers import PreTrainedTokenizerBase

from srpo.errors import DataError
from srpo.models.base import Message
from srpo.models.families import family_of

PER_TOKEN = frozenset({"mm_token_type_ids", "token_type_ids"})
"""Processor outputs with one number per prompt token."""


@dataclass(frozen=True)
class Prompt:
    """A rendered prompt: `ids` with image tokens in place, and the processor's other tensors (batch of one)."""

    ids: tuple[int, ...]
    extras: dict[str, torch.Tensor]

    def model_inputs(self, ids: Sequence[int], device: torch.device) -> dict[str, torch.Tensor]:
        """Tensors for one row that starts with this prompt and goes on to `ids` (prompt included), shape [1, L]."""
        row = {"input_ids": torch.tensor([list(ids)], device=device)}
        for key, value in self.extras.items():
            tensor = value.to(device)
            if key in PER_TOKEN:
                tensor = torch.nn.functional.pad(tensor, (0, len(ids) - tensor.shape[1]))
            row[key] = tensor
        return row


def open_image(path: Path) -> PILImage.Image:
    """An RGB picture.  Raises DataError that names the file if it is missing or not a readable picture."""
    try:
        with PILImage.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        raise DataError(f"{path}: no such image; check the path in the record and the folder it starts from") from None
    except (UnidentifiedImageError, OSError, PILImage.DecompressionBombError, SyntaxError) as error:
        raise DataError(f"{path}: not a readable image ({error}); replace the file or drop the row") from error


def tokenizer_of(processor: Any) -> Any:
    """The tokenizer of a processor; a model without pictures has a tokenizer in its place."""
    return processor if isinstance(processor, PreTrainedTokenizerBase) else processor.tokenizer


def encode_prompt(processor: Any, messages: Sequence[Message]) -> Prompt:
    """Render the chat with the model's template, generation prompt included, and encode text and images together.

    Raises DataError if a picture cannot be read, or if there is one and the model takes text alone.
    """
    if tokenizer_of(processor) is processor:
        return _encode_words(processor, messages)
    turns = [
        {
            "role": m.role,
            "content": [*({"type": "image"} for _ in m.images), {"type": "text", "text": m.text}],
        }
        for m in messages
    ]
    text = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    images = [open_image(path) for message in messages for path in message.images]
    # A template that begins with the first token must not get a second one from the tokenizer.
    first = processor.tokenizer.bos_token
    options = {"add_special_tokens": False} if first and text.startswith(first) else {}
    # Some processors append the image mask only when asked for tensors; a batch of one needs no padding.
    encoded = processor(text=[text], images=images or None, return_tensors="pt", **options)
    tensors = {key: value for key, value in encoded.items() if isinstance(value, torch.Tensor)}
    extras = {key: value for key, value in tensors.items() if key not in ("input_ids", "attention_mask")}
    return Prompt(ids=tuple(encoded["input_ids"][0].tolist()), extras=extras)


def _encode_words(tokenizer: Any, messages: Sequence[Message]) -> Prompt:
    """A chat without pictures: templates of language models take the text itself, and hold all special tokens."""
    pictures = [path for message in messages for path in message.images]
    if pictures:
        raise DataError(f"{pictures[0]}: this model takes no pictures; use a vision-language model, or leave them out")
    turns = [{"role": m.role, "content": m.text} for m in messages]
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return Prompt(ids=encode_segment(tokenizer, text), extras={})


def encode_segment(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of one segment of the assistant's turn, without special tokens added around it."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def end_token_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Ids that end an assistant turn; the first one is appended to references.  The tokenizer's own comes first."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = [] if configured is None else [configured] if isinstance(configured, int) else list(configured)
    own = tokenizer.eos_token_id
    ordered = ([own] if own is not None else []) + [i for i in ids if i != own]
    if not ordered:
        raise DataError("the tokenizer has no end token and the model's generation config names none")
    return tuple(ordered)


def banned_token_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Image, video and other placeholder ids that must never be sampled (a sampled one would ask for pixels)."""
    ids = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    found = {getattr(model.config, name, None) for name in (*ids, "image_token_index", "video_token_index")}
    placeholders = family_of(model.config).placeholders
    found |= {i for word, i in tokenizer.get_vocab().items() if any(fnmatchcase(word, p) for p in placeholders)}
    return tuple(sorted(i for i in found if isinstance(i, int)))


def prompt_positions(model: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    """Position ids of rows that hold a prompt and text after it, or none if only the model itself knows them.

    Shape [B, N] for one-dimensional positions, [3, B, N] for models with multimodal rotary positions.
    """
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    positions = family_of(core.config).positions
    return None if positions is None else positions(core, inputs)


def tokenizer_sha256(processor: Any) -> str:
    """Hash of the vocabulary and the chat template: what must agree between sampling and training."""
    tokenizer = tokenizer_of(processor)
    template = processor.chat_template or tokenizer.chat_template or ""
    text = repr(sorted(tokenizer.get_vocab().items())) + repr(template)
    return hashlib.sha256(text.encode()).hexdigest()
