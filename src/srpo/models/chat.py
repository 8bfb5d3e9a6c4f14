"""Sample to messages: the only place where a sample becomes a prompt."""

from __future__ import annotations

from pathlib import Path

from srpo.models.base import Message
from srpo.types import Sample


def render_messages(sample: Sample, folder: Path, instruction: str | None = None) -> tuple[Message, ...]:
    """One user turn with the request and the instruction after it (e.g. to think in six steps).

    A picture stands before the request, if the sample has one.  `folder` is where its path starts from.
    """
    text = sample.question if instruction is None else f"{sample.question}\n\n{instruction}"
    images = () if sample.image is None else (folder / sample.image.path,)
    return (Message(role="user", text=text, images=images),)
