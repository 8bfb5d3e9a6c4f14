"""Ports of servers."""

from __future__ import annotations

import socket

import pytest

from srpo.errors import ConfigError
from srpo.listen import listen


def test_replies_are_not_held_back_until_their_first_half_is_acknowledged() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_cannot_be_had_says_so() -> None:
    refused = pytest.raises(ConfigError, match=r"127.0.0.1:\d+: cannot listen there \(.+\); choose another port")
    with socket.create_server(("127.0.0.1", 0)) as taken, refused:
        listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(ConfigError, match=r"127.0.0.1:99999: ports go from 0"):
        listen("127.0.0.1", 99_999)
