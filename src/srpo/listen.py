"""An open port."""

from __future__ import annotations

import socket

from srpo.errors import ConfigError


def listen(host: str, port: int) -> socket.socket:
    """An open socket, before anything is loaded: a port that is taken should not cost minutes.

    Raises ConfigError if the address cannot be had.
    """
    if not 0 <= port < 2**16:
        raise ConfigError(f"{host}:{port}: ports go from 0 (any free one) to {2**16 - 1}; choose another one")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = f"cannot listen there ({error.strerror or error}); choose another port (0 = any free one) or host"
        raise ConfigError(f"{host}:{port}: {reason}") from error
    # Connections inherit it.  Otherwise the second half of a reply waits until the client has acknowledged the first,
    # which takes 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
