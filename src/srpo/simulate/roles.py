"""Which agent or judge a request is for: its prompt is matched against the templates, its picture against the pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from srpo.data.agents import PROMPTS
from srpo.models.probe import ASK, grey_picture
from srpo.prompts import load_prompt
from srpo.prompts.fill import unfill
from srpo.serve.chat import ChatRequest
from srpo.serve.refusal import Refusal
from srpo.simulate.errors import Draw
from srpo.simulate.pictures import KnownPictures
from srpo.world.knowledge import World, load_world
from srpo.world.pool import pixels_sha256
from srpo.world.scenes import Scene, Situation
from srpo.world.wishes import Wish, read_wish

JUDGES: Final = ("judge_text_alone", "judge_image_alone", "judge_answer", "judge_path", "judge_step")
TEXT_ONLY: Final = "text_only"
"""The agent that gets a request and nothing else."""

_WITHOUT_PICTURE: Final = (TEXT_ONLY, "judge_text_alone")


@dataclass(frozen=True)
class Asked:
    """One request, understood."""

    role: str
    """Name of the prompt, or `text_only`."""
    values: dict[str, str | None]
    scene: Scene | None
    wish: Wish | None
    """Of the request in `values`; none where the prompt has none."""
    previous: str | None
    """The reply that is asked for again."""
    draw: Draw

    @property
    def world(self) -> World:
        return load_world()

    @property
    def shown(self) -> Scene:
        """The picture, which every role but two has."""
        if self.scene is None:
            raise Refusal(400, f"messages: {self.role} takes a picture", "messages", "pictures")
        return self.scene

    @property
    def situation(self) -> Situation:
        """Picture and request together."""
        return Situation(self.shown, self.wanted.trigger, 0)

    @property
    def wanted(self) -> Wish:
        """The request, which most roles must have."""
        if self.wish is None:
            raise Refusal(400, f"messages: {self.role} needs a request", "messages", "no_request")
        return self.wish

    def value(self, name: str) -> str:
        """The text of a placeholder; empty if its paragraph was left out."""
        return self.values.get(name) or ""


def understand(chat: ChatRequest, pictures: KnownPictures, seed: int, number: int) -> Asked:
    """Choice `number` of a chat.  Raises Refusal if prompt, picture or request are not of this world."""
    turns = [(turn.role, *_parts(turn.content)) for turn in chat.messages]
    previous = _previous(turns)
    _, text, urls = turns[0]
    role, values = _role(text)
    if len(urls) != (wanted := int(role not in _WITHOUT_PICTURE)):
        raise Refusal(400, f"messages: {role} takes {wanted} pictures, got {len(urls)}", "messages", "pictures")
    keys = [pictures.key_of(url) for url in urls]
    said = [(kind, words) for kind, words, _ in turns]
    sampling = (chat.temperature, chat.top_p, chat.max_completion_tokens or chat.max_tokens)
    asked_seed = None if chat.seed is None else chat.seed + number
    draw = Draw(seed, chat.model, said, keys, sampling, asked_seed if number == 0 or asked_seed else number)
    return Asked(role, values, pictures.scene(keys[0]) if keys else None, _wish(values), previous, draw)


def is_probe(chat: ChatRequest, pictures: KnownPictures) -> bool:
    """Whether a stage asks what the server can do, in words alone or with its grey picture.

    Raises Refusal for what is no picture.
    """
    if len(chat.messages) != 1 or chat.messages[0].role != "user":
        return False
    text, urls = _parts(chat.messages[0].content)
    return text == ASK and [pictures.key_of(url) for url in urls] in ([], [_grey()])


@cache
def _grey() -> str:
    return pixels_sha256(np.asarray(grey_picture()))


def _parts(content: Any) -> tuple[str, tuple[str, ...]]:
    """Text and picture URLs of a turn."""
    if isinstance(content, str):
        return content, ()
    texts, urls = [], []
    for part in content:
        if part.type == "text":
            texts.append(part.text)
        else:
            urls.append(part.image_url.url)
    return "\n".join(texts), tuple(urls)


def _previous(turns: Sequence[tuple[str, str, tuple[str, ...]]]) -> str | None:
    roles = [kind for kind, _, _ in turns]
    if roles == ["user"]:
        return None
    if roles == ["user", "assistant", "user"] and not turns[1][2] and not turns[2][2]:
        return turns[1][1]
    raise Refusal(400, "messages: expected one request, or a request, its reply and a remark", "messages")


def _role(text: str) -> tuple[str, dict[str, str | None]]:
    for role, template in _templates().items():
        values = unfill(template, text)
        if values is not None:
            return role, values
    if read_wish(text) is not None:
        return TEXT_ONLY, {"question": text}
    reason = "messages: no prompt of srpo build or of its judges, and no request of this world"
    raise Refusal(400, reason, "messages", "unknown_prompt")


def _wish(values: dict[str, str | None]) -> Wish | None:
    question = values.get("question")
    if question is None:
        return None
    wish = read_wish(question)
    if wish is None:
        raise Refusal(400, "messages: the request is none of this world", "messages", "unknown_request")
    return wish


@cache
def _templates() -> dict[str, str]:
    return {name: load_prompt(name) for name in (*PROMPTS.values(), *JUDGES)}
