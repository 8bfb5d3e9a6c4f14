"""A server for local models that speaks the chat-completions protocol of OpenAI (`docs/servers.md`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from srpo.errors import ModelError

__all__ = ["ServeSettings", "serve"]

_EXTRA: Final = frozenset({"fastapi", "starlette", "uvicorn"})


@dataclass(frozen=True)
class ServeSettings:
    """What is served, and where."""

    model: str
    """`embedded` or `hf:FOLDER_OR_NAME`."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0 = any free one."""
    adapter: str | None = None
    dtype: str = "auto"
    max_rows: int = 256
    name: str | None = None
    """What clients call the model; none = the name of its folder, or `embedded`."""


def serve(settings: ServeSettings, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.  `say` prints a line; the last one before serving names the address.

    The key that clients must send is SRPO_API_KEY of the environment, if there is one.  Raises ConfigError if a
    setting is wrong or the port is taken, ModelError if the model or a library cannot be loaded.
    """
    try:
        from srpo.serve import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ModelError(f'srpo serve needs {error.name}: pip install "srpo[serve]"') from None
    run.run(settings, say)
