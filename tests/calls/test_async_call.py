"""One call on aiohttp: what it keeps of responses on the way, and what it leaves behind when it fails."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.async_call import AsyncCall
from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, TransportError
from airflow_oauth_provider.transport.network_options import NetworkOptions
from tests.support.leaks import leaks
from tests.support.servers.scripted import CloseNow, Delay, Json, Raw, Text
from tests.support.service import Service, echo


def run(service: Service, main: Callable[[OAuth2AsyncSession], Awaitable[Any]], **options: Any) -> Any:
    """Run *main* with a session in a loop of its own."""

    async def within() -> Any:
        client = OAuth2Client("my_api", service.connection())
        network = NetworkOptions(ssl.create_default_context())
        async with OAuth2AsyncSession(BearerAuth(client), lambda: network, **options) as session:
            return await main(session)

    result = asyncio.run(within())
    gc.collect()  # an unclosed connection would complain now
    return result


def fetch(service: Service, method: str = "GET", endpoint: str = "x", **arguments: Any) -> Any:
    limit = arguments.pop("limit", None)

    async def main(session: OAuth2AsyncSession) -> Any:
        return await AsyncCall(session, read=True, limit=limit).make(method, endpoint, arguments)

    return run(service, main)


def test_the_history_has_what_came_on_the_way(service: Service) -> None:
    service.dead = {"tok-1"}
    hops = {"/api/x": Text(302, headers=[("Location", "/api/y")])}
    service.api = lambda request: hops.get(request.target) or echo(request)
    response = fetch(service)
    assert [(earlier.status_code, earlier.url) for earlier in response.history] == [
        (401, f"{service.base_url}/x"),
        (302, f"{service.base_url}/x"),
    ]
    assert response.json()["authorization"] == "Bearer tok-2"
    assert response.seconds > 0


def test_the_limit_of_a_call_ends_with_it(service: Service) -> None:
    """The next one has the same connection."""
    service.api = lambda request: Delay(0.5, Json({})) if request.target == "/api/slow" else Json({})

    async def main(session: OAuth2AsyncSession) -> list[int]:
        endpoints = {"quick": 0.3, "slow": 5.0}
        return [
            (await session.fetch("GET", endpoint, {"timeout": seconds})).status_code
            for endpoint, seconds in endpoints.items()
        ]

    assert run(service, main) == [200, 200]
    assert service.server.connections == 2, "one for the token"


def test_what_is_wrong_before_the_session_is_open_is_said(service: Service) -> None:
    async def main() -> None:
        def missing() -> NetworkOptions:
            raise ConfigurationError("names /missing", field="verify")

        client = OAuth2Client("my_api", service.connection())
        async with OAuth2AsyncSession(BearerAuth(client), missing) as session:
            with pytest.raises(ConfigurationError, match="names /missing"):
                await session.fetch("GET", "x", {})

    asyncio.run(main())


def test_a_request_that_can_be_built_after_all_gets_its_token(service: Service) -> None:
    """A moment ago it could not be: the connection has been edited meanwhile."""

    async def main(session: OAuth2AsyncSession) -> Any:
        async def none(_: Any) -> None:
            return None

        session.auth.client.afirst_token = none  # type: ignore[method-assign, assignment]
        return await session.fetch("GET", "x", {})

    assert run(service, main).json()["authorization"] == "Bearer tok-1"


def test_a_call_that_goes_straight_has_no_history(service: Service) -> None:
    assert fetch(service).history == []


@pytest.mark.parametrize(("limit", "content"), [(None, b"12345"), (5, b"12345"), (4, None)])
def test_a_body_up_to_the_limit(service: Service, limit: int | None, content: bytes | None) -> None:
    service.api = lambda _: Text(200, "12345")
    assert fetch(service, limit=limit).content == content


def test_a_200_is_noted_once_per_token_and_origin(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted_at: list[str] = []
    accepted = BearerAuth.note_accepted

    def count(auth: BearerAuth, token: Any, url: str) -> None:
        accepted_at.append(url)
        accepted(auth, token, url)

    monkeypatch.setattr(BearerAuth, "note_accepted", count)
    fetch(service)
    assert accepted_at == [f"{service.base_url}/x"]
    service.api = lambda _: Json({}, 404)
    fetch(service)
    assert len(accepted_at) == 1, "a refusal accepts nothing"


class TestFailures:
    """Whatever comes up is an error of this package, and no frame of it holds the token."""

    def failed(self, service: Service, **arguments: Any) -> OAuthError:
        with pytest.raises(OAuthError) as caught:
            fetch(service, **arguments)
        assert caught.value.conn_id == "my_api"
        assert caught.value.__context__ is None
        return caught.value

    def test_of_the_network(self, service: Service) -> None:
        service.api = lambda _: CloseNow()
        error = self.failed(service)
        assert isinstance(error, TransportError)
        assert leaks(error, "tok-1", "a-client-secret") == []

    def test_of_a_body_that_is_cut(self, service: Service) -> None:
        cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
        service.api = lambda _: Raw(cut)
        assert isinstance(self.failed(service), TransportError)

    def test_of_the_callers_own_code(self, service: Service) -> None:
        async def body() -> Any:
            yield b"1"
            raise LookupError("may hold anything")

        error = self.failed(service, method="POST", data=body())
        assert isinstance(error, ConfigurationError)
        assert error.field == "data"
        assert "LookupError" in str(error)
        assert "may hold anything" not in str(error)

    def test_of_an_address_elsewhere_nothing_is_sent(self, service: Service) -> None:
        error = self.failed(service, endpoint="https://elsewhere.example/x")
        assert isinstance(error, ConfigurationError)
        assert service.server.requests == []

    def test_a_redirect_that_must_not_be_followed_closes_its_response(self, service: Service) -> None:
        service.api = lambda _: Text(307, headers=[("Location", "https://elsewhere.example/")])
        assert "redirect" in str(self.failed(service, method="POST", data="body"))
