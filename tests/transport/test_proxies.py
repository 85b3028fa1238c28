"""Token requests and API calls through a real proxy."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.transport import authorization_server
from airflow_oauth_provider.transport.proxies import proxy_for
from tests.support.servers.certificates import authority, issue, server_context
from tests.support.servers.proxy import Proxy
from tests.support.servers.scripted import CloseNow, Raw, Script, ScriptedServer
from tests.support.service import Service

CA = authority()
CREDENTIALS = "proxy-user:proxy-password-value"


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer(server_context(issue(CA), tmp_path)) as server:
        yield server


def send(url: str, proxy_url: str | None = None) -> HttpResponse | Failure:
    network = NetworkSettings(
        ca_certificates=CA.certificate, proxy_url=Secret(proxy_url) if proxy_url else None
    )
    request = TokenRequest(f"{url}/token", (), b"grant_type=client_credentials")
    return authorization_server.post(request, network, deadline_at=time.monotonic() + 5)


def test_the_environments_proxy(
    proxy: Proxy, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert isinstance(send(tls_server.url), HttpResponse)
    assert "CONNECT 127.0.0.1" in proxy.log


def test_no_proxy_is_honoured(
    proxy: Proxy, tls_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert isinstance(send(tls_server.url), HttpResponse)
    assert "CONNECT 127.0.0.1" not in proxy.log


@pytest.mark.parametrize("proxy", [CREDENTIALS], indirect=True)
def test_the_connections_proxy_with_credentials(proxy: Proxy, tls_server: ScriptedServer) -> None:
    assert isinstance(send(tls_server.url, f"http://{CREDENTIALS}@127.0.0.1:{proxy.port}"), HttpResponse)
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
    assert caught.value.field == "HTTPS_PROXY"
    assert f"127.0.0.1:{proxy.port}" in str(caught.value)
    assert "wrong-password" not in str(caught.value)


@pytest.mark.fault("F24")
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "proxy_url"])
def test_plain_http_never_leaves_this_machine(
    name: str, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer() as proxy:
        if name != "proxy_url":
            monkeypatch.setenv(name, proxy.url)
        assert isinstance(send(scripted.url, proxy.url if name == "proxy_url" else None), HttpResponse)
        assert proxy.connections == 0
    assert len(scripted.requests) == 1


@pytest.mark.fault("F63")
@pytest.mark.parametrize(
    "name, response",
    [
        pytest.param("HTTPS_PROXY", None, id="refused"),
        pytest.param("all_proxy", CloseNow(), id="hangs-up"),
        pytest.param("HTTPS_PROXY", Raw(b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n"), id="502"),
        pytest.param("HTTPS_PROXY", Raw(b"220 mail.example ESMTP\r\n"), id="no-HTTP"),
        pytest.param("proxy_url", None, id="of-the-connection"),
    ],
)
def test_a_proxy_that_fails_is_named(
    tls_server: ScriptedServer,
    name: str,
    response: Script | None,
    unused_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ScriptedServer() as broken:
        broken.script(response or CloseNow())
        port = broken.port if response else unused_port
        address = f"http://user:pa55word@127.0.0.1:{port}"
        if name != "proxy_url":
            monkeypatch.setenv(name, address)
        result = send(tls_server.url, address if name == "proxy_url" else None)
    assert isinstance(result, Failure)
    assert f"the proxy 127.0.0.1:{port} ({name})" in result.detail
    assert "pa55word" not in result.detail
    assert tls_server.requests == []


@pytest.mark.fault("F63")
@pytest.mark.parametrize(
    "address",
    [
        "http://user:pa55word@proxy.example:99999",
        "http://user:pa55word@proxy.example:0",
        "http://user:pa55word@:3128",
        "http://user:pa55word@proxy example:3128",
        "http://user:pa55word@127.1:3128",
        "http://user:pa55word@[::1:3128",
        "socks5://user:pa55word@proxy.example:1080",
        "https://",
        "http:///",
        ":3128",
        "//",
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "Https_Proxy"])
def test_a_malformed_proxy(address: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, address)
    with pytest.raises(ConfigurationError, match="malformed") as caught:
        proxy_for("https://idp.example/token", NetworkSettings())
    assert caught.value.field == name
    assert "pa55word" not in "".join(traceback.format_exception(caught.value))
    assert proxy_for("http://127.0.0.1/token", NetworkSettings()) is None


@pytest.mark.fault("F63")
@pytest.mark.parametrize(
    "address, description",
    [
        ("proxy.example:3128", "proxy.example:3128 (HTTPS_PROXY)"),
        ("http://user:p%40ss@Proxy.Example", "proxy.example:80 (HTTPS_PROXY)"),
        pytest.param("https://[2001:db8::1]", "[2001:db8::1]:443 (HTTPS_PROXY)", id="IPv6[F18]"),
        (" http://proxy.example:3128/ ", "proxy.example:3128 (HTTPS_PROXY)"),
    ],
)
def test_a_proxy_is_shown_by_host_and_port(
    address: str, description: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8, .corp, a/b/c, 300.1.1.1/99")
    proxy = proxy_for("https://idp.example/token", NetworkSettings())
    assert proxy is not None
    assert str(proxy) == description
    assert "p%40ss" not in f"{proxy}{proxy!r}"
    assert proxy_for("https://idp.corp/token", NetworkSettings()) is None


@pytest.mark.fault("F63")
def test_a_malformed_proxy_of_the_environment(
    tls_server: ScriptedServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pa55word@proxy.example:port")
    connection = service.connection(host=f"{tls_server.url}/token", ca_certificates=CA.certificate)
    with pytest.raises(ConfigurationError, match="malformed") as caught:
        OAuth2Hook(connection=connection).get_token()
    assert (caught.value.field, caught.value.conn_id) == ("HTTPS_PROXY", "my_api")
    assert "pa55word" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.fault("N30")
def test_a_proxy_reached_over_tls_is_verified(tls_server: ScriptedServer, tmp_path: Path) -> None:
    folder = tmp_path / "proxy"
    folder.mkdir()
    with ScriptedServer(server_context(issue(authority("Another CA")), folder)) as proxy:
        result = send(tls_server.url, proxy.url)
        assert proxy.requests == []
    assert isinstance(result, Failure)
    assert result.fault is Fault.TLS_CERTIFICATE


@pytest.mark.fault("F63")
@pytest.mark.parametrize("error", [ValueError, TypeError, OSError])
def test_a_list_that_the_library_cannot_read_is_named(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions of requests differ in the odd entries that they stumble over."""

    def stumble(*_: Any, **__: Any) -> NoReturn:
        raise error("a-text-of-the-environment")

    monkeypatch.setattr("requests.utils.get_environ_proxies", stumble)
    monkeypatch.setenv("No_Proxy", "a/b")
    with pytest.raises(ConfigurationError, match="comma-separated") as caught:
        proxy_for("https://idp.example/token", NetworkSettings())
    assert caught.value.field == "No_Proxy"
    assert caught.value.__context__ is None
