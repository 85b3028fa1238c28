"""Redirects and bodies of aiohttp; what holds for all libraries stands in ``tests/contract``."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.aiohttp_sessions import run
from tests.support.servers.scripted import Redirect, ScriptedServer, Text
from tests.support.service import Service, echo

pytestmark = pytest.mark.usefixtures("my_api")


def test_a_redirect_of_one_call_lets_no_other_go_elsewhere(service: Service) -> None:
    """One that was not followed, and a call of the same task by the same session."""
    with ScriptedServer() as other:
        service.api = lambda request: (
            Redirect(f"{other.url}/x") if request.target == "/api/x" else echo(request)
        )

        async def work(session: aiohttp.ClientSession) -> None:
            async with session.get(f"{service.base_url}/x", allow_redirects=False) as response:
                assert response.status == 302
            for address in (f"{other.url}/y", f"{other.url}/x"):
                with pytest.raises(ConfigurationError, match="may not go to"):
                    await session.get(address)

        run(work)
        assert other.requests == []


@pytest.mark.parametrize("header", ["Location", "URI"])
def test_what_has_left_does_not_come_back_with_the_token(service: Service, header: str) -> None:
    """aiohttp follows the header URI as it does Location."""
    with ScriptedServer() as other:
        first, back = ([(header, f"{url}/y")] for url in (other.url, service.base_url))
        service.api = lambda request: (
            Text(302, headers=first) if request.target == "/api/x" else echo(request)
        )
        other.script(Text(302, headers=back))

        async def work(session: aiohttp.ClientSession) -> Any:
            async with session.get(f"{service.base_url}/x") as response:
                return await response.json()

        assert run(work)["authorization"] is None
        assert other.requests[0].header("Authorization") is None


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_body_that_is_looked_into_can_be_streamed(
    service: Service, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(dead_when="$.code in 601"))
    service.api = lambda _: Text(200, b"x" * size)

    async def work(session: aiohttp.ClientSession) -> bytes:
        async with session.get(f"{service.base_url}/x") as response:
            return b"".join([piece async for piece in response.content.iter_chunked(1000)])

    assert run(work) == b"x" * size


def test_a_connection_is_used_again_after_a_refusal(service: Service) -> None:
    service.dead.add("tok-1")

    async def work(session: aiohttp.ClientSession) -> int:
        async with session.get(f"{service.base_url}/x") as response:
            return response.status

    assert run(work) == 200
    assert len({call.connection for call in service.calls}) == 1


def test_an_upload_that_is_refused_before_it_has_ended(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API answers when it has the head, and reads no more."""
    received: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"tok-1" in head:
            writer.write(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            received.append(len(await reader.readexactly(8_000_000)))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def work(session: aiohttp.ClientSession) -> int:
        async with await asyncio.start_server(serve, "127.0.0.1") as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(base_url=url))
            async with session.post(f"{url}/x", data=io.BytesIO(b"x" * 8_000_000)) as response:
                return response.status

    assert (run(work), received) == (200, [8_000_000])
