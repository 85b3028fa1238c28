"""A connection to Redis, and a response of it, that is there in time, or given up.

* Each step of connecting has a limit of its own, but for the first: name resolution takes as long as it
  likes, and a name may stand for many addresses. So it is done in a thread, which nobody waits for too long.
* Each read has a limit of its own, too, and a response that comes byte by byte would have none: so it has
  one as a whole.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any


def timely(connection_class: Any, seconds: float) -> Any:
    """Return a class of the package ``redis`` whose connections are made, and respond, within *seconds*."""

    class TimelyConnection(connection_class):  # type: ignore[misc]
        def _connect(self) -> Any:
            return _TimelySocket(_Attempt(super()._connect).socket_within(seconds), seconds)

    return TimelyConnection


class _TimelySocket:
    """A socket from which a response is read for so long, and no longer.

    :param made: the socket; has a limit for each read.
    """

    def __init__(self, made: Any, seconds: float) -> None:
        self._socket = made
        self._seconds = seconds
        self._until = math.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendall(self, data: bytes) -> None:
        """Send a command, to which a response is due."""
        self._until = time.monotonic() + self._seconds
        self._socket.sendall(data)

    def recv(self, size: int) -> Any:
        """Read, as the pure parser does."""
        self._check()
        return self._socket.recv(size)

    def recv_into(self, buffer: Any) -> Any:
        """Read, as hiredis does."""
        self._check()
        return self._socket.recv_into(buffer)

    def _check(self) -> None:
        # Without waiting it is looked whether an idle connection is still there: then no response is due.
        if self._socket.gettimeout() and time.monotonic() > self._until:
            raise TimeoutError("no response in time")


class _Attempt:
    """One try to connect. A socket that comes too late is closed by whoever takes it out of the queue.

    :param connect: returns a socket.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._outcomes: SimpleQueue[Any] = SimpleQueue()
        self._given_up = False

    def socket_within(self, seconds: float) -> Any:
        """Return the socket.

        :raises OSError: when there is none in time.
        """
        try:
            threading.Thread(target=self._run, name="oauth2-redis", daemon=True).start()
        except RuntimeError:  # is all that Python says of it
            raise OSError("this process can begin no more threads") from None
        try:
            outcome = self._outcomes.get(timeout=seconds)
        except BaseException as error:  # a task's timeout, too
            self._given_up = True
            self._close_late()
            if isinstance(error, Empty):
                raise TimeoutError("no connection in time") from None
            raise
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _run(self) -> None:
        try:
            self._outcomes.put(self._connect())
        except BaseException as error:
            self._outcomes.put(error)
        if self._given_up:
            self._close_late()

    def _close_late(self) -> None:
        with suppress(Empty):
            late = self._outcomes.get_nowait()
            if not isinstance(late, BaseException):
                late.close()
