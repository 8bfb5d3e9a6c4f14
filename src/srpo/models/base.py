"""What every model backend offers: a list of requests in, a list of completions out, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from srpo.types import Completion, Record, Sampling

Progress = Callable[[int], None]
"""Called with the number of requests that have just been finished."""


class Message(Record):
    """One turn of a chat; images come before the text."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[Path, ...] = ()


class Request(Record):
    """One text to be written.

    `prefix` holds segments of the assistant's turn that are already there.  A backend encodes each segment
    apart and concatenates the ids, so that a step offset is a token position, the same at sampling and at
    training.
    """

    id: str
    messages: tuple[Message, ...]
    prefix: tuple[str, ...] = ()
    sampling: Sampling = Field(default_factory=Sampling)
    seed: int = 0


class Model(Protocol):
    """A model that writes text.  A failed request is a completion with `finish="error"`, never an exception."""

    name: str

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        """Completions in the order of the requests; concurrency and batching are the backend's business."""
        ...


@dataclass(frozen=True)
class Limits:
    """Size of a batch of a local model."""

    max_rows: int = 256
    max_cache_tokens: int = 262_144
    """Rows times columns of the row cache at its widest."""
    max_prefill_tokens: int = 16_384
    """Tokens of the trunks that are prefilled together; a longer trunk goes alone."""
    max_kept_tokens: int = 0
    """Tokens of trunks kept for later calls, which helps who asks again about the same prompts.  Only for weights that
    stay as they are."""
