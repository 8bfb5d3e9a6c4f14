"""What a server can do, found out by a handful of tiny requests before a run depends on it.

Proxies drop fields without a word, and some servers close an assistant turn that they were asked to continue.  Then
branches would be sampled from another prompt than they are trained on, and nothing would fail.
"""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import openai
from PIL import Image as PILImage

from srpo.errors import ModelError
from srpo.models.base import Model
from srpo.models.openai import OpenAIModel
from srpo.models.wire import Reply, one_line, parse_reply

logger = logging.getLogger(__name__)

Needs = Literal["prefixes", "texts"]
"""`prefixes`: exploration.  `texts`: judging and whole paths."""

_SECONDS: Final = 60.0
"""For one request: a server that has just started compiles first."""

_PICTURE_SIDE: Final = 64
"""Pixels; some image processors refuse less than 28."""

ASK: Final = "Say what you see, step by step."
"""All that a probe asks, alone or with `grey_picture`."""

_ASK: Final = {"role": "user", "content": ASK}
_STEPS: Final = ("Step 1 - Visual context: a grey square.\n", "Step 2 - Textual request: a description.\n")
_OPEN: Final = {"continue_final_message": True, "add_generation_prompt": False, "return_token_ids": True}


@dataclass(frozen=True)
class Capabilities:
    """What one server did with the probe's requests.  None = it could not be told."""

    problem: str | None = None
    """Why it cannot be used at all: not reachable, or the model's name is not known."""
    images: bool = False
    prefixes: bool = False
    """Continues an open assistant turn instead of closing it."""
    token_ids: bool = False
    boundaries: bool | None = None
    """The ids of a step prefix begin those of a longer one, and its last line break is there."""
    seeds: bool = False
    """The same seed gives the same text."""

    def line(self) -> str | None:
        """In one line: what is missing and what follows; none if nothing is."""
        if self.problem is not None:
            return self.problem
        found = [words for missing, words in self._missing() if missing]
        return "; ".join(found) or None

    def _missing(self) -> tuple[tuple[bool, str], ...]:
        return (
            (not self.images, "takes no pictures: nothing of a run can use it"),
            (not self.prefixes, "no step prefixes: judging and whole paths only"),
            (self.prefixes and not self.token_ids, "no token ids: trees hold text only and are encoded again"),
            (self.boundaries is False, "changes the end of a step: prefixes differ from those of training"),
            (not self.seeds, "ignores seeds: what is sampled anew differs"),
        )


def check_server(model: Model, needs: Needs, *, pictures: bool = True) -> str | None:
    """Probe the servers of a model before a stage begins; a model that runs here has none.

    `pictures` is false where nothing that will be asked holds one.

    Returns and logs one line, or gives none if there is nothing to say.  Raises ModelError if no server answers, or one
    lacks what the stage needs.  If prefixes are needed and all servers give token ids, the model asks for them from now
    on.
    """
    model = getattr(model, "inner", model)
    if not isinstance(model, OpenAIModel):
        return None
    lines: list[str] = []
    able: list[Capabilities] = []
    for url in model.base_urls:
        found = probe(model, url)
        line, where = found.line(), f"{model.name} at {url or 'OpenAI'}"
        if found.problem is None:
            able.append(found)
            if (pictures and not found.images) or (needs == "prefixes" and not found.prefixes):
                raise ModelError(f"{where}: {line}; use another server for this stage")
        if line is not None:
            lines.append(f"{where}: {line}")
    if not able:
        raise ModelError("; ".join(lines))
    model.token_ids |= needs == "prefixes" and all(found.token_ids for found in able)
    if lines:
        logger.warning("%s", "; ".join(lines))
    return "; ".join(lines) or None


