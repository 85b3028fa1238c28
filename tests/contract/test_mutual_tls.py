"""Client certificates: one suite that threads (requests) and coroutines (aiohttp) both pass."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.deployment.policy import forget_policy
from airflow_oauth_provider.exceptions import ConfigurationError, TokenEndpointError, TransportError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.protocol.client import keys
from airflow_oauth_provider.transport import client_certificate, tls
from tests.conftest import require_server
from tests.support.bound_tokens import CLIENTS, SERVERS, bound_service, certified
from tests.support.servers.certificates import (
    Issued,
    authority,
    bundle,
    demanding_context,
    issue,
    issue_client,
    server_context,
)
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.nginx_mutual_tls import NginxMutualTls
from tests.support.servers.proxy import Proxy
from tests.support.servers.scripted import Json, Redirect, ScriptedServer
from tests.support.servers.tls_proxy import TlsProxy
from tests.support.service import Service, echo
from tests.support.sides import Side

PASSPHRASE = "the passphrase"


@pytest.fixture(scope="module")
def client() -> Issued:
    return issue_client(CLIENTS)


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[Service]:
    with bound_service(tmp_path) as service:
        yield service


def hook_of(service: Service, issued: Issued, method: str = "GET", **changes: Any) -> OAuth2Hook:
    return OAuth2Hook(method=method, connection=service.connection(**certified(issued, **changes)))


def test_the_token_and_the_calls_are_of_one_certificate(side: Side, bound: Service, client: Issued) -> None:
    hook = hook_of(bound, client)
    assert side.run(hook, "/items").json()["authorization"] == "Bearer tok-1"
    side.run(hook, "/items")
    assert len(bound.token_requests) == 1
    assert {request.certificate is not None for request in bound.server.requests} == {True}
    assert len({call.connection for call in bound.calls}) == 1


def test_one_that_is_signed_with_its_own_key(side: Side, tmp_path: Path) -> None:
    own = issue_client()
    with bound_service(tmp_path, own.certificate) as service:
        hook = hook_of(service, own, auth_method="self_signed_tls_client_auth")
        assert side.run(hook, "/items").status_code == 200


def _as_one_pem(issued: Issued) -> dict[str, Any]:
    return {"private_key": issued.key + issued.certificate, "certificate": None}


def _as_one_line(issued: Issued) -> dict[str, Any]:
    return {
        "private_key": issued.key.replace("\n", "\\n"),
        "certificate": issued.certificate.replace("\n", "\\n"),
    }


def _as_pkcs12(issued: Issued) -> dict[str, Any]:
    data = bundle(issued, PASSPHRASE.encode(), CLIENTS.certificate)
    return {
        "private_key": base64.b64encode(data).decode(),
        "private_key_passphrase": PASSPHRASE,
        "certificate": None,
    }


def _as_a_chain_in_the_wrong_order(issued: Issued) -> dict[str, Any]:
    return {"certificate": CLIENTS.certificate + issued.certificate}


@pytest.mark.parametrize("form", [_as_one_pem, _as_one_line, _as_pkcs12, _as_a_chain_in_the_wrong_order])
def test_certificate_and_key_in_every_form(side: Side, bound: Service, client: Issued, form: Any) -> None:
    assert side.run(hook_of(bound, client, **form(client)), "/items").status_code == 200


class TestOtherHosts:
    """The certificate is shown to the connection's own servers only."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[ScriptedServer]:
        """A host that would like a certificate, and does without."""
        folder = tmp_path / "storage"
        folder.mkdir()
        context = server_context(issue(SERVERS), folder, ask_for_client_certificate=True)
        context.load_verify_locations(cadata=CLIENTS.certificate)
        with ScriptedServer(context) as server:
            server.script(echo)
            yield server

    def test_a_download_that_leads_elsewhere_does_not_take_it_along(
        self, side: Side, bound: Service, client: Issued, storage: ScriptedServer
    ) -> None:
        accepted = bound.api
        bound.api = lambda request: (
            Redirect(f"{storage.url}/signed") if request.target == "/api/file" else accepted(request)
        )
        hook = hook_of(bound, client)
        assert side.run(hook, "/file").json()["authorization"] is None
        assert side.run(hook, "/file").status_code == 200
        assert [request.certificate for request in storage.requests] == [None, None]
        side.run(hook, "/items")
        assert bound.calls[-1].certificate is not None

    def test_it_goes_along_within_the_allowed_origins(
        self, side: Side, bound: Service, client: Issued, storage: ScriptedServer
    ) -> None:
        accepted = bound.api
        bound.api = lambda request: (
            Redirect(f"{storage.url}/file") if request.target == "/api/file" else accepted(request)
        )
        hook = hook_of(bound, client, allowed_origins=[storage.url])
        assert side.run(hook, "/file").json()["authorization"] == "Bearer tok-1"
        assert storage.requests[0].certificate is not None

    def test_that_of_a_dags_own_neither(
        self, side: Side, service: Service, client: Issued, storage: ScriptedServer, tmp_path: Path
    ) -> None:
        """``cert`` of ``extra_options``, for a connection without one."""
        path = tmp_path / "own.pem"
        path.write_text(client.key + client.certificate)
        service.api = lambda _: Redirect(f"{storage.url}/signed")
        hook = OAuth2Hook(method="GET", connection=service.connection(ca_certificates=SERVERS.certificate))
        side.run(hook, "/file", extra_options={"cert": str(path)})
        assert storage.requests[0].certificate is None

    def test_a_dags_own_certificate_beside_the_connections(
        self, side: Side, bound: Service, client: Issued, tmp_path: Path
    ) -> None:
        path = tmp_path / "own.pem"
        path.write_text(client.key + client.certificate)
        with pytest.raises(ConfigurationError, match="bound"):
            side.run(hook_of(bound, client), "/items", extra_options={"cert": str(path)})
        assert bound.calls == []

    def test_a_dags_own_authorities_leave_the_certificate_as_it_is(
        self, side: Side, bound: Service, client: Issued, tmp_path: Path
    ) -> None:
        path = tmp_path / "ca.pem"
        path.write_text(SERVERS.certificate)
        hook = hook_of(bound, client)
        assert side.run(hook, "/items", extra_options={"verify": str(path)}).status_code == 200


