"""Deadlines of what a thread does on the network; sockets check them before each operation."""

from __future__ import annotations

import threading
import time

from airflow_oauth_provider.transport.stopping import NEVER, Stop

_local = threading.local()
_UNBOUNDED: tuple[float | None, Stop] = None, NEVER


class bounded:  # noqa: N801  (used like a function)
    """Bound all socket operations of this thread.

    :param at: monotonic seconds from which each raises ``TimeoutError``; ``None`` for no such time.
    :param stop: soon after it is set, each raises ``TaskStoppedError``.
    """

    __slots__ = ("_before", "_limits")

    def __init__(self, at: float | None, stop: Stop = NEVER) -> None:
        self._limits = at, stop

    def __enter__(self) -> None:
        self._before = limits()
        _local.limits = self._limits

    def __exit__(self, *_: object) -> None:
        _local.limits = self._before


def within(seconds: float | None) -> bounded:
    """Bound what follows more narrowly than it is.

    :param seconds: from now on; ``None`` for no more than before.
    """
    at, stop = limits()
    return bounded(at if seconds is None else earlier(at, time.monotonic() + seconds), stop)


def limits() -> tuple[float | None, Stop]:
    """Return the bounds of this thread."""
    current: tuple[float | None, Stop] = getattr(_local, "limits", _UNBOUNDED)
    return current


def left(until: float | None) -> float | None:
    """Return the seconds until then; ``None`` for ever.

    :raises TimeoutError: when it is past.
    """
    if until is None:
        return None
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("deadline reached")
    return seconds


def earlier(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two times; ``None`` is never."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
