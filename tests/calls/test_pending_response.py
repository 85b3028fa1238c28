from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from airflow_oauth_provider.calls import pending_response
from tests.support.servers.scripted import ScriptedServer, Text

(KIND,) = (
    value
    for value in vars(pending_response).values()
    if isinstance(value, type) and value.__module__ == pending_response.__name__
)


def test_the_call_is_made_when_it_is_awaited_or_entered(scripted: ScriptedServer) -> None:
    scripted.script(Text(body="x"))

    async def main() -> list[str]:
        async with aiohttp.ClientSession() as session:

            async def call() -> Any:
                return await session.get(scripted.url)

            pending = KIND(call())
            assert scripted.requests == []
            async with pending as response:
                entered = await response.text()
            assert response.closed
            async with KIND(call()) as response:
                pass  # not read: the connection is not left behind
            awaited = await (await KIND(call())).text()
            return [entered, awaited]

    assert asyncio.run(main()) == ["x", "x"]
    assert len(scripted.requests) == 3
