"""A session that stays open between calls, and closes itself when none come any more.

Coroutines have no end of a ``with`` block to close it at: whoever calls an API five times wants one
connection, and nobody wants "Unclosed client session". A thousand coroutines that call at once take
turns here, before anything is prepared for them: waiting in aiohttp for one of its connections, each
with its whole call at hand, costs a tenth more.
"""

from __future__ import annotations

import asyncio

from airflow_oauth_provider.hooks.async_session import OAuth2AsyncSession
from airflow_oauth_provider.transport.connectors import CONNECTIONS_PER_HOST

IDLE = 5.0
"""Seconds after which it closes itself."""


class KeptSession:
    """See the module; ``async with`` it is given the session for one call, when its turn has come.

    :param session: of one event loop.
    """

    def __init__(self, session: OAuth2AsyncSession) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._turns = asyncio.Semaphore(CONNECTIONS_PER_HOST)
        self._calls = 0
        self._used_at = 0.0
        self._closer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> OAuth2AsyncSession:
        self._calls += 1
        if self._closer is None:
            self._closer = self._loop.create_task(self._close_when_idle())
        try:
            await self._turns.acquire()
        except asyncio.CancelledError:
            self._end_call()
            raise
        return self._session

    async def __aexit__(self, *_: object) -> None:
        self._turns.release()
        self._end_call()

    def _end_call(self) -> None:
        self._calls -= 1
        self._used_at = self._loop.time()

    async def close(self) -> None:
        """Close it now."""
        closer = self._closer
        if closer is not None:
            closer.cancel()
            # Not `await closer`, whose end could not be told from a cancellation of the one who closes.
            await asyncio.wait([closer])

    async def _close_when_idle(self) -> None:
        try:
            left = IDLE
            while left > 0:
                await asyncio.sleep(left)
                left = IDLE if self._calls else self._used_at + IDLE - self._loop.time()
        finally:  # also when the loop ends, which cancels this task
            self._closer = None
            await self._session.close()
