"""A session that stays open between calls, and closes itself when none come any more.

Coroutines have no end of a ``with`` block to close it at: a caller of five calls needs one connection, and
no "Unclosed client session".

Rules:

* A task, the closer, closes the session when :data:`IDLE` seconds pass without a call, and when the loop
  ends, which cancels it. A task that is cancelled before its first step does nothing at all: so no session
  is opened before the closer runs (``before_opening``).
* A call that outlives :meth:`KeepAliveSession.close` may open the session anew; the last one closes it.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession

IDLE = 5.0
"""Seconds after which it closes itself."""


class KeepAliveSession:
    """Lends one open session to the calls of an event loop.

    :param session: of one event loop.
    :param before: one whose connection has been edited meanwhile: calls under way still use it.
    """

    def __init__(self, session: OAuth2AsyncSession, before: KeepAliveSession | None = None) -> None:
        self.session = session
        self._before = before if before is not None and not before.is_closed else None
        self._calls = 0
        self._used_at = 0.0
        self._closer: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self.is_closed: bool = False
        session.before_opening = self._begun.wait

    def enter(self) -> None:
        """Begin a call."""
        self._calls += 1
        if self._closer is None:
            self._closer = asyncio.get_running_loop().create_task(self._close_when_idle())
            self._closer.add_done_callback(lambda _: self._begun.set())

    def leave(self) -> bool:
        """End a call; return whether the caller must close the session, since nobody else will."""
        self._calls -= 1
        if self._calls:
            return False
        self._used_at = monotonic()
        return self.is_closed

    async def close(self) -> None:
        """Close it now; one who is cancelled meanwhile finishes that first, which waits for nobody."""
        self.is_closed = True
        closer, cancelled = self._closer, None
        if closer is not None:
            closer.cancel()
        while closer is not None and not closer.done():
            try:
                # Not `await closer`, since its end would look like a cancellation of the caller who closes.
                await asyncio.wait([closer])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def _close_when_idle(self) -> None:
        self._begun.set()
        try:
            left = IDLE
            while left > 0:
                await asyncio.sleep(left)
                left = IDLE if self._calls else self._used_at + IDLE - monotonic()
        finally:  # also when the loop ends, which cancels this task
            self.is_closed = True
            await self.session.close()
            if self._before is not None:
                await self._before.close()
