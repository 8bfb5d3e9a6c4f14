"""Open a port and serve the world until somebody stops it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Final

import uvicorn

from srpo.listen import listen
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
        if settings.until_eof:
            threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
        try:
            server.run(sockets=[listener])
        except SystemExit:
            # After a clean end the server raises the signal again, and being stopped is how a server ends.
            if not server.started:
                raise
    say("stopped")


def _end_with_input(server: uvicorn.Server) -> None:
    """A program that is killed cannot stop its server, but its end of the pipe closes."""
    while os.read(sys.stdin.fileno(), 1024):  # not its buffer, whose lock would be in the way at the end
        pass
    server.should_exit = True
