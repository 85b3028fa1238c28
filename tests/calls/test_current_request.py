"""The request that a call of coroutines hands to aiohttp: the first, and those that follow a response."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.transport.network_options import NetworkOptions
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedServer, Text
from tests.support.service import Service, echo


def fetch(service: Service, method: str = "GET", endpoint: str = "x", **arguments: Any) -> Any:
    """Make a call with a session that keeps no cookies, in a loop of its own."""

    async def within() -> Any:
        client = OAuth2Client("my_api", service.connection())
        network = NetworkOptions(ssl.create_default_context())
        async with OAuth2AsyncSession(BearerAuth(client), lambda: network, keep_cookies=False) as session:
            return await session.fetch(method, endpoint, arguments)

    return asyncio.run(within())


def test_a_cookie_of_a_hop_goes_with_the_next_and_not_elsewhere(
    service: Service, scripted: ScriptedServer
) -> None:
    cookie = [("Set-Cookie", "seen=1; Path=/")]

    def api(request: RecordedRequest) -> Any:
        target = request.target
        if target == "/api/x":
            return Text(302, headers=[("Location", "/api/y"), *cookie])
        return Text(302, headers=[("Location", f"{scripted.url}/file")])

    service.api = api
    scripted.script(Text(200, "the file"))
    assert fetch(service, cookies={"own": "2"}).text == "the file"
    first, second = service.calls
    assert first.header("Cookie") == "own=2"
    assert sorted((second.header("Cookie") or "").split("; ")) == ["own=2", "seen=1"]
    (elsewhere,) = scripted.requests
    assert elsewhere.header("Cookie") is None
    assert elsewhere.header("Authorization") is None


@pytest.mark.parametrize(("method", "type_"), [("POST", None), ("PUT", None), ("GET", None)])
def test_no_type_is_made_up_for_a_body_that_there_is_not(
    service: Service, method: str, type_: str | None
) -> None:
    fetch(service, method)
    assert service.calls[-1].header("Content-Type") == type_


def test_after_a_refusal_the_same_goes_with_the_new_token(service: Service) -> None:
    service.dead = {"tok-1"}
    response = fetch(service, "POST", json={"a": 1}, headers={"X-Own": "1"})
    assert (response.json()["body"], response.json()["authorization"]) == ('{"a": 1}', "Bearer tok-2")
    first, second = service.calls
    for request in (first, second):
        assert (request.header("X-Own"), request.header("Content-Type")) == ("1", "application/json")


def test_a_redirect_to_a_get_has_neither_body_nor_its_headers(service: Service) -> None:
    def api(request: RecordedRequest) -> Any:
        if request.target == "/api/x":
            return Json({}, 303, [("Location", "/api/y")])
        return echo(request)

    service.api = api
    response = fetch(service, "POST", json={"a": 1})
    assert (response.json()["method"], response.json()["body"]) == ("GET", "")
    assert service.calls[-1].header("Content-Type") is None
