"""Open a port, load a model, and serve until somebody stops it."""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from srpo.errors import ConfigError
from srpo.listen import listen
from srpo.models import load_model
from srpo.models.base import Limits
from srpo.run_config import EMBEDDED
from srpo.serve import ServeSettings
from srpo.serve.app import Service, build_app
from srpo.serve.batches import Batches
from srpo.serve.pictures import Pictures
from srpo.world import ASSETS

_GRACE_SECONDS: Final = 3.0
"""For the batch that is under way when the server is stopped."""

_WAITING_PER_ROW: Final = 4
"""The queue holds so many full batches."""


class _Server(uvicorn.Server):
    """A server whose clients are told when it is stopped, instead of being cut off."""

    def __init__(self, config: uvicorn.Config, batches: Batches) -> None:
        super().__init__(config)
        self._batches = batches

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A thread closes the queue, so that all requests end; the server waits for them and then ends itself."""
        super().handle_exit(sig, frame)
        threading.Thread(target=self._batches.close, args=(_GRACE_SECONDS,)).start()


def run(settings: ServeSettings, say: Callable[[str], None]) -> None:
    """As `srpo.serve.serve`."""
    name = _model_name(settings)
    with listen(settings.host, settings.port) as listener:
        service = _load(name, settings)
        if not _is_local(settings.host):
            key = "clients need SRPO_API_KEY" if service.api_key else "NO KEY IS NEEDED (set SRPO_API_KEY)"
            say(f"warning: other machines can reach {settings.host}, and {key}")
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        say(f"model {service.name} at http://{host}:{listener.getsockname()[1]}/v1")
        server = _Server(uvicorn.Config(build_app(service), log_level="warning", access_log=False), service.batches)
        try:
            server.run(sockets=[listener])
        except SystemExit:
            # After a clean end the server raises the signal again, and being stopped is how a server ends.
            if not server.started:
                raise
    say("stopped")


def _model_name(settings: ServeSettings) -> str:
    """The folder or name of the model.  Raises ConfigError if a setting is wrong."""
    if settings.max_rows < 1 or not 0 <= settings.port < 2**16:
        problem = f"got {settings.max_rows} and {settings.port}"
        raise ConfigError(f"--max-rows must be at least 1 and --port 0 to 65535, {problem}")
    if settings.model == EMBEDDED:
        return str(ASSETS / "tiny-vlm")
    kind, _, name = settings.model.partition(":")
    if kind != "hf" or not name:
        raise ConfigError(f"model {settings.model!r}: expected embedded or hf:FOLDER_OR_NAME")
    return name


def _load(name: str, settings: ServeSettings) -> Service:
    limits = Limits(max_rows=settings.max_rows)
    model = load_model(f"hf:{name}", dtype=settings.dtype, adapter=settings.adapter, limits=limits)
    # After the line above, which says what to install if torch is not there.
    from srpo.models.hf import HFModel
    from srpo.serve.local import LocalModel, revision_of

    assert isinstance(model, HFModel)
    local = LocalModel(model)
    return Service(
        name=settings.name or (EMBEDDED if settings.model == EMBEDDED else model.name),
        revision=revision_of([Path(name), *([Path(settings.adapter)] if settings.adapter else [])], model),
        context=local.context,
        batches=Batches(local, settings.max_rows, _WAITING_PER_ROW * settings.max_rows),
        pictures=Pictures(),
        api_key=os.environ.get("SRPO_API_KEY") or None,
    )


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
