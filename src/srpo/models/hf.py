"""Local vision-language models and language models through transformers.

Requests with the same messages share one prompt: its pictures are encoded once, it is prefilled once together
with the longest text that is already there, and every request forks from that (`srpo.models.decode`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors import SafetensorError

from srpo.errors import DataError, ModelError
from srpo.models.base import Limits, Message, Progress, Request
from srpo.models.cache import shares_prefixes
from srpo.models.decode import Decoder, KeptTrunks, Trunk, decode_apart
from srpo.models.encode import (
    banned_token_ids,
    encode_prompt,
    encode_segment,
    end_token_ids,
    tokenizer_of,
    tokenizer_sha256,
)
from srpo.models.families import model_class
from srpo.models.processor import from_pretrained
from srpo.models.sampling import Policy, Row
from srpo.types import Completion

logger = logging.getLogger(__name__)
_SAVE_PROCESSOR = "save one with processor.save_pretrained"
_SAVE_TOKENIZER = "save one with tokenizer.save_pretrained"


class HFModel:
    """A loaded model and its processor as a `Model`; use `load_hf`, or hand over what a trainer already holds.

    A language model without vision has a tokenizer in place of a processor.

    A request's text depends on its own seed, not on the other requests (up to rounding in the matrix products).
    """

    def __init__(self, model: Any, processor: Any, name: str, limits: Limits | None = None) -> None:
        self.model, self.processor, self.name = model, processor, name
        self.tokenizer = tokenizer_of(processor)
        self.limits = limits or Limits()
        self._kept = KeptTrunks(self.limits.max_kept_tokens)
        self.end_ids = end_token_ids(model, self.tokenizer)
        self.banned_ids = self._all_banned()

    @cached_property
    def tokenizer_sha256(self) -> str:
        """Hash of the vocabulary and the chat template."""
        return tokenizer_sha256(self.processor)

    def encode_trunk(self, segments: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Ids of each segment, encoded apart; the last one has the end token appended."""
        ids = [encode_segment(self.tokenizer, text) for text in segments]
        return (*ids[:-1], (*ids[-1], self.end_ids[0])) if ids else ()

    def generate(self, requests: Sequence[Request], progress: Progress | None = None) -> list[Completion]:
        """Completions in the order of the requests; an unreadable picture fails its own requests only.

        Raises ModelError if the device runs out of memory.
        """
        done: dict[int, Completion] = {}

        def finish(index: int, completion: Completion) -> None:
            done[index] = completion
            if progress is not None:
                progress(1)

        def fail(index: int, reason: str) -> None:
            finish(index, Completion(id=requests[index].id, text="", finish="error", error=reason))

        def end(row: Row) -> None:
            finish(row.index, self._completion(requests[row.index], row))

        policy = Policy(self.model, list(self.banned_ids), frozenset(self.end_ids), end)
        with torch.inference_mode(), _evaluation_mode(self.model):
            try:
                self._decode(policy, self._trunks(requests, fail))
            except torch.OutOfMemoryError as error:
                hint = f"lower max_rows ({self.limits.max_rows}) or max_cache_tokens ({self.limits.max_cache_tokens})"
                raise ModelError(f"{self.name}: out of memory on {self.model.device}; {hint}") from error
        return [done[index] for index in range(len(requests))]

    def _decode(self, policy: Policy, trunks: Iterator[Trunk]) -> None:
        if self._shares_prefixes:
            Decoder(policy, self.limits, self._kept).run(trunks)
            return
        for trunk in trunks:
            decode_apart(policy, trunk, self.limits.max_rows)

    @cached_property
    def _shares_prefixes(self) -> bool:
        shares = shares_prefixes(self.model, encode_segment(self.tokenizer, "0 1 2 3"))
        if not shares:
            logger.warning("%s: its cache cannot be cut at a prefix, so every prefix is computed anew", self.name)
        return shares

    def _trunks(self, requests: Sequence[Request], fail: Callable[[int, str], None]) -> Iterator[Trunk]:
        """One trunk after the other, so that pictures are opened only when their turn comes."""
        encode = lru_cache(maxsize=4096)(lambda text: encode_segment(self.tokenizer, text))
        for messages, indices in _by_messages(requests).items():
            try:
                prompt = encode_prompt(self.processor, messages)
            except (DataError, ValueError) as error:
                for index in indices:
                    fail(index, _first_line(error))
                continue
            for prefix, members in _by_trunk({index: requests[index].prefix for index in indices}).items():
                ids = prompt.ids + tuple(chain.from_iterable(map(encode, prefix)))
                lengths = {i: len(prompt.ids) + sum(len(encode(text)) for text in requests[i].prefix) for i in members}
                yield Trunk(prompt, ids, [_row(i, requests[i], lengths[i]) for i in members], messages)

    def _completion(self, request: Request, row: Row) -> Completion:
        words = row.ids[:-1] if row.finish == "stop" else row.ids
        return Completion(
            id=request.id,
            text=self.tokenizer.decode(words, skip_special_tokens=False, clean_up_tokenization_spaces=False),
            token_ids=tuple(row.ids),
            finish=row.finish or "error",
            prompt_tokens=row.length,
            completion_tokens=len(row.ids),
        )

    def _all_banned(self) -> tuple[int, ...]:
        """Placeholders of pictures, and ids of the output layer that the tokenizer does not know."""
        head = self.model.get_output_embeddings()
        unknown = range(len(self.tokenizer), 0 if head is None else head.weight.shape[0])
        ids = {*banned_token_ids(self.model, self.tokenizer), *unknown}
        return tuple(sorted(ids - set(self.end_ids)))


