"""Where the page waits for token servers: threads of its own, a few at a time.

Airflow serves its whole API from one event loop and a small pool of threads. A token server that
does not respond must hold up neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 4
"""Token servers that are asked at once, by one process of Airflow's API server."""
MAX_WAITING = 20
"""People who may wait besides; nobody waits longer than five requests take."""

_Result = TypeVar("_Result")


class BusyError(Exception):
    """Too many are waiting already."""


class Waiting:
    """Run what waits for servers."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="oauth2-page")
        self._waiting = 0

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Return what *work* returns.

        :raises BusyError: when too many wait; nothing has been done then.
        """
        if self._waiting >= AT_ONCE + MAX_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
