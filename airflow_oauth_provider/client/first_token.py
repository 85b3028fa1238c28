"""The first token of a connection, for all coroutines that call its API at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.async_single_flight import AsyncSingleFlight


class FirstToken:
    """One wait for the connection and its token, whatever the number of callers.

    :param read: reads the connection.
    :param get_token: gets a token.
    :param decides: whether the token decides where calls go, once the connection has been read: then a check
        that fails says little.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Any]],
        get_token: Callable[[], Awaitable[AccessToken]],
        decides: Callable[[], bool],
    ) -> None:
        self._read = read
        self._get_token = get_token
        self._decides = decides
        self._single_flight: AsyncSingleFlight[AccessToken | None] = AsyncSingleFlight()
        # Of each loop, the checks of those who wait.
        self._checks: dict[asyncio.AbstractEventLoop, deque[Callable[[], object]]] = {}

    def wait(self, check: Callable[[], object]) -> Awaitable[AccessToken | None]:
        """Wait for the token.

        No token is asked for before the check of one caller has passed; that of each decides about its own
        call only, when it is made.

        :param check: whether the caller's own call can be made; it may raise whatever it likes.
        :return: ``None`` when no caller's call can be made.
        :raises OAuthError: when no token can be acquired.
        """
        loop = asyncio.get_running_loop()
        checks = self._checks.get(loop)
        if checks is None:
            checks = self._checks[loop] = deque()
        checks.append(check)
        return self._single_flight.do("first", self._get, checks)

    async def _get(self, checks: deque[Callable[[], object]]) -> AccessToken | None:
        try:
            await self._read()
            while checks:
                if _passes(checks.popleft()):
                    return await self._get_token()
            return await self._get_token() if self._decides() else None
        finally:
            self._checks.pop(asyncio.get_running_loop(), None)


def _passes(check: Callable[[], object]) -> bool:
    try:
        check()
    except Exception:  # its caller will find out
        return False
    return True
