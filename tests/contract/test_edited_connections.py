"""A connection that is edited while a call is under way: its new token goes where it says now, only.

A call reads the connection again before it asks for another token. That may be one of another client, for
another API: a test system's connection that becomes the one of production.
"""

from __future__ import annotations

import asyncio
import gc
from functools import partial
from typing import Any

import pytest
import requests

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.manager import shared
from tests.support.libraries import LIBRARIES
from tests.support.servers.scripted import (
    Json,
    RecordedRequest,
    Redirect,
    ScriptedResponse,
    ScriptedServer,
    token_json,
)
from tests.support.service import Service, echo
from tests.support.sides import Coroutines, Threads

OWN = ("OAuth2Auth", "session", "run", "arun")


def caller(kind: str) -> tuple[Any, Any]:
    """Return a function that makes one call after another, and one that ends it."""
    if kind == "OAuth2Auth":
        auth = OAuth2Auth("my_api")
        return lambda url: requests.get(url, auth=auth, timeout=30).text, lambda: None
    hook = OAuth2Hook("my_api", method="GET")
    if kind == "session":
        session = hook.get_conn()
        return lambda url: session.get(url).text, session.close
    side = Coroutines() if kind == "arun" else Threads()
    return lambda url: side.run(hook, url).text, side.close


def once(kind: str, url: str) -> str:
    call, close = caller(kind)
    try:
        return str(call(url))
    finally:
        close()


CALLS: dict[str, Any] = {
    **{kind: partial(once, kind) for kind in OWN},
    **{
        name: lambda url, library=library: library.call(
            library.adapter("my_api"), "GET", url, follow=True
        ).content.decode()
        for name, library in LIBRARIES.items()
    },
}


@pytest.fixture(params=list(CALLS.values()), ids=list(CALLS))
def call(request: pytest.FixtureRequest, service: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    return request.param


def edit(service: Service, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    environment = service.environment(password="of-another-client", **changes)
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", environment)


def test_a_replay_goes_nowhere_else(call: Any, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: RecordedRequest) -> ScriptedResponse:
        edit(service, monkeypatch, base_url="https://api.example/moved")
        return Json({}, 401)

    service.api = refused
    with pytest.raises(ConfigurationError, match="may not go to") as raised:
        call(f"{service.base_url}/x")
    assert raised.value.conn_id == "my_api"
    assert [request.header("Authorization") for request in service.calls] == ["Bearer tok-1"]


def test_nor_does_a_redirect_behind_it(call: Any, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """To an origin that was allowed before."""
    with ScriptedServer() as allowed_before:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(allowed_origins=[allowed_before.url]))

        def api(request: RecordedRequest) -> ScriptedResponse:
            if request.header("Authorization") == "Bearer tok-1":
                edit(service, monkeypatch)
                return Json({}, 401)
            return Redirect(f"{allowed_before.url}/x")

        service.api = api
        with pytest.raises(ConfigurationError, match="may not go to"):
            call(f"{service.base_url}/x")
        assert allowed_before.requests == []
    gc.collect()  # a connection that was left open would complain now


def test_where_it_still_may_go_it_goes(call: Any, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def api(request: RecordedRequest) -> ScriptedResponse:
        if request.header("Authorization") == "Bearer tok-1":
            edit(service, monkeypatch)
            return Json({}, 401)
        return echo(request)

    service.api = api
    assert '"Bearer tok-2"' in call(f"{service.base_url}/x")


def end_token(service: Service) -> None:
    """Let the token in memory be of no use any more."""
    slot = shared.slots.of(service.settings())
    with slot.lock:
        slot.empty()


@pytest.mark.parametrize("kind", OWN)
def test_a_later_call_goes_nowhere_else_either(
    service: Service, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its token has ended, and so it reads the connection again."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    call, close = caller(kind)
    call(f"{service.base_url}/x")
    edit(service, monkeypatch, base_url="https://api.example/moved")
    end_token(service)
    with pytest.raises(ConfigurationError, match=r"may not go( to|:)") as raised:
        call(f"{service.base_url}/x")
    close()
    assert raised.value.conn_id == "my_api"
    assert len(service.calls) == 1


@pytest.mark.parametrize("kind", ["run", "arun"])
def test_a_path_is_one_of_the_api_that_the_connection_names_now(
    service: Service, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    call, close = caller(kind)
    call("x")
    edit(service, monkeypatch, base_url=f"{service.server.url}/moved", api_headers={"X-Own": "new"})
    end_token(service)
    call("x")
    close()
    sent = [
        (request.target, request.header("Authorization"), request.header("X-Own"))
        for request in service.calls
    ]
    assert sent == [("/api/x", "Bearer tok-1", None), ("/moved/x", "Bearer tok-2", "new")]


def test_a_header_by_another_name_is_not_sent_again(
    call: Any, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(header_name="X-Access-Token"))

    def api(request: RecordedRequest) -> ScriptedResponse:
        if request.header("X-Access-Token") == "tok-1":
            edit(service, monkeypatch)
            return Json({}, 401)
        return echo(request)

    service.api = api
    assert '"Bearer tok-2"' in call(f"{service.base_url}/x")
    assert service.calls[-1].header("X-Access-Token") is None


def test_no_coroutine_takes_the_token_of_before_to_the_new_api(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others go on between the moment when the connection has been read and that when its token is there."""
    service.token = lambda request: token_json(f"token-for-{request.form['audience'][0]}")
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(audience="one"))

    async def all_at_once(another_api: ScriptedServer) -> None:
        hook = OAuth2Hook("my_api", method="GET")

        async def calling() -> None:
            while len(another_api.requests) < 200:
                await hook.arun("x")

        await hook.arun("x")
        callers = [asyncio.create_task(calling()) for _ in range(40)]
        for _ in range(5):
            await hook.arun("x")
        edit(service, monkeypatch, base_url=another_api.url, audience="another")
        await hook.aget_token(force=True)
        await asyncio.gather(*callers)

    with ScriptedServer() as another_api:
        another_api.script(Json({}))
        monkeypatch.setattr("airflow_oauth_provider.client.reading.FRESH_READ", -1.0)
        asyncio.run(all_at_once(another_api))
        sent = {request.header("Authorization") for request in another_api.requests}
    assert sent == {"Bearer token-for-another"}
    assert {request.header("Authorization") for request in service.calls} == {"Bearer token-for-one"}
