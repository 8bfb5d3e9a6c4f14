"""Open a port and serve the world until somebody stops it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import uvicorn

from srpo.serve.listen import listen
from srpo.simulate.app import build_app
from srpo.simulate.pictures import KnownPictures
from srpo.simulate.settings import WorldServer

HOST: Final = "127.0.0.1"


def run(settings: WorldServer, say: Callable[[str], None]) -> None:
    """As `srpo.simulate.serve_world`."""
    pictures = KnownPictures(settings.pool)
    app = build_app(settings, pictures, os.environ.get("SRPO_API_KEY") or None)
    with listen(HOST, settings.port) as listener:
        say(f"{len(pictures.pictures)} pictures at http://{HOST}:{listener.getsockname()[1]}/v1")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        try:
            server.run(sockets=[listener])
        except SystemExit:
            # After a clean end the server raises the signal again, and being stopped is how a server ends.
            if not server.started:
                raise
    say("stopped")
