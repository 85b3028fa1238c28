"""Calls through real proxies, a private authority and nginx; threads and coroutines alike."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError, TransportError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from tests.conftest import require_server
from tests.support.openssl import needs_openssl, openssl
from tests.support.servers.certificate_cases import WRONG, Wrong
from tests.support.servers.certificates import authority, issue, server_context
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.nginx_server import Nginx
from tests.support.servers.proxy import Proxy
from tests.support.servers.scripted import CloseNow, Delay, Drip, Json, ScriptedResponse, ScriptedServer, Text
from tests.support.service import RecordedRequest, Service, echo
from tests.support.sides import Side

CA = authority()
CREDENTIALS = "proxy-user:proxy-password-value"


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

    @pytest.mark.parametrize("case", WRONG)
    def test_one_that_does_not_verify_is_final_and_says_what_helps(
        self, side: Side, service: Service, tmp_path: Path, case: Wrong
    ) -> None:
        with ScriptedServer(server_context(case.issued, tmp_path)) as server:
            given = {"ca_certificates": case.trusted} if case.trusted else {}
            with pytest.raises(TransportError) as caught:
                side.run(hook_of(service, server.url, **given), "x")
            assert server.requests == []
        assert not caught.value.retryable
        assert isinstance(caught.value, requests.ConnectionError)
        assert case.is_told_by(str(caught.value), caught.value.advice)

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

    @pytest.mark.fault("F71")
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_callers_client_certificate(
        self, side: Side, service: Service, tmp_path: Path, version: ssl.TLSVersion
    ) -> None:
        mine = issue(CA, "client.example")
        certificate, key = tmp_path / "mine.pem", tmp_path / "mine.key"
        certificate.write_text(mine.certificate)
        key.write_text(mine.key)
        context = server_context(issue(CA), tmp_path)
        context.load_verify_locations(cadata=CA.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = context.minimum_version = version
        with ScriptedServer(context) as server:
            server.script(echo)
            hook = hook_of(service, server.url, ca_certificates=CA.certificate)
            options = {"cert": (str(certificate), str(key))}
            assert side.run(hook, "x", extra_options=options).status_code == 200
            with pytest.raises(TransportError, match="client certificate") as caught:
                side.run(hook, "x")
            assert not caught.value.retryable


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

    def test_an_edited_connection_looks_for_it_anew(
        self, side: Side, proxy: Proxy, service: Service, api: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was looked up for the connection as it was serves no call of the one that it is."""
        given = {"base_url": api.url, "ca_certificates": CA.certificate}
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**given))
        hook = OAuth2Hook("my_api", "GET")
        assert side.run(hook, "x").status_code == 200
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert side.run(hook, "x").status_code == 200
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**given, scope="write"))
        hook.get_token(force=True)
        assert "CONNECT 127.0.0.1" not in proxy.log, "once for each session"
        assert side.run(hook, "x").status_code == 200
        assert "CONNECT 127.0.0.1" in proxy.log

    def test_a_session_that_is_opened_again_looks_for_it_anew(
        self, proxy: Proxy, service: Service, api: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)

        async def main() -> None:
            session = hook.asession()
            await (await session.get("x")).read()
            await session.close()
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            await (await session.get("x")).read()
            await session.close()

        asyncio.run(main())
        assert "CONNECT 127.0.0.1" in proxy.log

    @pytest.mark.parametrize("proxy", [CREDENTIALS], indirect=True)
    def test_a_callers_with_credentials(
        self, side: Side, proxy: Proxy, service: Service, api: ScriptedServer
    ) -> None:
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)
        chosen = f"http://{CREDENTIALS}@127.0.0.1:{proxy.port}"
        response = side.run(hook, "x", extra_options={"proxies": {"https": chosen}})
        assert response.json()["authorization"] == "Bearer tok-1"
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

    @pytest.mark.fault("F63")
    @pytest.mark.parametrize(
        "address",
        ["http://user:pa55word@proxy.example:99999", "socks5://user:pa55word@proxy.example:1080"],
    )
    @pytest.mark.parametrize("source", ["proxies", "HTTPS_PROXY"])
    def test_a_malformed_one_is_named_without_its_password(
        self,
        side: Side,
        service: Service,
        api: ScriptedServer,
        source: str,
        address: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        options: dict[str, Any] = {}
        if source == "proxies":
            options = {"proxies": {"http": address, "https": address}}
        else:
            monkeypatch.setenv(source, address)
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)
        with pytest.raises(ConfigurationError, match="proxy is malformed") as caught:
            side.run(hook, "x", extra_options=options)
        assert caught.value.field == source
        assert "pa55word" not in "".join(traceback.format_exception(caught.value))
        assert api.requests == []

    @pytest.mark.fault("F63")
    @pytest.mark.parametrize("source", ["proxies", "HTTPS_PROXY"])
    def test_a_dead_one_is_blamed(
        self,
        side: Side,
        service: Service,
        api: ScriptedServer,
        source: str,
        unused_port: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        address = f"http://user:pa55word@127.0.0.1:{unused_port}"
        if source != "proxies":
            monkeypatch.setenv(source, address)
        options = {"proxies": {"https": address}} if source == "proxies" else {}
        with pytest.raises(TransportError) as caught:
            side.run(hook_of(service, api.url, ca_certificates=CA.certificate), "x", extra_options=options)
        message = f"the proxy 127.0.0.1:{unused_port} ({source}) failed: the connection was refused"
        assert message in str(caught.value)
        assert caught.value.retryable
        assert "pa55word" not in str(caught.value)

    @pytest.mark.fault("F63")
    def test_one_that_hangs_up_is_named(
        self, side: Side, service: Service, api: ScriptedServer, scripted: ScriptedServer
    ) -> None:
        scripted.script(CloseNow())
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)
        with pytest.raises(TransportError, match=f"the proxy 127.0.0.1:{scripted.port}"):
            side.run(hook, "x", extra_options={"proxies": {"https": scripted.url}})
        assert api.requests == []

    @pytest.mark.fault("F15", "F63")
    @pytest.mark.parametrize(
        "response",
        [
            pytest.param(Delay(10, CloseNow()), id="silent"),
            pytest.param(Drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40, 0.05), id="dripped-headers"),
            pytest.param(Drip(b"HTTP/1.1 200 OK\r\nX-" + b"y" * 200, 0.05), id="dripped-header"),
        ],
    )
    def test_a_tunnel_is_waited_for_no_longer_than_a_connection(
        self,
        side: Side,
        service: Service,
        scripted: ScriptedServer,
        response: ScriptedResponse,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        scripted.script(response)
        monkeypatch.setenv("HTTPS_PROXY", scripted.url)
        hook = hook_of(service, "https://api.example")
        with pytest.raises(requests.Timeout, match="HTTPS_PROXY") as caught:
            side.run(hook, "x", extra_options={"timeout": 0.4})
        assert isinstance(caught.value, TransportError)
        assert caught.value.retryable

    @pytest.mark.fault("F63")
    def test_one_that_stops_within_its_200_has_refused_nothing(
        self, side: Side, service: Service, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scripted.script(Drip(b"HTTP/1.1 200 OK\r\nX-" + b"y" * 200, 0.05))
        monkeypatch.setenv("HTTPS_PROXY", scripted.url)
        retry = {"max_wait": 1, "max_retry_attempts": 0}
        connection = service.connection(host="https://idp.example/token", **retry)
        with pytest.raises(TransportError, match="timed out") as caught:
            side.token(OAuth2Hook(connection=connection))
        assert caught.value.retryable

    @pytest.mark.fault("F24")
    @pytest.mark.parametrize("source", ["proxies", "HTTP_PROXY", "ALL_PROXY"])
    def test_plain_http_stays_on_this_machine(
        self,
        side: Side,
        service: Service,
        scripted: ScriptedServer,
        source: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if source != "proxies":
            monkeypatch.setenv(source, scripted.url)
        options = {"proxies": {"http": scripted.url}} if source == "proxies" else {}
        assert side.run(hook_of(service, service.base_url), "x", extra_options=options).status_code == 200
        assert (len(service.calls), len(service.token_requests)) == (1, 1)
        assert scripted.requests == []


class TestBundlesOfTheEnvironment:
    """``REQUESTS_CA_BUNDLE`` and its kin, as companies set them."""

    @pytest.fixture(params=["missing", "empty", "no-PEM", "pipe", "unreadable-name", "huge", "folder"])
    def broken(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        path = tmp_path / "bundle.pem"
        if request.param == "unreadable-name":
            return tmp_path / ("x" * 300)
        if request.param == "huge":
            with path.open("wb") as file:
                file.truncate(2**34)
        elif request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "folder":  # nobody has run openssl rehash
            path.mkdir()
            (path / "authority.pem").write_text(CA.certificate)
        elif request.param != "missing":
            path.write_text("" if request.param == "empty" else "no certificate")
        return path

    @pytest.mark.fault("F62")
    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_a_broken_one_is_named(
        self,
        side: Side,
        service: Service,
        api: ScriptedServer,
        broken: Path,
        name: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(name, str(broken))
        with pytest.raises(ConfigurationError) as caught:
            side.run(hook_of(service, api.url), "x")
        assert (caught.value.field, caught.value.conn_id) == (name, "my_api")
        assert str(broken)[:250] in str(caught.value)
        assert api.requests == []

    @needs_openssl
    def test_a_folder(
        self,
        side: Side,
        service: Service,
        api: ScriptedServer,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        folder = tmp_path / "authorities"
        folder.mkdir()
        (folder / "authority.pem").write_text(CA.certificate)
        openssl(folder, "rehash .")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder))
        assert side.run(hook_of(service, api.url), "x").status_code == 200

    @pytest.mark.fault("F62")
    def test_an_operator_fails_at_once(
        self, service: Service, api: ScriptedServer, broken: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(broken))
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(base_url=api.url))
        operator = OAuth2HttpOperator(task_id="call", oauth2_conn_id="my_api", endpoint="x", method="GET")
        with pytest.raises(AirflowFailException, match="REQUESTS_CA_BUNDLE") as caught:
            operator.execute({})
        assert isinstance(caught.value.__cause__, ConfigurationError)

    @pytest.mark.fault("F62")
    def test_plain_http_needs_none(
        self, side: Side, service: Service, broken: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(broken))
        assert side.run(hook_of(service, service.base_url), "x").status_code == 200

    @pytest.mark.fault("F62")
    def test_the_connections_own_needs_none(
        self,
        side: Side,
        service: Service,
        api: ScriptedServer,
        broken: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(broken))
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)
        assert side.run(hook, "x").status_code == 200

    @pytest.mark.fault("F62")
    def test_a_renewed_one_is_read_again(
        self,
        side: Side,
        service: Service,
        api: ScriptedServer,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bundle = tmp_path / "renewed.pem"
        bundle.write_text(authority("Another CA").certificate)
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        with pytest.raises(TransportError, match="does not verify"):
            side.run(hook_of(service, api.url), "x")
        bundle.write_text(authority("Another CA").certificate + CA.certificate)
        assert side.run(hook_of(service, api.url), "x").status_code == 200

    @pytest.mark.fault("F62")
    @pytest.mark.parametrize("option", ["verify", "cert"])
    def test_a_callers_broken_file_is_named(
        self, side: Side, service: Service, api: ScriptedServer, broken: Path, option: str
    ) -> None:
        hook = hook_of(service, api.url, ca_certificates=CA.certificate)
        with pytest.raises(ConfigurationError) as caught:
            side.run(hook, "x", extra_options={option: str(broken)})
        assert caught.value.field == option
        assert str(broken)[:250] in str(caught.value)


class TestBehindNginx:
    """Redirects, resets and slow answers as nginx makes them."""

    def test_a_redirect_keeps_method_and_body(self, side: Side, service: Service, nginx: Nginx) -> None:
        hook = hook_of(service, nginx.url, "POST")
        response = side.run(hook, "moved/x", json={"a": 1}).json()
        assert (response["method"], response["body"]) == ("POST", '{"a": 1}')
        assert response["authorization"] == "Bearer tok-1"
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
        response = side.run(hook_of(service, nginx.url), "slow/x", extra_options={"timeout": 5})
        assert len(response.content) == 30_000
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