def _by_messages(requests: Sequence[Request]) -> dict[tuple[Message, ...], list[int]]:
    groups: dict[tuple[Message, ...], list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault(request.messages, []).append(index)
    return groups


def _by_trunk(prefixes: dict[int, tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
    """The fewest longest prefixes of which every prefix is a beginning, with the requests of each, short ones first."""
    trunks: dict[tuple[str, ...], list[int]] = {}
    for index in sorted(prefixes, key=lambda i: -len(prefixes[i])):
        prefix = prefixes[index]
        trunk = next((t for t in trunks if t[: len(prefix)] == prefix), prefix)
        trunks.setdefault(trunk, []).append(index)
    return {trunk: members[::-1] for trunk, members in trunks.items()}


def _row(index: int, request: Request, length: int) -> Row:
    sampling = request.sampling
    # Numbers are drawn before decoding starts, so that a row's text depends on its own seed only.
    uniforms = np.random.default_rng(request.seed).random(sampling.max_new_tokens)
    return Row(index, length, sampling, uniforms.tolist())


@contextmanager
def _evaluation_mode(model: Any) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def load_hf(
    path_or_name: str,
    dtype: str = "auto",
    device: str | None = None,
    adapter: str | None = None,
    limits: Limits | None = None,
    attention: str | None = None,
) -> HFModel:
    """Load a model folder, or a name that is in the hub's cache or can be fetched.

    `dtype` is `auto` (as stored) or a torch type such as `bfloat16`; `device` defaults to `cuda` if there is one;
    `adapter` is a PEFT folder; `attention` a transformers attention name.  Raises ModelError if there is nothing
    at the path, if a part is missing or damaged, or if the model is neither a vision-language nor a language model.
    """
    folder = _folder(path_or_name)
    kind = _kind(path_or_name)
    processor = load_processor(path_or_name, sees=kind is transformers.AutoModelForImageTextToText)
    model = _load_weights(kind, path_or_name, dtype, attention)
    if adapter is not None:
        model = _load_adapter(model, adapter)
    target = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model = model.to(target)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"{path_or_name}: cannot be moved to {target!r} ({_first_line(error)})") from error
    name = folder.resolve().name if folder else path_or_name
    return HFModel(model, processor, name if adapter is None else f"{name}+{Path(adapter).resolve().name}", limits)


def load_processor(path_or_name: str, sees: bool) -> Any:
    """The processor of a model that sees pictures, or the tokenizer of one that does not.

    Raises ModelError if a part is missing.
    """
    folder = Path(path_or_name).expanduser()
    if sees and folder.is_dir() and not any(folder.glob("*processor_config.json")):
        raise ModelError(f"{folder}: no processor in this folder; {_SAVE_PROCESSOR}")
    try:
        processor = from_pretrained(path_or_name)
    except ImportError as error:
        reason = f"its processor needs a package that is not installed ({_first_line(error)})"
        raise ModelError(f"{path_or_name}: {reason}") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        what, mend = ("processor", _SAVE_PROCESSOR) if sees else ("tokenizer", _SAVE_TOKENIZER)
        raise ModelError(f"{path_or_name}: no usable {what} ({_first_line(error)}); {mend}") from error
    parts = (getattr(processor, "tokenizer", None), getattr(processor, "image_processor", None))
    if sees and None in parts:
        raise ModelError(f"{path_or_name}: no picture processor beside the tokenizer; {_SAVE_PROCESSOR}")
    if processor.chat_template is None and tokenizer_of(processor).chat_template is None:
        raise ModelError(f"{path_or_name}: no chat template; put chat_template.jinja into the folder")
    return processor


def _folder(path_or_name: str) -> Path | None:
    """The local folder, or none for a hub name."""
    path = Path(path_or_name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"{path}: no config.json in this folder; give the folder that save_pretrained wrote")
        if not any(path.glob("*.safetensors")) and not any(path.glob("*.bin")):
            raise ModelError(f"{path}: no weights in this folder (*.safetensors); copy them or save the model again")
        return path
    # A hub name is `owner/name`; anything else, or a name inside a folder that exists, is meant as a path.
    if path.parts[:1] in (("/",), ("~",), ("..",)) or path_or_name.count("/") != 1 or path.parent.is_dir():
        raise ModelError(f"{path}: no such model folder")
    return None


def read_config(path_or_name: str) -> Any:
    """The configuration of a model.  Raises ModelError if there is none that can be read."""
    try:
        return transformers.AutoConfig.from_pretrained(path_or_name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path_or_name}: no model, or no readable config.json ({_first_line(error)})") from error


def _kind(path_or_name: str) -> Any:
    """The Auto class of the model."""
    try:
        return model_class(read_config(path_or_name))
    except ModelError as error:
        raise ModelError(f"{path_or_name}: {error}") from None


def _load_weights(kind: Any, path_or_name: str, dtype: str, attention: str | None) -> Any:
    options = {} if attention is None else {"attn_implementation": attention}
    try:
        model, found = kind.from_pretrained(path_or_name, dtype=dtype, output_loading_info=True, **options)
    except (OSError, ValueError, RuntimeError, ImportError, AttributeError, SafetensorError) as error:
        raise ModelError(f"{path_or_name}: the weights cannot be loaded ({_first_line(error)})") from error
    if found["missing_keys"]:
        missing = sorted(found["missing_keys"])
        raise ModelError(f"{path_or_name}: incomplete, {len(missing)} weights are missing, first {missing[0]}")
    return model.eval()


def _load_adapter(model: Any, adapter: str) -> Any:
    if not (Path(adapter) / "adapter_config.json").is_file():
        raise ModelError(f"{adapter}: no adapter_config.json; give the folder of a PEFT adapter")
    import peft  # it takes a second to import, and few runs need it

    try:
        return peft.PeftModel.from_pretrained(model, adapter).eval()
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(f"{adapter}: the adapter does not fit this model ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
