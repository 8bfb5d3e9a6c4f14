"""The chat-completions protocol of OpenAI: our requests to JSON, a server's JSON to our completions."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from PIL import Image as PILImage
from PIL import UnidentifiedImageError
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from srpo.errors import DataError
from srpo.models.base import Message, Request
from srpo.types import Completion, Finish


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    """One text."""

    finish_reason: str | None = None
    message: _Message
    token_ids: tuple[int, ...] | None = None


def _count(value: object) -> object:
    """Servers that do not count leave it out, or say null."""
    return value or 0


class _Usage(BaseModel):
    prompt_tokens: Annotated[int, BeforeValidator(_count)] = 0
    completion_tokens: Annotated[int, BeforeValidator(_count)] = 0


class Reply(BaseModel):
    """What is read of a server's answer; everything else in it is ignored."""

    choices: Annotated[list[Choice], Field(min_length=1)]
    usage: Annotated[_Usage, BeforeValidator(lambda value: value or _Usage())] = _Usage()
    prompt_token_ids: tuple[int, ...] | None = None
    """Messages and open turn as the server encoded them, the name that vLLM gives it."""


def parse_reply(body: bytes) -> Reply:
    """Raises ValueError, in one line, if the body is no chat completion."""
    try:
        return Reply.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ValueError(f"the server's answer is not a chat completion ({where}: {first['msg']})") from None


def render_payload(
    name: str, request: Request, extra: Mapping[str, object], url_of: Callable[[Path], str]
) -> dict[str, Any]:
    """Arguments of the client's `create`.  A step prefix is an open assistant turn that the server is to continue."""
    messages = [_turn(message, url_of) for message in request.messages]
    if request.prefix:
        messages.append({"role": "assistant", "content": "".join(request.prefix)})
        extra = {**extra, "continue_final_message": True, "add_generation_prompt": False}
    return {
        "model": name,
        "messages": messages,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "max_tokens": request.sampling.max_new_tokens,
        "seed": request.seed,
        "extra_body": dict(extra) or None,
    }


def _turn(message: Message, url_of: Callable[[Path], str]) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.text}
    pictures = [{"type": "image_url", "image_url": {"url": url_of(path)}} for path in message.images]
    return {"role": message.role, "content": [*pictures, {"type": "text", "text": message.text}]}


def data_url(path: Path) -> str:
    """The file's bytes, unchanged; the media type comes from them, since file names lie.

    Raises DataError if the file is missing or no picture.
    """
    try:
        data = path.read_bytes()
        with PILImage.open(io.BytesIO(data)) as image:
            media_type = PILImage.MIME.get(image.format or "")
    except UnidentifiedImageError:
        media_type = None
    except (OSError, SyntaxError, PILImage.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot read the image ({error}); check the path or drop the row") from error
    if media_type is None:
        raise DataError(f"{path}: not an image of a known format; replace the file or drop the row")
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def completion_of(request: Request, reply: Reply) -> Completion:
    """The first choice as a completion."""
    choice = reply.choices[0]
    finish, problem = _finish(choice)
    return Completion(
        id=request.id,
        text=choice.message.content or "",
        token_ids=choice.token_ids,
        finish=finish,
        prompt_tokens=reply.usage.prompt_tokens,
        completion_tokens=reply.usage.completion_tokens,
        error=problem,
    )


def _finish(choice: Choice) -> tuple[Finish, str | None]:
    """How it ended, and why if it failed.  An ending that is not known is a failure, not a stop."""
    if choice.finish_reason == "content_filter":
        return "error", "refused: the server's content filter stopped the text"
    if choice.message.refusal:
        return "error", f"refused: {one_line(choice.message.refusal)}"
    if choice.finish_reason == "length":
        return "length", None
    if choice.finish_reason != "stop":
        return "error", f"error: the server ended with finish_reason {choice.finish_reason!r}"
    if choice.message.content is None:
        return "error", "error: the server sent no text"
    return "stop", None


def failed(request: Request, reason: str) -> Completion:
    """A request that got no answer."""
    return Completion(id=request.id, text="", finish="error", error=reason)


def one_line(text: str, limit: int = 300) -> str:
    """One line, with what pydantic cannot store (lone surrogates) replaced."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