def probe(model: OpenAIModel, url: str | None) -> Capabilities:
    """Ask one server of the model; about ten requests of a few tokens."""
    key = model.api_key or "none"
    seconds = min(model.timeout_seconds, _SECONDS)
    with openai.OpenAI(api_key=key, base_url=url, timeout=seconds, max_retries=1) as client:
        asker = _Asker(client, model)
        try:
            plain = asker.send([_ASK])
        except openai.APIConnectionError as error:
            return Capabilities(problem=f"does not answer ({one_line(str(error.__cause__ or error))}); is it running?")
        except openai.APIStatusError as error:
            return Capabilities(problem=f"refuses a plain request ({one_line(error.message)})")
        except (openai.OpenAIError, ValueError) as error:
            return Capabilities(problem=f"does not speak this protocol ({one_line(str(error))})")
        opened = asker.try_to([_ASK, _turn(_STEPS[:1])], **_OPEN)
        longer = asker.try_to([_ASK, _turn(_STEPS)], **_OPEN)
        return Capabilities(
            images=_takes_pictures(asker, plain),
            prefixes=_continues(asker, opened, longer),
            token_ids=opened is not None and bool(opened.choices[0].token_ids),
            boundaries=_keeps_boundaries(asker, opened, longer),
            seeds=_honours_seeds(asker),
        )


class _Asker:
    """Sends tiny requests."""

    def __init__(self, client: openai.OpenAI, model: OpenAIModel) -> None:
        self._client, self._model = client, model

    def send(self, messages: list[Any], tokens: int = 4, **fields: object) -> Reply:
        """Raises OpenAIError or ValueError if no chat completion comes back."""
        known: dict[str, Any] = {"temperature": fields.pop("temperature", 0.0), "seed": fields.pop("seed", 0)}
        extra = {**self._model.extra_body, **fields} or None
        response = self._client.chat.completions.with_raw_response.create(
            model=self._model.name, messages=messages, max_tokens=tokens, extra_body=extra, **known
        )
        return parse_reply(response.content)

    def try_to(self, messages: list[Any], tokens: int = 4, **fields: object) -> Reply | None:
        """None if the server does not like it."""
        try:
            return self.send(messages, tokens, **fields)
        except (openai.OpenAIError, ValueError):
            return None


def _turn(steps: tuple[str, ...]) -> Mapping[str, object]:
    return {"role": "assistant", "content": "".join(steps)}


def grey_picture() -> PILImage.Image:
    """The picture that a probe sends."""
    return PILImage.new("RGB", (_PICTURE_SIDE, _PICTURE_SIDE), "grey")


def _takes_pictures(asker: _Asker, plain: Reply) -> bool:
    """Accepted, and the prompt grew: a text-only proxy may swallow the picture."""
    file = io.BytesIO()
    grey_picture().save(file, format="PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": ASK}]
    seen = asker.try_to([{"role": "user", "content": parts}])
    if seen is None:
        return False
    return not plain.usage.prompt_tokens or seen.usage.prompt_tokens > plain.usage.prompt_tokens


def _continues(asker: _Asker, opened: Reply | None, longer: Reply | None) -> bool:
    """Whether an open turn stays open.

    With ids: those of a prefix begin those of a longer one, which the end of a closed turn would prevent.  Without:
    the same messages as history are longer, by the end of the turn and the beginning of the next.
    """
    if opened is None or longer is None:
        return False
    if _nests(opened, longer):
        return True
    closed = asker.try_to([_ASK, _turn(_STEPS[:1])])
    return closed is not None and 0 < opened.usage.prompt_tokens < closed.usage.prompt_tokens


def _keeps_boundaries(asker: _Asker, opened: Reply | None, longer: Reply | None) -> bool | None:
    """Whether a step prefix is the same tokens alone and within a longer one.

    Some tokenizers merge the end of a step with what follows, and some templates trim the last line break.
    """
    if opened is None or opened.prompt_token_ids is None or not _nests(opened, longer):
        return _nests(opened, longer)
    bare = asker.try_to([_ASK, _turn((_STEPS[0].rstrip(),))], **_OPEN)
    return bare is not None and bare.prompt_token_ids != opened.prompt_token_ids


def _nests(opened: Reply | None, longer: Reply | None) -> bool | None:
    short = opened and opened.prompt_token_ids
    long = longer and longer.prompt_token_ids
    if not short or not long:
        return None
    return long[: len(short)] == short and len(short) < len(long)


def _honours_seeds(asker: _Asker) -> bool:
    replies = [asker.try_to([_ASK], 16, seed=1, temperature=1.5) for _ in range(2)]
    texts = [None if reply is None else reply.choices[0].message.content for reply in replies]
    return texts[0] is not None and texts[0] == texts[1]
