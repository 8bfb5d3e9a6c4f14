"""Sample to messages: the only place where a sample becomes a prompt."""

from __future__ import annotations

from pathlib import Path

from srpo.models.base import Message
from srpo.types import Sample


def render_messages(sample: Sample, folder: Path, instruction: str | None = None) -> tuple[Message, ...]:
    """One user turn with the picture and the request, followed by the instruction (e.g. to think in six steps).

    `folder` is where the sample's image path starts from.
    """
    text = sample.question if instruction is None else f"{sample.question}\n\n{instruction}"
    return (Message(role="user", text=text, images=(folder / sample.image.path,)),)
