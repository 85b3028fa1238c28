from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
import requests

from airflow_oauth_provider.calls.call_flow import Credential
from airflow_oauth_provider.calls.response import (
    MAX_INTERMEDIATE,
    ReadResponse,
    adrain,
    async_head_of,
    credential_of,
    drain,
    head_of,
    note_credential,
)
from tests.support.servers.scripted import Endless, ScriptedServer, Text

LARGE = b"x" * (MAX_INTERMEDIATE + 1)
ENDLESS = Endless(
    b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
)


def test_it_is_one_of_requests_made_as_far_as_it_is_asked_for() -> None:
    pairs = [("Content-Type", "text/plain; charset=latin-1"), ("X-A", "1"), ("x-a", "2")]
    response = ReadResponse(404, None, "https://api.example/x", pairs, "ä".encode("latin-1"))
    assert isinstance(response, requests.Response)
    assert (response.text, response.reason, response.headers["X-A"]) == ("ä", "", "1, 2")
    assert not response.ok
    with pytest.raises(requests.HTTPError):
        response.raise_for_status()


def test_what_is_noted_beside_a_response() -> None:
    response = requests.Response()
    assert credential_of(response) is None
    note_credential(response, Credential(new=True, refusal_remembered=False))
    assert credential_of(response) == Credential(new=True, refusal_remembered=False)


def test_heads_of_both_libraries_are_the_same(scripted: ScriptedServer) -> None:
    headers = [("WWW-Authenticate", "Basic"), ("WWW-Authenticate", "Bearer"), ("Location", "/y")]
    scripted.script(Text(401, "x", "", headers))
    ours = head_of(requests.get(scripted.url, timeout=30))

    async def other() -> Any:
        async with aiohttp.ClientSession() as session, session.get(scripted.url) as response:
            return async_head_of(response)

    assert ours == asyncio.run(other())
    assert (ours.status, ours.location, ours.challenges) == (401, "/y", ("Basic", "Bearer"))


@pytest.mark.fault("F03")
@pytest.mark.parametrize("refusal", [Text(401, LARGE), ENDLESS], ids=["large", "endless"])
def test_a_large_response_on_the_way_is_closed(scripted: ScriptedServer, refusal: Any) -> None:
    scripted.script(refusal)
    response = requests.get(scripted.url, stream=True, timeout=30)
    drain(response)
    assert response.content == b""

    async def other() -> tuple[bytes, bool]:
        async with aiohttp.ClientSession() as session:
            response = await session.get(scripted.url)
            return await adrain(response), response.closed

    assert asyncio.run(other()) == (b"", True)


def test_of_a_small_one_the_connection_is_used_again(scripted: ScriptedServer) -> None:
    scripted.script(Text(401, "small"))
    with requests.Session() as session:
        for _ in range(3):
            response = session.get(scripted.url, stream=True, timeout=30)
            drain(response)
            assert response.text == "small"
    assert scripted.connections == 1
