"""A session that stays open between calls, and closes itself when none come any more.

Coroutines have no end of a ``with`` block to close it at: whoever calls an API five times wants one
connection, and nobody wants "Unclosed client session".
"""

from __future__ import annotations

import asyncio

from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession

IDLE = 5.0
"""Seconds after which it closes itself."""


class KeptSession:
    """See the module; ``with`` it is given the session for one call.

    :param session: of one event loop.
    :param before: one whose connection has been edited meanwhile: calls under way still use it.
    """

    def __init__(self, session: OAuth2AsyncSession, before: KeptSession | None = None) -> None:
        self._session = session
        self._before = before
        self._loop = asyncio.get_running_loop()
        self._calls = 0
        self._used_at = 0.0
        self._closer: asyncio.Task[None] | None = None

    def __enter__(self) -> OAuth2AsyncSession:
        self._calls += 1
        if self._closer is None:
            self._closer = self._loop.create_task(self._close_when_idle())
        return self._session

    def __exit__(self, *_: object) -> None:
        self._calls -= 1
        self._used_at = self._loop.time()

    @property
    def outdated(self) -> bool:
        """Whether the connection has been edited since it was opened."""
        return self._session.outdated

    async def close(self) -> None:
        """Close it now; one who is cancelled meanwhile finishes that first, which waits for nobody."""
        closer, cancelled = self._closer, None
        if closer is not None:
            closer.cancel()
        while closer is not None and not closer.done():
            try:
                # Not `await closer`, whose end could not be told from a cancellation of the one who closes.
                await asyncio.wait([closer])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def _close_when_idle(self) -> None:
        try:
            left = IDLE
            while left > 0:
                await asyncio.sleep(left)
                left = IDLE if self._calls else self._used_at + IDLE - self._loop.time()
        finally:  # also when the loop ends, which cancels this task
            self._closer = None
            await self._session.close()
            if self._before is not None:
                await self._before.close()
