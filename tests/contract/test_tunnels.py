"""What a proxy answers to CONNECT, and connections that are cut in a tunnel: one meaning for all."""

from __future__ import annotations

import itertools
import socket
import threading
from dataclasses import dataclass

import pytest
import requests

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    OAuthError,
    TokenResponseError,
    TransportError,
    is_definite,
)
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.transport.call_failure import CallFailedError, CallTimeoutError
from tests.support.servers.scripted import CloseNow, Json, Raw, Reset, ScriptedResponse, ScriptedServer
from tests.support.service import Service
from tests.support.sides import Side

_numbers = itertools.count(1)
HEAD = b"HTTP/1.1 200 OK\r\n"
CUT = "the connection was cut before the response was complete"
NOT_HTTP = "the response is not HTTP/1.1"
HEADERS = "the headers of the response are malformed"
TUNNELS = {
    "403": (Raw(b"HTTP/1.1 403 No\r\n\r\n"), "refused to connect (HTTP status 403)", False, None),
    "407": (Raw(b"HTTP/1.1 407 No\r\n\r\n"), "refused to connect (HTTP status 407)", False, None),
    "302": (Raw(b"HTTP/1.1 302 No\r\nLocation: x\r\n\r\n"), "refused to connect", False, None),
    "100-and-403": (
        Raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\n\r\n"),
        "refused to connect (HTTP status 403)",
        False,
        None,
    ),
    "408": (Raw(b"HTTP/1.1 408 No\r\n\r\n"), "refused to connect (HTTP status 408)", True, None),
    "429": (Raw(b"HTTP/1.1 429 No\r\n\r\n"), "refused to connect (HTTP status 429)", True, None),
    "429-that-asks": (Json({}, 429, [("Retry-After", "70")]), "(HTTP status 429)", True, 70.0),
    "502": (Json({}, 502), "could not connect to the server (HTTP status 502)", True, None),
    "503-that-asks": (Json({}, 503, [("Retry-After", "70")]), "could not connect", True, 70.0),
    "504": (Json({}, 504), "could not connect to the server (HTTP status 504)", True, None),
    "garbage": (Raw(b"garbage\r\n\r\n"), f"failed: {NOT_HTTP}", False, None),
    "no-colon": (Raw(b"HTTP/1.1 403 No\r\nno colon\r\n\r\n"), f"failed: {HEADERS}", False, None),
    "closed": (CloseNow(), f"failed: {CUT}", True, None),
    "closed-within-its-status": (Raw(b"HTTP/1.1 2"), f"failed: {CUT}", True, None),
    "closed-within-its-200": (Raw(HEAD + b"X-A: b\r\n"), f"failed: {CUT}", True, None),
    "closed-within-its-403": (Raw(b"HTTP/1.1 403 No\r\nX"), f"failed: {CUT}", True, None),
}


@dataclass(frozen=True)
class Open:
    """A tunnel to a server that says nothing."""

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(HEAD + b"\r\n")
        stopped.wait()
        return False


tunnels = pytest.mark.parametrize(
    "response, sentence, passes, seconds", [pytest.param(*row, id=name) for name, row in TUNNELS.items()]
)


@pytest.fixture
def proxy(scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """The proxy of this machine, whose answers a test gives."""
    monkeypatch.setenv("HTTPS_PROXY", scripted.url)
    return scripted


@pytest.mark.fault("F63")
class TestTunnels:
    """What a proxy answers to CONNECT: it is named, and what passes is tried again when it says."""

    @tunnels
    def test_to_an_api(
        self,
        side: Side,
        service: Service,
        proxy: ScriptedServer,
        response: ScriptedResponse,
        sentence: str,
        passes: bool,
        seconds: float | None,
    ) -> None:
        proxy.script(response)
        hook = OAuth2Hook(method="GET", connection=service.connection(base_url="https://api.example"))
        with pytest.raises(CallFailedError) as caught:
            side.run(hook, "x")
        assert caught.value.message.startswith(f"the proxy 127.0.0.1:{proxy.port} (HTTPS_PROXY) ")
        assert sentence in caught.value.message
        assert (caught.value.retryable, caught.value.retry_after) == (passes, seconds)
        assert is_definite(caught.value) is not passes

    @tunnels
    def test_to_an_authorization_server(
        self,
        side: Side,
        service: Service,
        proxy: ScriptedServer,
        response: ScriptedResponse,
        sentence: str,
        passes: bool,
        seconds: float | None,
    ) -> None:
        proxy.script(response)
        connection = service.connection(
            host="https://idp.example/token",
            login=f"client-{next(_numbers)}",
            max_retry_attempts=0,
            max_wait=20,
        )
        with pytest.raises(OAuthError) as caught:
            side.token(OAuth2Hook(connection=connection))
        assert caught.value.message.startswith(f"the proxy 127.0.0.1:{proxy.port} (HTTPS_PROXY) ")
        assert sentence in caught.value.message
        assert caught.value.retryable is passes
        if passes:
            assert isinstance(caught.value, TransportError)
            assert caught.value.retry_after == seconds
        else:
            assert isinstance(caught.value, ConfigurationError | TokenResponseError)

    @pytest.mark.parametrize(
        "response",
        [
            pytest.param(Raw(HEAD + b"\r\n"), id="closed"),
            pytest.param(Reset(HEAD + b"\r\n"), id="reset"),
        ],
    )
    def test_a_connection_that_is_cut_within_one(
        self,
        side: Side,
        service: Service,
        proxy: ScriptedServer,
        response: ScriptedResponse,
    ) -> None:
        proxy.script(response)
        hook = OAuth2Hook(method="GET", connection=service.connection(base_url="https://api.example"))
        with pytest.raises(requests.ConnectionError) as caught:
            side.run(hook, "x")
        assert isinstance(caught.value, CallFailedError)
        assert CUT in caught.value.message
        assert caught.value.retryable

    def test_a_server_that_is_silent_within_one_is_not_the_proxys_fault(
        self, side: Side, service: Service, proxy: ScriptedServer
    ) -> None:
        """TLS within it has seconds of its own."""
        proxy.script(Open())
        hook = OAuth2Hook(method="GET", connection=service.connection(base_url="https://api.example"))
        with pytest.raises(CallTimeoutError) as caught:
            side.run(hook, "x", extra_options={"timeout": 0.4})
        assert caught.value.message.startswith("the request timed out (through the proxy ")
        assert caught.value.retryable