class TestRefusals:
    """What the handshake is refused for, and what to do about it."""

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    @pytest.mark.parametrize(
        ("issued", "says", "advice"),
        [
            (issue_client(authority("Nobody's")), "does not know the authority", "issued by an authority"),
            (None, "client certificate", "certificate and private_key"),
        ],
        ids=["unknown-authority", "none"],
    )
    def test_by_the_api(
        self,
        side: Side,
        service: Service,
        tmp_path: Path,
        issued: Issued | None,
        says: str,
        advice: str,
        version: ssl.TLSVersion,
    ) -> None:
        context = demanding_context(issue(SERVERS), tmp_path, CLIENTS.certificate)
        context.minimum_version = context.maximum_version = version
        changes = {} if issued is None else certified(issued)
        with ScriptedServer(context) as api:
            given = service.connection(
                **{**changes, "base_url": api.url, "ca_certificates": SERVERS.certificate}
            )
            with pytest.raises(TransportError, match=says) as caught:
                side.run(OAuth2Hook(method="GET", connection=given), "/items")
            assert api.requests == []
        assert not caught.value.retryable
        assert advice in (caught.value.advice or "")

    def test_by_the_token_endpoint(self, side: Side, bound: Service) -> None:
        with pytest.raises(TransportError, match="does not know the authority") as caught:
            side.run(hook_of(bound, issue_client(authority("Nobody's"))), "/items")
        assert not caught.value.retryable
        assert bound.server.connections == 1
        assert caught.value.conn_id == "my_api"


def test_a_server_says_what_it_knows_of_the_bound_token(side: Side, bound: Service, client: Issued) -> None:
    """Introspection and revocation present it, too."""
    host = f"{bound.server.url}/token"
    hook = hook_of(bound, client, host=host)
    side.token(hook)
    bound.token = lambda request: Json({"active": request.certificate is not None})
    assert side.call(hook, "introspect", endpoint=f"{host}/introspection") == {"active": True}
    assert side.call(hook, "revoke", endpoint=f"{host}/revocation") is True
    assert all(request.certificate for request in bound.server.requests)
    assert [request.form.get("client_id") for request in bound.token_requests] == [["my-client"]] * 3


