"""A local model as the server sees it: what it generates, and what it can take."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from srpo.errors import DataError, ModelError
from srpo.models.base import Message, Progress, Request
from srpo.models.encode import encode_prompt, encode_segment
from srpo.models.hf import HFModel
from srpo.serve.refusal import Refusal
from srpo.types import Completion

_PROMPTS = 512
"""Prompts whose ids are remembered: the branches of a sample ask for the same one again and again."""


class LocalModel:
    """A loaded model; only one thread may use it."""

    def __init__(self, model: HFModel) -> None:
        self._model = model
        self.name = model.name
        self._interrupted = False
        model.model.register_forward_pre_hook(self._go_on)
        self._prompt_ids = lru_cache(maxsize=_PROMPTS)(self._encode_messages)

    @property
    def context(self) -> int:
        """Tokens that prompt and text may have together."""
        config = self._model.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 32_768)

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        """As `HFModel.generate`."""
        return self._model.generate(requests, progress)

    def encode(self, request: Request) -> tuple[int, ...]:
        """Ids of prompt and prefix.  Raises Refusal if text stands for a picture, or if the whole is too long."""
        texts = [message.text for message in request.messages]
        for text in (*texts, *request.prefix):
            if self._holds_placeholder(text):
                reason = "a text holds a placeholder that this model takes for a picture; write it out differently"
                raise Refusal(400, reason, "messages", "image_placeholder_in_text")
        ids = self._prompt_ids(request.messages)
        ids += tuple(token for text in request.prefix for token in encode_segment(self._model.tokenizer, text))
        self._check_length(len(ids) + request.sampling.max_new_tokens)
        return ids

    def interrupt(self) -> None:
        """Make the next step of the model raise: a thread in the middle of one would crash the end of the process."""
        self._interrupted = True

    def _go_on(self, *_: object) -> None:
        if self._interrupted:
            raise ModelError(f"{self.name}: interrupted")

    def _holds_placeholder(self, text: str) -> bool:
        return not set(self._model.banned_ids).isdisjoint(encode_segment(self._model.tokenizer, text))

    def _check_length(self, tokens: int) -> None:
        if tokens > self.context:
            reason = f"the context of this model holds {self.context} tokens; prompt and max_tokens need {tokens}"
            raise Refusal(400, reason, "messages", "context_length_exceeded")

    def _encode_messages(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        try:
            ids = encode_prompt(self._model.processor, messages).ids
        except DataError:  # its message holds a path of ours
            raise Refusal(400, "a picture cannot be read", "messages", "invalid_image") from None
        except Exception as error:  # templates and processors raise almost anything
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise Refusal(400, f"the messages do not fit this model ({reason})", "messages") from None
        self._check_length(len(ids) + 1)  # here, so that a prompt which is refused is not remembered
        return ids


def revision_of(folders: Sequence[Path], model: HFModel) -> str:
    """What changes when the weights do: names, sizes and times of the files, or the hub's commit, and their type.

    The bytes are not read: of a large model that would take minutes.
    """
    parts: list[object] = [model.name, getattr(model.model.config, "_commit_hash", None), model.model.dtype]
    for folder in folders:
        files = sorted(path for path in folder.glob("*") if path.is_file())
        parts += [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
