from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.transport.network_options import NetworkOptions
from tests.support.servers.scripted import CloseNow, Json
from tests.support.service import Service


def run(service: Service, main: Callable[[OAuth2AsyncSession], Awaitable[Any]], **options: Any) -> Any:
    async def within() -> Any:
        client = OAuth2Client("my_api", service.connection())
        network = NetworkOptions(ssl.create_default_context())
        async with OAuth2AsyncSession(BearerAuth(client), lambda: network, **options) as session:
            return await main(session)

    return asyncio.run(within())


def test_a_call_is_entered_or_awaited(service: Service) -> None:
    async def main(session: OAuth2AsyncSession) -> list[str]:
        async with session.request("GET", "x") as response:
            entered = (await response.json())["authorization"]
        response = await session.request("GET", "x")
        return [entered, (await response.json())["authorization"]]

    assert run(service, main) == ["Bearer tok-1", "Bearer tok-1"]
    assert {request.connection for request in service.calls} == {service.calls[0].connection}


def test_a_refused_token_is_renewed(service: Service) -> None:
    service.dead = {"tok-1"}

    async def main(session: OAuth2AsyncSession) -> Any:
        async with session.request("POST", "x", json={"a": 1}) as response:
            return await response.json()

    response = run(service, main)
    assert (response["authorization"], response["body"]) == ("Bearer tok-2", '{"a": 1}')


def test_closed_it_opens_again(service: Service) -> None:
    async def main(session: OAuth2AsyncSession) -> int:
        for _ in range(2):
            async with session.request("GET", "x") as response:
                await response.read()
            await session.close()
        return len({request.connection for request in service.calls})

    assert run(service, main) == 2


def test_cookies_are_kept_between_calls_where_they_shall(service: Service) -> None:
    service.api = lambda _: Json({}, headers=[("Set-Cookie", "seen=1")])

    async def main(session: OAuth2AsyncSession) -> None:
        for _ in range(2):
            async with session.request("GET", "x"):
                pass

    for keep, cookie in ((True, "seen=1"), (False, None)):
        service.server.requests.clear()
        run(service, main, keep_cookies=keep)
        assert service.calls[-1].header("Cookie") == cookie


def test_errors_are_typed(service: Service) -> None:
    async def elsewhere(session: OAuth2AsyncSession) -> None:
        await session.request("GET", "https://elsewhere.example")

    async def gone(session: OAuth2AsyncSession) -> None:
        await session.request("GET", "x")

    with pytest.raises(ConfigurationError):
        run(service, elsewhere)
    assert service.server.requests == []
    service.api = lambda _: CloseNow()
    with pytest.raises(TransportError) as caught:
        run(service, gone)
    assert caught.value.conn_id == "my_api"
