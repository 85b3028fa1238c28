"""The retry policy over real errors of httpx, of its threads and of its coroutines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_oauth_provider.exceptions import InvalidClientError
from tests.support.ports import free_port
from tests.support.servers.certificate_cases import CA
from tests.support.servers.certificates import issue, server_context
from tests.support.servers.scripted import CloseNow, Delay, Json, Raw, Reset, ScriptedResponse, ScriptedServer

pytestmark = pytest.mark.airflow
policies = pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="from Airflow 3.3 on")
Get = Callable[..., None]
LATER = Json({}, 503, [("Retry-After", "120")])


def of_a_thread(url: str, **options: Any) -> None:
    httpx.get(url, **options).raise_for_status()


def of_a_coroutine(url: str, **options: Any) -> None:
    async def get() -> None:
        async with httpx.AsyncClient(**options) as client:
            (await client.get(url)).raise_for_status()

    asyncio.run(get())


@pytest.fixture(params=[of_a_thread, of_a_coroutine])
def get(request: pytest.FixtureRequest) -> Get:
    call: Get = request.param
    return call


def decision(error: BaseException) -> tuple[str, float | None]:
    """Return what the policy decides, and after how many seconds."""
    from airflow_oauth_provider.retry_policy import OAuth2RetryPolicy

    decided = OAuth2RetryPolicy().evaluate(error, 1, 3)
    delay: timedelta | None = decided.retry_delay
    return decided.action.name, None if delay is None else delay.total_seconds()


def raised(get: Get, url: str, **options: Any) -> httpx.HTTPError:
    with pytest.raises(httpx.HTTPError) as caught:
        get(url, **options)
    return caught.value


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(LATER, ("RETRY", 120.0), id="503-with-retry-after[L22]"),
        pytest.param(Json({}, 429), ("RETRY", None), id="429"),
        pytest.param(Json({}, 404), ("DEFAULT", None), id="404"),
        pytest.param(Json({}, 401), ("DEFAULT", None), id="401"),
        pytest.param(Delay(30, Json({})), ("RETRY", None), id="timeout"),
        pytest.param(CloseNow(), ("RETRY", None), id="no-response"),
        pytest.param(Reset(), ("RETRY", None), id="reset"),
        pytest.param(Raw(b"no HTTP\r\n\r\n"), ("DEFAULT", None), id="malformed"),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno"),
            ("DEFAULT", None),
            id="undecodable",
        ),
    ],
)
def test_a_response_or_none(get: Get, response: ScriptedResponse, expected: tuple[str, float | None]) -> None:
    with ScriptedServer() as server:
        server.script(lambda _: response)
        error = raised(get, server.url, timeout=0.3)
    assert decision(error) == expected


def test_nobody_listens(get: Get) -> None:
    assert decision(raised(get, f"http://127.0.0.1:{free_port()}")) == ("RETRY", None)


def test_a_certificate_that_does_not_verify_does_not_pass(get: Get, tmp_path: Path) -> None:
    with ScriptedServer(server_context(issue(CA), tmp_path)) as server:
        assert decision(raised(get, server.url)) == ("DEFAULT", None)


@pytest.mark.parametrize("kind", [httpx.ReadError, httpx.WriteError, httpx.ConnectError, httpx.PoolTimeout])
def test_one_of_the_network_without_a_cause_passes(kind: type[httpx.TransportError]) -> None:
    """As the event loops of others raise it."""
    assert decision(kind("x")) == ("RETRY", None)


@pytest.mark.parametrize(
    "kind", [httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.TooManyRedirects]
)
def test_one_of_the_callers_is_airflows(kind: type[httpx.RequestError]) -> None:
    assert decision(kind("x")) == ("DEFAULT", None)


def test_in_a_group_it_goes_before_a_permanent_one(get: Get) -> None:
    with ScriptedServer() as server:
        server.script(lambda _: LATER)
        temporary = raised(get, server.url)
    refused = InvalidClientError("no", status=401, error="invalid_client")
    assert decision(ExceptionGroup("both", [refused, temporary])) == ("RETRY", 120.0)


def test_the_policy_imports_it_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    assert decision(httpx.ReadError("x")) == ("DEFAULT", None)