@pytest.mark.fault("H71")
def test_a_certificate_goes_to_the_alias_that_the_issuer_names(
    side: Side, service: Service, bound: Service, client: Issued
) -> None:
    """Token request, introspection and revocation alike; the issuer itself asks for no certificate."""
    issuer = service.server.url
    names = {
        "token_endpoint": "token",
        "introspection_endpoint": "token/introspect",
        "revocation_endpoint": "token/revoke",
    }
    service.api = lambda _: Json(
        {
            "issuer": issuer,
            **{name: f"{issuer}/{path}" for name, path in names.items()},
            "mtls_endpoint_aliases": {name: f"{bound.server.url}/{path}" for name, path in names.items()},
        }
    )
    grant = bound.token
    bound.token = lambda request: (
        grant(request) if request.target == "/token" and grant else Json({"active": True})
    )
    hook = hook_of(bound, client, host=issuer, discovery=True)
    assert side.run(hook, "/items").status_code == 200
    side.call(hook, "introspect")
    side.call(hook, "revoke")
    assert [request.target for request in bound.token_requests] == [
        "/token",
        "/token/introspect",
        "/token/revoke",
    ]
    assert service.token_requests == []
    assert len(service.calls) == 1, "metadata are fetched once"


def test_a_proxy_behind_tls_is_not_shown_it(
    side: Side, bound: Service, client: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by token requests nor by calls; through it, the servers see it."""
    folder = tmp_path / "proxy"
    folder.mkdir()
    context = server_context(issue(SERVERS), folder, ask_for_client_certificate=True)
    context.load_verify_locations(cadata=CLIENTS.certificate)
    ca = tmp_path / "ca.pem"
    ca.write_text(SERVERS.certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))
    with TlsProxy(context) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        hook = hook_of(bound, client, ca_certificates=None)
        assert side.run(hook, "/items").status_code == 200
        assert proxy.certificates == [None, None]
    assert all(request.certificate for request in bound.server.requests)


def test_a_proxy_without_tls_opens_the_way_to_servers_that_see_it(
    side: Side, bound: Service, client: Issued, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert side.run(hook_of(bound, client), "/items").status_code == 200
    assert proxy.log.count("CONNECT 127.0.0.1") >= 2
    assert all(request.certificate for request in bound.server.requests)


class TestRenewal:
    """A certificate that is renewed while tasks run."""

    def test_the_next_token_is_of_the_new_one(
        self, side: Side, bound: Service, client: Issued, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        renewed = issue_client(CLIENTS)
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", bound.environment(**certified(client)))
        hook = OAuth2Hook("my_api", method="GET")
        side.run(hook, "/items")
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", bound.environment(**certified(renewed)))
        bound.dead.add("tok-1")
        assert side.run(hook, "/items").json()["authorization"] == "Bearer tok-2"
        assert side.run(hook, "/items").json()["authorization"] == "Bearer tok-2"
        certificates = [request.certificate for request in bound.token_requests]
        assert certificates[0] != certificates[1]
        assert bound.calls[-1].certificate == certificates[1]

    def test_two_certificates_of_one_client_share_no_token(
        self, side: Side, bound: Service, client: Issued
    ) -> None:
        assert side.run(hook_of(bound, client), "/items").status_code == 200
        assert side.run(hook_of(bound, issue_client(CLIENTS)), "/items").status_code == 200
        assert len(bound.token_requests) == 2


def test_keys_are_parsed_and_contexts_made_once(
    side: Side, bound: Service, client: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For token requests and calls of many hooks: one to present the certificate, one for other hosts."""
    counts: Counter[str] = Counter()
    for module, name in ((tls, "_new_context"), (keys, "_pem_key"), (client_certificate, "_why_not")):
        original = getattr(module, name)

        def counted(*args: Any, _original: Any = original, _name: str = name, **more: Any) -> Any:
            counts[_name] += 1
            return _original(*args, **more)

        monkeypatch.setattr(module, name, counted)
    fresh = issue_client(CLIENTS)
    for number in range(3):
        hook = hook_of(bound, fresh, scope=f"read s{number}")
        for _ in range(2):
            side.token(hook)
            side.run(hook, "/items")
    assert len(bound.token_requests) == 3
    assert counts["_pem_key"] == counts["_why_not"] == 1
    assert counts["_new_context"] <= 2


class TestNginx:
    """A real one ends mutual TLS in front of authorization server and API."""

    @pytest.fixture
    def front(self, service: Service) -> Iterator[NginxMutualTls]:
        try:
            with NginxMutualTls(service.server.url, issue(SERVERS), CLIENTS.certificate) as running:
                yield running
        except ServerMissingError as missing:
            require_server(str(missing))

    def test_it_hands_the_subject_on(
        self, side: Side, service: Service, client: Issued, front: NginxMutualTls
    ) -> None:
        changes = {"host": f"{front.url}/token", "base_url": f"{front.url}/api"}
        assert side.run(hook_of(service, client, **changes), "/items").status_code == 200
        for request in service.server.requests:
            assert request.header("X-Client-Verified") == "SUCCESS"
            assert request.header("X-Client-Subject") == "CN=my-client"

    def test_a_client_without_one_is_told_by_status(
        self, side: Side, service: Service, front: NginxMutualTls
    ) -> None:
        """It shakes hands, and answers 400 with a page: one request, and nothing reaches the server."""
        given = service.connection(host=f"{front.url}/token", ca_certificates=SERVERS.certificate)
        with pytest.raises(TokenEndpointError) as caught:
            side.run(OAuth2Hook(method="GET", connection=given), "/items")
        assert (caught.value.status, caught.value.error, caught.value.retryable) == (400, None, False)
        assert service.server.requests == []


def test_certificate_and_key_outside_of_the_connection_are_rotated(
    side: Side, bound: Service, client: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent replaces the file; nobody edits the connection."""
    renewed = issue_client(CLIENTS)
    file, ca = tmp_path / "client.pem", tmp_path / "ca.pem"
    file.write_text(client.certificate + client.key)
    ca.write_text(SERVERS.certificate)
    hosts = [bound.server.url.partition("://")[2]]
    entry = {"file": str(file), "hosts": hosts, "client_ids": ["my-client"], "api_hosts": hosts}
    monkeypatch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", json.dumps({"erp": entry}))
    # Authorities of the connection's own are refused beside it: they could be used to read the secret.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))
    forget_policy()
    outside: dict[str, Any] = {"external_credential": "erp", "private_key": None, "certificate": None}
    hook = hook_of(bound, client, **outside, ca_certificates=None)
    assert side.run(hook, "/items").json()["authorization"] == "Bearer tok-1"
    file.write_text(renewed.key + renewed.certificate)
    bound.dead.add("tok-1")
    assert side.run(hook, "/items").json()["authorization"] == "Bearer tok-2"
    certificates = [request.certificate for request in bound.token_requests]
    assert certificates[0] != certificates[1]
    assert bound.calls[-1].certificate == certificates[1]


@dataclass(frozen=True)
class AskingLate:
    """Ask for the certificate after the request, as servers do that want one for some paths only."""

    asked: list[bytes | None]

    def play(self, connection: Any, stopped: threading.Event) -> bool:
        connection.verify_client_post_handshake()
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")  # the question goes out with it
        connection.settimeout(0.05)
        while connection.getpeercert(binary_form=True) is None and not stopped.is_set():
            with suppress(TimeoutError):
                connection.read(1)
        self.asked.append(connection.getpeercert(binary_form=True))
        connection.settimeout(None)
        return Json({"late": True}).play(connection, stopped)


def test_a_server_that_asks_after_the_handshake(
    side: Side, service: Service, client: Issued, tmp_path: Path
) -> None:
    """RFC 8446 §4.6.2."""
    context = demanding_context(issue(SERVERS), tmp_path, CLIENTS.certificate)
    context.post_handshake_auth = True
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    late = AskingLate([])
    with ScriptedServer(context) as api:
        api.script(late)
        hook = hook_of(service, client, host=f"{service.server.url}/token", base_url=api.url)
        assert side.run(hook, "/items").json() == {"late": True}
    assert api.requests[0].certificate is None, "of the handshake"
    assert len(late.asked) == 1
    assert late.asked[0] is not None
