"""Token requests and API calls through a real proxy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.http import Answer, Failure, Fault
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.transport import token_endpoint
from tests.conftest import require_server
from tests.servers.certificates import authority, issue, server_context
from tests.servers.oidc_server import ServerMissingError
from tests.servers.proxy import Proxy
from tests.servers.scripted import Raw, ScriptedServer
from tests.service import Service

CA = authority()
CREDENTIALS = "proxy-user:proxy-password-value"


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    try:
        with Proxy(getattr(request, "param", None)) as running:
            yield running
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer(server_context(issue(CA), tmp_path)) as server:
        yield server


def send(url: str, proxy_url: str | None = None) -> Answer | Failure:
    network = NetworkSettings(
        ca_certificates=CA.certificate, proxy_url=Secret(proxy_url) if proxy_url else None
    )
    request = TokenRequest(f"{url}/token", (), b"grant_type=client_credentials")
    return token_endpoint.send(request, network, deadline_at=time.monotonic() + 5)


def test_the_environments_proxy(
    proxy: Proxy, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert isinstance(send(tls_server.url), Answer)
    assert "CONNECT 127.0.0.1" in proxy.log


def test_no_proxy_is_honoured(
    proxy: Proxy, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert isinstance(send(tls_server.url), Answer)
    assert "CONNECT 127.0.0.1" not in proxy.log


@pytest.mark.parametrize("proxy", [CREDENTIALS], indirect=True)
def test_the_connections_proxy_with_credentials(proxy: Proxy, tls_server: ScriptedServer) -> None:
    assert isinstance(send(tls_server.url, f"http://{CREDENTIALS}@127.0.0.1:{proxy.port}"), Answer)
    assert "CONNECT 127.0.0.1" in proxy.log


@pytest.mark.parametrize(
    "proxy, user",
    [pytest.param(CREDENTIALS, "proxy-user:wrong-password", id="407[N27][N29]")],
    indirect=["proxy"],
)
def test_wrong_proxy_credentials_are_final_and_not_told(
    proxy: Proxy, tls_server: ScriptedServer, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = send(tls_server.url, f"http://{user}@127.0.0.1:{proxy.port}")
    assert isinstance(result, Failure)
    assert result.fault is Fault.PROXY_REFUSED
    assert not result.fault.retryable
    assert "wrong-password" not in result.detail + caplog.text
    assert tls_server.requests == []


@pytest.mark.parametrize("status", [pytest.param(502, id="502[N28]"), pytest.param(503, id="503[N28]")])
def test_a_proxy_in_trouble_is_passing(tls_server: ScriptedServer, status: int) -> None:
    with ScriptedServer() as broken:
        broken.script(Raw(b"HTTP/1.1 %d Trouble\r\nContent-Length: 0\r\n\r\n" % status))
        result = send(tls_server.url, broken.url)
    assert isinstance(result, Failure)
    assert result.fault.retryable


@pytest.mark.fault("N27")
@pytest.mark.parametrize("proxy", [CREDENTIALS], indirect=True)
def test_a_407_is_a_configuration_error(
    proxy: Proxy, tls_server: ScriptedServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://proxy-user:wrong-password@127.0.0.1:{proxy.port}")
    connection = service.connection(host=f"{tls_server.url}/token", ca_certificates=CA.certificate)
    with pytest.raises(ConfigurationError) as caught:
        OAuth2Hook(connection=connection).get_token()
    assert caught.value.field == "proxy_url"
    assert "wrong-password" not in str(caught.value)


def test_api_calls_go_through_the_proxy_too(
    proxy: Proxy, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    hook = OAuth2Hook(method="GET", connection=service.connection())
    assert hook.run("/x").json()["authorization"] == "Bearer tok-1"
    assert "/api/x" in proxy.log


@pytest.mark.fault("N30")
def test_a_proxy_reached_over_tls_is_verified(tls_server: ScriptedServer, tmp_path: Path) -> None:
    folder = tmp_path / "proxy"
    folder.mkdir()
    with ScriptedServer(server_context(issue(authority("Another CA")), folder)) as proxy:
        result = send(tls_server.url, proxy.url)
        assert proxy.requests == []
    assert isinstance(result, Failure)
    assert result.fault is Fault.TLS_CERTIFICATE
