"""Bodies, redirects and transports of httpx; what holds for all libraries stands in ``tests/contract``."""

from __future__ import annotations

import asyncio
import gzip
import io
import ssl
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_oauth_provider.adapters.httpx import OAuth2Auth
from airflow_oauth_provider.calls.httpx_calls import HttpxBody, HttpxCall, _replayable
from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.effects import ResponseHead
from airflow_oauth_provider.tokens.manager import shared
from tests.conftest import require_server
from tests.support.bound_tokens import SERVERS
from tests.support.libraries import CONTEXT
from tests.support.servers.certificates import issue, server_context
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.proxy import Proxy
from tests.support.servers.scripted import Json, Redirect, ScriptedResponse, ScriptedServer, Text
from tests.support.service import Service, echo, redirecting


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
    service.api = redirecting("/api/y")
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
        service.api = redirecting("/api/y")
        service.dead.add("tok-1")
        with (
            httpx.Client(
                auth=OAuth2Auth("my_api"),
                proxy=proxy.url,
                verify=ssl.create_default_context(cafile=str(authority)),
            ) as client,
            ScriptedServer(server_context(issue(SERVERS), tmp_path)) as other,
        ):
            response = client.get(f"{service.base_url}/x", follow_redirects=follow)
            assert response.status_code == (200 if follow else 302)
            assert {call.header("Authorization") for call in service.calls[1:]} == {"Bearer tok-2"}
            other.script(Text(200))
            service.api = lambda _: Redirect(f"{other.url}/z")
            if follow:  # by another request to connect
                assert client.get(f"{service.base_url}/x", follow_redirects=True).status_code == 200
                assert [request.header("Authorization") for request in other.requests] == [None]
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


@pytest.fixture(params=[False, True], ids=["thread", "coroutine"])
def redirected(request: pytest.FixtureRequest, client: httpx.Client, service: Service) -> Any:
    """Tell a call of a redirect elsewhere; return how its transport tells it of what comes next."""
    auth: Any = client.auth
    call = HttpxCall(auth._auth, httpx.Request("POST", f"{service.base_url}/x", content=b"data"))
    if not request.param:
        call.begin()
        tell: Any = call._trace
    else:
        asyncio.run(call.abegin())

        def tell(name: str, info: dict[str, Any]) -> None:
            asyncio.run(call._atrace(name, info))

    head = (b"HTTP/1.1", 307, b"", [(b"Location", b"https://elsewhere.example/")])
    tell("http11.receive_response_headers.complete", {"return_value": head})
    return tell


@pytest.mark.fault("F02")
@pytest.mark.parametrize("step", ["connect_tcp", "connect_unix_socket"])
def test_a_redirect_is_judged_before_anybody_is_connected_to(redirected: Any, step: str) -> None:
    with pytest.raises(ResourceError, match="not followed: it leads to"):
        redirected(f"connection.{step}.started", {})


@pytest.mark.parametrize(
    ("headers", "has_body"),
    [
        ([("Content-Length", "0")], False),
        ([("Content-Length", "4")], True),
        ([("Transfer-Encoding", "chunked")], True),
        ([], False),
    ],
    ids=["empty", "of a length", "in pieces", "none"],
)
def test_whether_what_follows_has_a_body(
    client: httpx.Client, service: Service, headers: list[tuple[str, str]], has_body: bool
) -> None:
    from httpcore import Request

    auth: Any = client.auth
    call = HttpxCall(auth._auth, httpx.Request("GET", f"{service.base_url}/x"))
    call._head = ResponseHead(307, "/api/y")
    hop = call._hop(
        "http11.send_request_headers.started", {"request": Request("GET", service.base_url, headers=headers)}
    )
    assert hop is not None
    assert hop.has_body is has_body


def test_what_the_client_says_of_the_request_stays_with_its_copies(
    client: httpx.Client, service: Service
) -> None:
    """Its timeouts above all."""
    request = client.build_request("GET", f"{service.base_url}/x", timeout=7, extensions={"own": 1})
    auth: Any = client.auth
    sent = next(auth.sync_auth_flow(request))
    assert request.extensions.items() <= {**sent.extensions, "trace": None}.items()
    assert sent.extensions["timeout"]["read"] == 7


def test_a_header_that_an_edit_of_the_connection_has_renamed_is_not_sent_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(header_name="X-Access-Token"))

    def refuse() -> ScriptedResponse:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
        return Json({}, 401)

    service.dead.add("tok-1")
    service.api = lambda request: echo(request) if request.header("Authorization") else refuse()
    with httpx.Client(auth=OAuth2Auth("my_api"), verify=CONTEXT) as client:
        assert client.get(f"{service.base_url}/x").status_code == 200
    assert service.calls[-1].header("X-Access-Token") is None


class OnlyForward(io.BytesIO):
    """As a pipe is."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("content", "replayable"),
    [
        ({}, True),
        ({"content": b"data"}, True),
        ({"data": {"a": "b"}}, True),
        ({"content": iter([b"data"])}, False),
        ({"files": {"a": io.BytesIO(b"data"), "b": b"more"}}, True),
        ({"files": {"a": b"data", "b": OnlyForward(b"more")}}, False),
    ],
    ids=["none", "bytes", "form", "pieces", "files", "a pipe"],
)
def test_which_bodies_can_be_sent_again(content: dict[str, Any], replayable: bool) -> None:
    assert _replayable(httpx.Request("POST", "https://api.example/", **content).stream) is replayable
