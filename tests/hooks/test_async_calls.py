"""What a hook adds to a call that a coroutine makes: options, limits, sessions that stay open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError, TransportError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from airflow_oauth_provider.testing.server import OAuth2Server

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("api")]


Run = Callable[..., Any]


@pytest.fixture
def api(oauth2_server: OAuth2Server) -> ApiEndpoint:
    """The API of ``my_api``, which has every path."""
    oauth2_server.api.route("*")
    return oauth2_server.api


@pytest.fixture
def run(oauth2_connection: Connections, api: ApiEndpoint) -> Run:
    """Run work with a hook in a loop in which nothing may be left."""

    def run(work: Callable[[OAuth2Hook], Awaitable[Any]], **extra: Any) -> Any:
        async def alone() -> Any:
            hook = OAuth2Hook(oauth2_connection("my_api", **extra), method="GET")
            try:
                return await work(hook)
            finally:
                await hook.aclose()
                assert not hook._open_sessions
                assert asyncio.all_tasks() == {asyncio.current_task()}

        return asyncio.run(alone())

    return run


def test_calls_of_a_hook_share_one_connection(run: Run, api: ApiEndpoint) -> None:
    async def work(hook: OAuth2Hook) -> None:
        await hook.arun("a")
        await hook.arun("b", extra_options={"timeout": 5})

    run(work)
    assert len({call.connection for call in api.requests}) == 1


def test_options_of_the_network_have_a_session_of_their_own(run: Run, api: ApiEndpoint) -> None:
    async def work(hook: OAuth2Hook) -> None:
        await hook.arun("a")
        kept = hook._open_session()
        with pytest.raises(ConfigurationError, match="verify"):
            await hook.arun("b", extra_options={"verify": "/no/such/bundle.pem"})
        await hook.arun("c", extra_options={"verify": True})
        assert hook._open_session() is kept

    run(work)
    assert [call.target for call in api.requests] == ["/api/a", "/api/c"]


def test_a_stream_is_refused_before_anything_is_sent(
    run: Run, api: ApiEndpoint, oauth2_server: OAuth2Server
) -> None:
    async def work(hook: OAuth2Hook) -> None:
        await hook.arun("a", extra_options={"stream": True})

    with pytest.raises(ConfigurationError, match=r"arun\(\) reads the whole response") as caught:
        run(work)
    assert (caught.value.field, caught.value.conn_id) == ("extra_options", "my_api")
    assert oauth2_server.token_endpoint.requests == api.requests == []


@pytest.mark.parametrize("by_call", [True, False], ids=["call", "hook"])
def test_the_time_of_a_whole_call_is_limited(run: Run, api: ApiEndpoint, by_call: bool) -> None:
    api.delay(60)

    async def work(hook: OAuth2Hook) -> None:
        hook.total_timeout = 60.0 if by_call else 0.2
        await hook.arun("a", extra_options={"total_timeout": 0.2} if by_call else None)

    with pytest.raises(TransportError, match="the request timed out"):
        run(work)


def test_of_a_larger_body_nothing_is_kept(run: Run, api: ApiEndpoint) -> None:
    api.respond("x" * 2000, times=None)

    async def work(hook: OAuth2Hook) -> tuple[Any, Any]:
        cut = await hook.arun("a", max_body=1000)
        whole = await hook.arun("a", max_body=2000)
        return cut.content, whole.content

    assert run(work) == (None, b"x" * 2000)


def test_a_refusal_is_raised_unless_the_call_says_otherwise(run: Run, api: ApiEndpoint) -> None:
    api.respond({}, 404, times=None)

    async def work(hook: OAuth2Hook) -> int:
        with pytest.raises(ResourceError):
            await hook.arun("a")
        response = await hook.arun("a", extra_options={"check_response": False})
        return response.status_code

    assert run(work) == 404


def test_redirects_can_be_left_alone(run: Run, api: ApiEndpoint) -> None:
    api.respond("", 302, {"Location": "/api/elsewhere"}, times=None)

    async def work(hook: OAuth2Hook) -> int:
        options = {"allow_redirects": False, "check_response": False}
        return (await hook.arun("a", extra_options=options)).status_code

    assert run(work) == 302
    assert len(api.requests) == 1


def test_a_session_sends_its_headers_with_every_call(run: Run, api: ApiEndpoint) -> None:
    async def work(hook: OAuth2Hook) -> None:
        async with hook.asession(headers={"X-All": "1"}) as session:
            for endpoint in ("a", "b"):
                async with session.get(endpoint) as response:
                    await response.read()

    run(work)
    assert [call.headers["x-all"] for call in api.requests] == ["1", "1"]


def test_aread_reads_a_wrong_connection_without_a_request(
    run: Run, api: ApiEndpoint, oauth2_server: OAuth2Server
) -> None:
    async def work(hook: OAuth2Hook) -> None:
        await hook.aread()

    run(work)
    with pytest.raises(ConfigurationError) as caught:
        run(work, auth_method="Basic")
    assert caught.value.field == "auth_method"
    assert oauth2_server.token_endpoint.requests == api.requests == []


def test_two_loops_have_sessions_of_their_own(
    api: ApiEndpoint, oauth2_server: OAuth2Server, oauth2_connection: Connections
) -> None:
    hook = OAuth2Hook(oauth2_connection("my_api"), method="GET")

    async def call() -> None:
        await hook.arun("a")
        await hook.aclose()

    asyncio.run(call())
    asyncio.run(call())
    assert len({call.connection for call in api.requests}) == 2
    assert len(oauth2_server.token_endpoint.requests) == 1
