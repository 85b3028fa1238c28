"""A session of aiohttp with the middleware of the connection ``my_api``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from airflow_oauth_provider.adapters.aiohttp import oauth2_middleware


def run(work: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> Any:
    """Do *work* with one, in an event loop of its own."""

    async def session() -> Any:
        async with aiohttp.ClientSession(middlewares=(oauth2_middleware("my_api"),)) as session:
            return await work(session)

    return asyncio.run(session())
