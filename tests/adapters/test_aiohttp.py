"""aiohttp; what holds for all HTTP libraries stands in ``tests/contract/test_libraries.py``."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
import pytest

from airflow_oauth_provider.adapters.aiohttp import oauth2_middleware
from tests.support.aiohttp_sessions import run
from tests.support.servers.scripted import Delay, token_json
from tests.support.service import Service

pytestmark = [pytest.mark.usefixtures("my_api"), pytest.mark.consumer("aiohttp")]


def test_a_file_is_sent_again_from_where_it_began(service: Service) -> None:
    service.dead.add("tok-1")

    async def work(session: aiohttp.ClientSession) -> Any:
        body = io.BytesIO(b"--contents")
        body.seek(2)
        async with session.post(f"{service.base_url}/x", data=body) as response:
            return await response.json()

    assert run(work)["body"] == "contents"
    assert [call.body for call in service.calls] == [b"contents"] * 2


def test_one_middleware_serves_many_coroutines_and_loops(service: Service) -> None:
    service.token = lambda _: Delay(0.1, token_json("tok-1"))
    middleware = oauth2_middleware("my_api")

    async def statuses() -> list[int]:
        async with aiohttp.ClientSession(middlewares=(middleware,)) as session:
            responses = await asyncio.gather(*(session.get(f"{service.base_url}/x") for _ in range(50)))
            return [response.status for response in responses]

    for _ in range(2):
        assert asyncio.run(statuses()) == [200] * 50
    assert len(service.token_requests) == 1
