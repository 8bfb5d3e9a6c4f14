"""Everybody who makes a dataset, played by the embedded world: agents, judges, a renderer and reviewers.

They err at stated rates, and the truth is known, so that each check of `srpo build` can be measured against it
(`docs/ssui_world.md`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from srpo.errors import ModelError
from srpo.simulate.settings import MODELS, WorldServer

__all__ = ["MODELS", "WorldServer", "serve_world"]

_EXTRA: Final = frozenset({"fastapi", "starlette", "uvicorn"})


def serve_world(settings: WorldServer, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.  `say` prints a line; the first one names the address.

    The key that clients must send is SRPO_API_KEY of the environment, if there is one.  Raises DataError if there is
    no pool, ConfigError if the port is taken, ModelError if a library is not installed.
    """
    try:
        from srpo.simulate import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ModelError(f'srpo world serve needs {error.name}: pip install "srpo[serve]"') from None
    run.run(settings, say)
