"""Limits on the responses of aiohttp, whose own count from one received byte to the next.

Rules:

* The head of a response must be complete within the seconds that its call allows for reading, counted from
  when the request has been sent. Informational responses and single bytes do not prolong that.
* While a body is sent, each of its pieces begins the count anew: a slow upload is no fault, a server that has
  stopped reading is.
* The wait for a free connection does not count.
* A body, with what follows it (RFC 9112 §7.1.2), is read by :func:`read_body`, which allows the same seconds
  from one piece to the next.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp import ClientResponse

_timer: ContextVar[HeadTimer | None] = ContextVar("oauth2_head_timer", default=None)


class HeadTimer:
    """Ends the wait for the head of one response.

    :param seconds: ``None`` for no limit.
    """

    __slots__ = ("_handle", "_protocol", "_seconds", "_sending")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._sending = False
        self._protocol: Any = None
        self._handle: asyncio.TimerHandle | None = None
        _timer.set(self)

    def sending(self) -> None:
        """Begin the count anew: the next piece of the body is handed over."""
        self._sending = True
        self._restart()

    def sent(self, protocol: Any) -> None:
        """Begin the count: the request is on its way."""
        self._protocol = protocol
        if not self._sending:
            self._restart()

    def stop(self) -> None:
        """End the count."""
        self._seconds = self._protocol = None
        if self._handle is not None:
            self._handle.cancel()

    def _restart(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._seconds is not None:
            self._handle = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        if self._protocol is not None:
            self._protocol.set_exception(aiohttp.ServerTimeoutError("the head of the response took too long"))


class TimedResponse(ClientResponse):
    """A response whose head must come in time."""

    def start(self, connection: Any) -> Any:
        """Wait for the head; called when the request has been handed to the connection."""
        timer = _timer.get()
        if timer is not None:
            timer.sent(connection.protocol)
        return super().start(connection)


async def read_body(response: ClientResponse, *, limit: int | None, seconds: float | None) -> bytes | None:
    """Return the body.

    :param limit: bytes; of a larger body nothing is kept, its connection is closed, and the result is
        ``None``. ``None`` for any size.
    :param seconds: from one piece to the next, and from the last one to the end; ``None`` for no limit.
    :raises TimeoutError: when one takes longer.
    """
    content, pieces, size = response.content, [], 0
    announced = 0 if limit is None or response.method == "HEAD" else response.content_length or 0
    while not content.at_eof() and (limit is None or max(size, announced) <= limit):
        if content.is_eof():  # most bodies are there, as a whole, when their head is
            piece = content.read_nowait()
        else:
            async with asyncio.timeout(seconds):
                piece = await content.readany()
        pieces.append(piece)
        size += len(piece)
    if limit is not None and max(size, announced) > limit:
        response.close()
        return None
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
