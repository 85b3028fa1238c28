"""Limits on the responses of aiohttp, whose own count from one received byte to the next.

Rules:

* The head of a response must be complete within the seconds that its call allows for reading, counted from
  when the request has been sent. Informational responses and single bytes do not prolong that.
* While a body is sent, each of its pieces begins the count anew: a slow upload is no fault, a server that has
  stopped reading is.
* The wait for a free connection does not count.
* A body, with what follows it (RFC 9112 §7.1.2), is read by :func:`read_body`, which allows the same seconds
  from one piece to the next.
* Calls of one duration come to their deadlines in the order in which they begin: so one timer of the event
  loop serves them all (:class:`HeadTimers`). A timer for each call would take a twentieth of its time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar
from time import monotonic
from typing import Any

import aiohttp
from aiohttp import ClientResponse

_current: ContextVar[HeadTimer | None] = ContextVar("oauth2_head_timer", default=None)


class HeadTimers:
    """The timers of the calls under way in one event loop."""

    def __init__(self) -> None:
        self._queues: dict[float, _Queue] = {}

    def begin(self, seconds: float | None) -> HeadTimer:
        """Return the timer of a call that begins in the running task.

        :param seconds: for the head of its response; ``None`` for no limit.
        """
        if seconds is None:
            queue = None
        else:
            queue = self._queues.get(seconds) or self._queues.setdefault(seconds, _Queue(seconds))
        timer = HeadTimer(queue)
        _current.set(timer)
        return timer

    def close(self) -> None:
        """End all of them."""
        for queue in self._queues.values():
            queue.close()


class HeadTimer:
    """Ends the wait for the head of one response."""

    __slots__ = ("_queue", "_sends_body", "ends_at", "protocol")

    def __init__(self, queue: _Queue | None) -> None:
        self._queue = queue
        self._sends_body = False
        self.protocol: Any = None
        self.ends_at = 0.0
        """Monotonic seconds; 0 where it does not count."""

    def sending(self) -> None:
        """Begin the count anew: the next piece of the body is handed over."""
        self._sends_body = True
        if self._queue is not None:
            self._queue.add(self)

    def sent(self, protocol: Any) -> None:
        """Begin the count: the request is on its way."""
        self.protocol = protocol
        if self._queue is not None and not self._sends_body:
            self._queue.add(self)

    def stop(self) -> None:
        """End the count."""
        self.ends_at = 0.0
        self._queue = self.protocol = None


class _Queue:
    """Timers of one duration, each with the time at which it ends, the earliest first."""

    __slots__ = ("_entries", "_handle", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: deque[tuple[float, HeadTimer]] = deque()
        self._handle: asyncio.TimerHandle | None = None

    def add(self, timer: HeadTimer) -> None:
        timer.ends_at = ends_at = monotonic() + self._seconds
        entries = self._entries
        entries.append((ends_at, timer))
        while entries[0][0] != entries[0][1].ends_at:  # it has been stopped, or begun anew
            entries.popleft()
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def close(self) -> None:
        self._entries.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _expire(self) -> None:
        entries, now = self._entries, monotonic()
        while entries and (entries[0][0] <= now or entries[0][0] != entries[0][1].ends_at):
            ends_at, timer = entries.popleft()
            if ends_at == timer.ends_at and timer.protocol is not None:
                timer.protocol.set_exception(
                    aiohttp.ServerTimeoutError("the head of the response took too long")
                )
        self._handle = None
        if entries:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(max(0.0, entries[0][0] - now), self._expire)


class TimedResponse(ClientResponse):
    """A response whose head must come in time."""

    def start(self, connection: Any) -> Any:
        """Wait for the head; called when the request has been handed to the connection."""
        timer = _current.get()
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
    announced = 0 if limit is None or response.method == "HEAD" else response.content_length or 0
    body = b"" if limit is not None and announced > limit else await _read(response, limit, seconds)
    if limit is not None and max(len(body), announced) > limit:
        response.close()
        return None
    return body


async def read_beginning(response: ClientResponse, *, limit: int, seconds: float | None) -> bytes:
    """Return the body; of a large one the beginning, and its connection is closed.

    :param limit: bytes.
    :param seconds: as of :func:`read_body`.
    :raises TimeoutError: when one piece takes longer.
    """
    body = await _read(response, limit, seconds)
    if len(body) > limit:
        response.close()
    return body[:limit]


async def _read(response: ClientResponse, limit: int | None, seconds: float | None) -> bytes:
    """Return the body; of one that is larger than *limit* a little more than that."""
    content, pieces, size = response.content, [], 0
    while not content.at_eof() and (limit is None or size <= limit):
        if content.is_eof():  # most bodies are there, as a whole, when their head is
            piece = content.read_nowait()
        else:
            async with asyncio.timeout(seconds):
                piece = await content.readany()
        pieces.append(piece)
        size += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
