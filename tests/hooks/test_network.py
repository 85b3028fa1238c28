"""Calls through real proxies, a private authority and nginx; threads and coroutines alike."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError, TransportError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.conftest import require_server
from tests.hooks.sides import Side
from tests.servers.certificates import authority, issue, server_context
from tests.servers.nginx_server import Nginx
from tests.servers.oidc_server import ServerMissingError
from tests.servers.proxy import Proxy
from tests.servers.scripted import Json, ScriptedServer, Text
from tests.service import RecordedRequest, Service, echo

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
def nginx(service: Service) -> Iterator[Nginx]:
    try:
        with Nginx(service.server.url) as running:
            yield running
    except ServerMissingError as missing:
        require_server(str(missing))


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ScriptedServer]:
    """An API behind TLS; its authority is private."""
    with ScriptedServer(server_context(issue(CA), tmp_path)) as server:
        server.script(echo)
        yield server


def hook_of(service: Service, base_url: str, method: str = "GET", **extra: Any) -> OAuth2Hook:
    return OAuth2Hook(method=method, connection=service.connection(base_url=base_url, **extra))


class TestAuthorities:
    """TLS towards the API."""

    def test_the_connections_own(self, side: Side, service: Service, api: ScriptedServer) -> None:
        hook = hook_of(service, f"{api.url}/api", ca_certificates=CA.certificate)
        assert side.run(hook, "x").json()["authorization"] == "Bearer tok-1"
        side.run(hook, "y")
        assert api.connections == 1

    @pytest.mark.fault("N17")
    def test_an_unknown_one_is_final(self, side: Side, service: Service, api: ScriptedServer) -> None:
        with pytest.raises(TransportError, match="ca_certificates") as caught:
            side.run(hook_of(service, api.url), "x")
        assert not caught.value.retryable
        assert isinstance(caught.value, requests.ConnectionError)
        assert api.requests == []

    @pytest.mark.fault("N15")
    def test_another_name_is_final(self, side: Side, service: Service, tmp_path: Path) -> None:
        with ScriptedServer(server_context(issue(CA, "other.example"), tmp_path)) as server:
            with pytest.raises(TransportError) as caught:
                side.run(hook_of(service, server.url, ca_certificates=CA.certificate), "x")
            assert not caught.value.retryable
            assert server.requests == []

    def test_a_callers_bundle(
        self, side: Side, service: Service, api: ScriptedServer, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "bundle.pem"
        bundle.write_text(CA.certificate)
        hook = hook_of(service, api.url)
        assert side.run(hook, "x", extra_options={"verify": str(bundle)}).status_code == 200
        with pytest.raises(ConfigurationError) as caught:
            side.run(hook, "x", extra_options={"verify": False})
        assert caught.value.field == "extra_options"

    def test_a_callers_client_certificate(self, side: Side, service: Service, tmp_path: Path) -> None:
        mine = issue(CA, "client.example")
        certificate, key = tmp_path / "mine.pem", tmp_path / "mine.key"
        certificate.write_text(mine.certificate)
        key.write_text(mine.key)
        context = server_context(issue(CA), tmp_path)
        context.load_verify_locations(cadata=CA.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        with ScriptedServer(context) as server:
            server.script(echo)
            hook = hook_of(service, server.url, ca_certificates=CA.certificate)
            options = {"cert": (str(certificate), str(key))}
            assert side.run(hook, "x", extra_options=options).status_code == 200
            with pytest.raises(TransportError):
                side.run(hook, "x")


class TestProxies:
    """Real ones."""

    def test_the_environments(
        self, side: Side, proxy: Proxy, service: Service, api: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)
        assert side.run(hook, "x").status_code == 200
        assert "CONNECT 127.0.0.1" in proxy.log

    def test_no_proxy_is_honoured(
        self, side: Side, proxy: Proxy, service: Service, api: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        side.run(hook_of(service, api.url, ca_certificates=CA.certificate), "x")
        assert "CONNECT 127.0.0.1" not in proxy.log

    @pytest.mark.parametrize("proxy", [CREDENTIALS], indirect=True)
    def test_a_callers_with_credentials(
        self, side: Side, proxy: Proxy, service: Service, api: ScriptedServer
    ) -> None:
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)
        chosen = f"http://{CREDENTIALS}@127.0.0.1:{proxy.port}"
        answer = side.run(hook, "x", extra_options={"proxies": {"https": chosen}})
        assert answer.json()["authorization"] == "Bearer tok-1"
        assert "CONNECT 127.0.0.1" in proxy.log

    @pytest.mark.parametrize("proxy", [CREDENTIALS], indirect=True)
    @pytest.mark.fault("N27", "N29")
    def test_wrong_credentials_are_final_and_not_told(
        self, side: Side, proxy: Proxy, service: Service, api: ScriptedServer
    ) -> None:
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)
        wrong = {"https": f"http://proxy-user:wrong-password@127.0.0.1:{proxy.port}"}
        with pytest.raises(TransportError, match="proxy") as caught:
            side.run(hook, "x", extra_options={"proxies": wrong})
        assert not caught.value.retryable
        assert "wrong-password" not in str(caught.value) + repr(caught.value)
        assert api.requests == []


class TestBehindNginx:
    """Redirects, resets and slow answers as nginx makes them."""

    def test_a_redirect_keeps_method_and_body(self, side: Side, service: Service, nginx: Nginx) -> None:
        hook = hook_of(service, nginx.url, "POST")
        answer = side.run(hook, "moved/x", json={"a": 1}).json()
        assert (answer["method"], answer["body"]) == ("POST", '{"a": 1}')
        assert answer["authorization"] == "Bearer tok-1"
        assert len(service.calls) == 1

    def test_a_connection_that_is_closed_is_an_error(
        self, side: Side, service: Service, nginx: Nginx
    ) -> None:
        with pytest.raises(requests.ConnectionError) as caught:
            side.run(hook_of(service, nginx.url, "POST"), "reset/x", "body")
        assert isinstance(caught.value, TransportError)
        assert caught.value.retryable
        assert service.calls == []

    def test_a_slow_answer_arrives(self, side: Side, service: Service, nginx: Nginx) -> None:
        service.api = lambda _: Text(200, os.urandom(30_000))
        began = time.monotonic()
        answer = side.run(hook_of(service, nginx.url), "slow/x", extra_options={"timeout": 5})
        assert len(answer.content) == 30_000
        assert time.monotonic() - began > 0.3

    def test_an_upstream_that_takes_too_long(self, side: Side, service: Service, nginx: Nginx) -> None:
        def late(request: RecordedRequest) -> Any:
            time.sleep(1.5)
            return Json({})

        service.api = late
        with pytest.raises(ResourceError) as caught:
            side.run(hook_of(service, nginx.url), "api/x")
        assert (caught.value.status, caught.value.retryable) == (504, True)

    def test_a_dead_token_is_renewed_through_it(self, side: Side, service: Service, nginx: Nginx) -> None:
        service.dead.add("tok-1")
        assert side.run(hook_of(service, nginx.url), "api/x").json()["authorization"] == "Bearer tok-2"
