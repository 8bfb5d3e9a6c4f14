"""Models that write text; a backend's library is imported when it is asked for."""

from __future__ import annotations

from typing import Any

from srpo.errors import ConfigError, ModelError
from srpo.models.base import Message, Model, Progress, Request

__all__ = ["Message", "Model", "Progress", "Request", "load_model"]

_LOCAL = frozenset({"torch", "transformers", "tokenizers", "safetensors", "accelerate", "peft"})


def load_model(spec: str, **options: Any) -> Model:
    """The model that `spec` names: `hf:FOLDER_OR_NAME` runs here, `openai:NAME` on any compatible server.

    `options` go to the backend: `srpo.models.hf.load_hf` or `srpo.models.openai.OpenAIModel`.  With `response_cache`,
    a folder, replies of a server are kept (`srpo.models.cached`).  Raises ConfigError for another kind, ModelError if
    the model cannot be loaded or its library is not installed, DataError if the cache cannot be used.
    """
    kind, _, name = spec.partition(":")
    if not name or kind not in ("hf", "openai"):
        raise ConfigError(f"model {spec!r}: expected hf:FOLDER_OR_NAME or openai:NAME")
    if kind == "openai":
        from srpo.models.openai import OpenAIModel

        folder = options.pop("response_cache", None)
        model = OpenAIModel(name, **options)
        if folder is None:
            return model
        from srpo.models.cached import CachedModel

        return CachedModel(model, folder)
    try:
        from srpo.models.hf import load_hf
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _LOCAL:
            raise
        raise ModelError(f'model {spec!r} needs {error.name}: pip install "srpo[train]"') from None
    return load_hf(name, **options)
