"""Ports for servers that cannot choose one themselves."""

from __future__ import annotations

import random
import socket

#: Below those that the system gives to clients and to servers that ask for any: between the choice
#: and the server's start, nobody else is given the port.
_FIRST, _LAST = 10_000, 32_000
_random = random.SystemRandom()


def free_port() -> int:
    """Return a loopback port on which nothing listens."""
    while True:
        port = _random.randint(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
