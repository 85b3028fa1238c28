"""A call of an asynchronous session, which aiohttp's users await or enter."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

import aiohttp


class PendingResponse:
    """A call that is made when it is awaited, or entered with ``async with``."""

    def __init__(self, call: Coroutine[Any, Any, aiohttp.ClientResponse]) -> None:
        self._call = call
        self._response: aiohttp.ClientResponse | None = None

    def __await__(self) -> Generator[Any, None, aiohttp.ClientResponse]:
        return self._call.__await__()

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._response = await self._call
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.release()
            await self._response.wait_for_close()
