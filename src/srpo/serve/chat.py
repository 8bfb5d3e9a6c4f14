"""Requests and replies of `/v1/chat/completions`: JSON to our requests, our completions to JSON.

Fields that nobody knows are ignored, as OpenAI does.  Known fields that would change the text and are not
implemented are refused: a client that asks for `stop` or `logprobs` must not believe that it got them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from srpo.models.base import Message, Request
from srpo.serve.pictures import decode_data_url
from srpo.serve.refusal import Refusal
from srpo.steps import split
from srpo.types import Completion, Sampling

MAX_CHOICES: Final = 64
MAX_MESSAGES: Final = 64
MAX_IMAGES: Final = 16
DEFAULT_TOKENS: Final = 512

_COLDEST: Final = 1e-4
"""A lower temperature is greedy: the division would leave the range of numbers."""

_NOT_IMPLEMENTED: Final[dict[str, tuple[object, ...]]] = {
    "stream": (False,),
    "stop": ([], ""),
    "tools": ([],),
    "functions": ([],),
    "logprobs": (False,),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "top_k": (-1, 0),
    "min_p": (0,),
}
"""Field -> values that change nothing, beside null."""


class _Wire(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class _Url(_Wire):
    url: str


class _Text(_Wire):
    type: Literal["text"]
    text: str


class _Picture(_Wire):
    type: Literal["image_url"]
    image_url: _Url


_Part = Annotated[_Text | _Picture, Field(discriminator="type")]


def _kind(content: object) -> str:
    return "text" if isinstance(content, str) else "parts"


class _Turn(_Wire):
    role: Literal["system", "user", "assistant"]
    content: Annotated[Annotated[str, Tag("text")] | Annotated[tuple[_Part, ...], Tag("parts")], Discriminator(_kind)]


class ChatRequest(_Wire):
    """The fields that count; `model_extra` holds the others."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: Annotated[tuple[_Turn, ...], Field(min_length=1, max_length=MAX_MESSAGES)]
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: int | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    return_token_ids: bool | None = None


def parse_chat(body: bytes, max_tokens: int) -> ChatRequest:
    """Raises Refusal if the body is no such request, or asks for what is not implemented."""
    try:
        chat = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refusal(400, f"{where}: {first['msg']}", where.partition(".")[0]) from None
    for name, value in (chat.model_extra or {}).items():
        if value is not None and value not in _NOT_IMPLEMENTED.get(name, (value,)):
            raise Refusal(400, f"{name}: not supported by this server; leave it out", name, "unsupported_parameter")
    asked = chat.max_completion_tokens or chat.max_tokens or 0
    if asked > max_tokens:
        reason = f"the context of this model holds {max_tokens} tokens, got max_tokens {asked}"
        raise Refusal(400, reason, "max_tokens", "context_length_exceeded")
    continues = bool(chat.continue_final_message)
    if continues and chat.add_generation_prompt:
        reason = "cannot be true together with add_generation_prompt"
        raise Refusal(400, f"continue_final_message: {reason}", "continue_final_message")
    if continues and chat.messages[-1].role != "assistant":
        raise Refusal(400, "continue_final_message: the last message is not of the assistant", "messages")
    if chat.add_generation_prompt is False and not continues:
        raise Refusal(400, "add_generation_prompt: false needs continue_final_message", "add_generation_prompt")
    return chat


def render_requests(chat: ChatRequest, keep: Callable[[bytes], Path]) -> tuple[Request, ...]:
    """One request per choice.  `keep` checks and stores a picture.  Raises Refusal for a picture that cannot be used.

    An open assistant turn is cut at its step markers, and each segment is encoded apart, as in local exploration:
    so the same path gives the same ids here and there.  Choice i draws with seed + i.
    """
    turns = list(chat.messages)
    prefix: tuple[str, ...] = ()
    if chat.continue_final_message:
        last = _message(turns.pop(), keep)
        if last.images:
            raise Refusal(400, "continue_final_message: the open turn of the assistant holds a picture", "messages")
        prefix = tuple(step.text for step in split(last.text).steps)
        if not turns:
            raise Refusal(400, "messages: nothing stands before the open turn of the assistant", "messages")
    messages = tuple(_message(turn, keep) for turn in turns)
    if sum(len(message.images) for message in messages) > MAX_IMAGES:
        raise Refusal(400, f"messages: {MAX_IMAGES} pictures at most", "messages")
    temperature = 1.0 if chat.temperature is None else chat.temperature
    sampling = Sampling(
        temperature=temperature if temperature >= _COLDEST else 0.0,
        top_p=chat.top_p or 1.0,
        max_new_tokens=chat.max_completion_tokens or chat.max_tokens or DEFAULT_TOKENS,
    )
    seed = secrets.randbits(63) if chat.seed is None else chat.seed % 2**64
    return tuple(
        Request(id=str(i), messages=messages, prefix=prefix, sampling=sampling, seed=seed + i)
        for i in range(chat.n or 1)
    )


def _message(turn: _Turn, keep: Callable[[bytes], Path]) -> Message:
    """Pictures come before the text, whatever their place in the content."""
    parts = (_Text(type="text", text=turn.content),) if isinstance(turn.content, str) else turn.content
    images = []
    for part in parts:
        if isinstance(part, _Picture):
            images.append(keep(decode_data_url(part.image_url.url)))
    text = "\n".join(part.text for part in parts if isinstance(part, _Text))
    return Message(role=turn.role, text=text, images=tuple(images))


def render_reply(
    chat: ChatRequest, completions: Sequence[Completion], prompt_ids: Sequence[int], name: str, revision: str
) -> dict[str, object]:
    """The reply; token ids under the names that vLLM gives them, and only when they were asked for."""
    written = sum(completion.completion_tokens for completion in completions)
    reply: dict[str, object] = {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name,
        "system_fingerprint": revision,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": completion.text, "refusal": None},
                "finish_reason": completion.finish,
                "logprobs": None,
                **({"token_ids": completion.token_ids} if chat.return_token_ids else {}),
            }
            for index, completion in enumerate(completions)
        ],
        "usage": {
            "prompt_tokens": len(prompt_ids),
            "completion_tokens": written,
            "total_tokens": len(prompt_ids) + written,
        },
    }
    return reply | ({"prompt_token_ids": list(prompt_ids)} if chat.return_token_ids else {})
