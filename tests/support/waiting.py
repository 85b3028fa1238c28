"""Waiting for a state, with a limit that only counts when it never comes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

#: Seconds; of no weight while all is well, and enough on a machine that is busy with other work.
PATIENCE = 60.0


def until(happens: Callable[[], object], what: str, *, within: float = PATIENCE, pause: float = 0.02) -> None:
    """Look again and again until it is true.

    :param what: is waited for, in words.
    :raises TimeoutError: after *within* seconds.
    """
    ends_at = time.monotonic() + within
    while not happens():
        if time.monotonic() > ends_at:
            raise TimeoutError(f"waited {within:.0f} s in vain: {what}")
        time.sleep(pause)


async def auntil(happens: Callable[[], object], what: str, *, within: float = PATIENCE) -> None:
    """Do what :func:`until` does, and let the loop go on meanwhile."""
    ends_at = time.monotonic() + within
    while not happens():
        if time.monotonic() > ends_at:
            raise TimeoutError(f"waited {within:.0f} s in vain: {what}")
        await asyncio.sleep(0.01)


def listens(port: int) -> bool:
    """Whether something listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
