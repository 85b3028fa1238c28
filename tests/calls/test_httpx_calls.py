"""Bodies, redirects and transports of httpx; what holds for all libraries stands in ``tests/contract``."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_oauth_provider.adapters.httpx import OAuth2Auth
from airflow_oauth_provider.calls.httpx_calls import HttpxBody
from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.tokens.manager import shared
from tests.conftest import require_server
from tests.support.bound_tokens import SERVERS
from tests.support.libraries import CONTEXT
from tests.support.servers.certificates import issue, server_context
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.proxy import Proxy
from tests.support.servers.scripted import Redirect, ScriptedServer, Text
from tests.support.service import Service, echo


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    with httpx.Client(auth=OAuth2Auth("my_api"), base_url=service.base_url, verify=CONTEXT) as client:
        yield client


@pytest.mark.parametrize("dead_when", [None, "$.code in 601"])
def test_a_response_is_streamed(
    service: Service, monkeypatch: pytest.MonkeyPatch, dead_when: str | None
) -> None:
    """Also where its beginning is looked into."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(dead_when=dead_when))
    service.api = lambda _: Text(200, b"x" * 300_000)
    auth, url = OAuth2Auth("my_api"), f"{service.base_url}/x"

    async def pieces() -> list[bytes]:
        async with httpx.AsyncClient(auth=auth, verify=CONTEXT) as client, client.stream("GET", url) as got:
            return [piece async for piece in got.aiter_raw()]

    assert b"".join(asyncio.run(pieces())) == b"x" * 300_000
    with httpx.Client(auth=auth, verify=CONTEXT) as client, client.stream("GET", url) as got:
        assert b"".join(got.iter_raw()) == b"x" * 300_000
        assert not hasattr(got, "_content")


@pytest.mark.fault("F03")
@pytest.mark.parametrize("content", [b'{"code": 601}', b"0" * 60_000_000], ids=["small", "large"])
def test_of_a_compressed_body_no_more_is_decoded_than_is_looked_into(content: bytes) -> None:
    """Whatever a few bytes of it may grow to."""
    stream = httpx.ByteStream(gzip.compress(content))
    body = HttpxBody.of(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream))
    body.read_ahead()
    tracemalloc.start()
    try:
        decoded = body.decoded()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert decoded == (content if len(content) < 100 else b"")
    assert most < 8 * 1024 * 1024


def test_the_callers_own_trace_goes_on(client: httpx.Client, service: Service) -> None:
    service.api = lambda request: Redirect("/api/y") if request.target == "/api/x" else echo(request)
    seen: list[str] = []
    client.get("/x", extensions={"trace": lambda name, _: seen.append(name)}, follow_redirects=True)
    assert seen.count("http11.send_request_headers.started") == 2

    async def call() -> list[str]:
        names: list[str] = []

        async def trace(name: str, _: Any) -> None:
            names.append(name)

        async with httpx.AsyncClient(auth=client.auth, verify=CONTEXT) as own:
            await own.get(f"{service.base_url}/z", extensions={"trace": trace})
        return names

    assert "http11.receive_response_headers.complete" in asyncio.run(call())


def test_a_transport_that_does_not_tell_of_redirects(client: httpx.Client, service: Service) -> None:
    """Nobody could judge them before: the call fails, and says what to do."""

    def respond(request: httpx.Request) -> httpx.Response:
        elsewhere = request.url.host == "elsewhere.example"
        return httpx.Response(200) if elsewhere else httpx.Response(307, headers={"Location": other})

    other = "https://elsewhere.example/"
    transport = httpx.MockTransport(respond)
    with httpx.Client(auth=client.auth, transport=transport) as own:
        assert own.get(f"{service.base_url}/x").status_code == 307
        with pytest.raises(ResourceError, match="leave follow_redirects off"):
            own.get(f"{service.base_url}/x", follow_redirects=True)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    try:
        with Proxy() as running:
            yield running
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.mark.parametrize("follow", [False, True])
def test_through_a_proxy(proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follow: bool) -> None:
    """It is asked to connect by a request of the transport, which is nobody's redirect."""
    shared.clear()
    authority = tmp_path / "ca.pem"
    authority.write_text(SERVERS.certificate)
    with ScriptedServer(server_context(issue(SERVERS), tmp_path)) as server:
        service = Service(server)
        given = service.environment(ca_certificates=SERVERS.certificate)
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", given)
        service.api = lambda request: Redirect("/api/y") if request.target == "/api/x" else echo(request)
        service.dead.add("tok-1")
        with httpx.Client(
            auth=OAuth2Auth("my_api"),
            proxy=proxy.url,
            verify=ssl.create_default_context(cafile=str(authority)),
        ) as client:
            response = client.get(f"{service.base_url}/x", follow_redirects=follow)
        assert response.status_code == (200 if follow else 302)
        assert {call.header("Authorization") for call in service.calls[1:]} == {"Bearer tok-2"}
        assert "CONNECT" in proxy.log
    shared.clear()


@pytest.mark.parametrize(
    "url, spelled",
    [
        (("https", "api.example", None, "/x?y"), "https://api.example/x?y"),
        (("http", "::1", 80, "/"), "http://[::1]:80/"),
        (("http", "proxy.example", 8080, "http://127.0.0.1:1/x"), "http://127.0.0.1:1/x"),
    ],
    ids=["usual", "IPv6", "to a plain proxy"],
)
def test_addresses_of_the_transport(url: tuple[str, str, int | None, str], spelled: str) -> None:
    from httpcore import URL

    from airflow_oauth_provider.calls.httpx_calls import _url_of

    scheme, host, port, target = url
    assert _url_of(URL(scheme=scheme, host=host, port=port, target=target)) == spelled
