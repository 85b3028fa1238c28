"""TLS towards the token endpoint: what verifies, and what is said when it does not."""

from __future__ import annotations

import os
import signal
import ssl
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.client import keys
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import NetworkSettings, PresentedCertificate
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.transport import authorization_server, client_certificate, tls
from airflow_oauth_provider.transport.tls import tls_context
from tests.support.servers.certificate_cases import WRONG, Wrong
from tests.support.servers.certificates import Issued, authority, issue, issue_client, server_context
from tests.support.servers.scripted import Drip, ScriptedServer
from tests.support.stopwatch import Stopwatch

CA = authority()


def send(
    url: str, *, within: float = 5.0, ca: str | None = CA.certificate, verify: bool = True
) -> HttpResponse | Failure:
    network = NetworkSettings(ca_certificates=ca, verify_tls=verify)
    request = TokenRequest(f"{url}/token", (), b"grant_type=client_credentials")
    return authorization_server.post(request, network, deadline_at=time.monotonic() + within)


def tls_server(folder: Path, issued: Issued | None = None, **options: object) -> ScriptedServer:
    return ScriptedServer(server_context(issued or issue(CA), folder, **options))  # type: ignore[arg-type]


def test_a_private_authority_of_the_connection(tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        result = send(server.url)
    assert isinstance(result, HttpResponse)
    assert result.status == 200


@pytest.mark.parametrize("case", WRONG)
def test_a_certificate_that_does_not_verify_is_final(tmp_path: Path, case: Wrong) -> None:
    with tls_server(tmp_path, case.issued) as server:
        result = send(server.url, ca=case.trusted)
        assert server.requests == [], "nothing secret went out"
    assert isinstance(result, Failure)
    assert result.fault is Fault.TLS_CERTIFICATE
    assert not result.fault.retryable
    assert case.is_told_by(result.detail, result.advice)


@pytest.mark.fault("N19")
def test_tls_below_1_2_is_refused(tmp_path: Path) -> None:
    with (
        pytest.warns(DeprecationWarning, match="TLSv1_1"),
        tls_server(tmp_path, maximum=ssl.TLSVersion.TLSv1_1) as server,
    ):
        result = send(server.url)
    assert isinstance(result, Failure)
    assert result.fault is Fault.TLS
    assert not result.fault.retryable
    assert "TLS 1.2" in result.detail


@pytest.mark.fault("N20")
def test_a_stalled_handshake_ends_at_the_deadline(tmp_path: Path) -> None:
    server = ScriptedServer(server_context(issue(CA), tmp_path), stall_handshake=True)
    watch = Stopwatch()
    with server:
        result = send(server.url, within=0.8)
        assert watch.seconds < 1.25
    assert isinstance(result, Failure)
    assert result.fault is Fault.TIMEOUT


@pytest.mark.fault("N08")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_response_that_drips_within_tls_ends_at_the_deadline(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = server_context(issue(CA), tmp_path)
    context.maximum_version = context.minimum_version = version
    watch = Stopwatch()
    with ScriptedServer(context) as server:
        server.script(Drip(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 60, 0.05))
        result = send(server.url, within=0.5)
        assert watch.seconds < 0.5 + 0.25
    assert isinstance(result, Failure)
    assert result.fault is Fault.TIMEOUT


@pytest.mark.fault("N22")
def test_a_server_that_only_asks_for_a_client_certificate(tmp_path: Path) -> None:
    with tls_server(tmp_path, ask_for_client_certificate=True) as server:
        assert isinstance(send(server.url), HttpResponse)


@pytest.mark.fault("F71")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_insists_on_a_client_certificate(tmp_path: Path, version: ssl.TLSVersion) -> None:
    context = server_context(issue(CA), tmp_path, ask_for_client_certificate=True)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = context.minimum_version = version
    with ScriptedServer(context) as server:
        result = send(server.url)
        assert server.requests == []
    assert isinstance(result, Failure)
    assert "want" in result.detail
    assert "client certificate" in result.detail
    assert not result.fault.retryable


def test_where_nothing_is_named_public_authorities_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    context = tls_context(NetworkSettings())
    assert context.cert_store_stats()["x509_ca"] > 50
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.fault("N24")
def test_the_environments_bundle_is_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(CA.certificate)
    monkeypatch.setenv(name, str(bundle))
    with tls_server(tmp_path) as server:
        assert isinstance(send(server.url, ca=None), HttpResponse)


@pytest.mark.fault("N24")
def test_the_connections_authority_wins_over_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(CA.certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with tls_server(tmp_path) as server:
        assert isinstance(send(server.url, ca=authority("Another CA").certificate), Failure)


@pytest.mark.fault("N25")
def test_a_session_that_does_not_verify_does_not_loosen_ours(tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        session = requests.Session()
        with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
            session.get(server.url, verify=False)
        assert isinstance(send(server.url, ca=None), Failure)
        session.close()


def test_switched_off_where_airflow_cfg_allows_it(tmp_path: Path) -> None:
    with pytest.warns(urllib3.exceptions.InsecureRequestWarning), tls_server(tmp_path) as server:
        assert isinstance(send(server.url, ca=None, verify=False), HttpResponse)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts new contexts and parsed keys."""
    counts: Counter[str] = Counter()
    for module, name in ((tls, "_new_context"), (keys, "_pem_key"), (client_certificate, "_why_not")):
        original = getattr(module, name)

        def counted(*args: Any, _original: Any = original, _name: str = name, **kwargs: Any) -> Any:
            counts[_name] += 1
            return _original(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)
    return counts


def certified_network() -> NetworkSettings:
    client = issue_client(CA)
    presented = PresentedCertificate(client.certificate, Secret(client.key))
    return NetworkSettings(ca_certificates=CA.certificate, certificate=presented)


@pytest.mark.fault("C47")
def test_threads_that_want_one_context_at_once_make_one(made: Counter[str]) -> None:
    network, barrier = certified_network(), threading.Barrier(16)

    def want(_: int) -> ssl.SSLContext:
        barrier.wait()
        return tls_context(replace(network))

    with ThreadPoolExecutor(16) as pool:
        contexts = set(pool.map(want, range(16)))
    assert len(contexts) == 1
    assert made == {"_new_context": 1, "_why_not": 1, "_pem_key": 1}


def test_a_context_for_other_hosts_is_that_of_clients_without_a_certificate() -> None:
    network = certified_network()
    assert tls_context(network.elsewhere) is tls_context(replace(network, certificate=None))
    assert tls_context(network.elsewhere) is not tls_context(network)
    plain = network.elsewhere
    assert plain.elsewhere is plain


def test_a_child_of_a_fork_makes_contexts() -> None:
    """The lock of its parent may have been held by a thread that it does not have."""
    with tls._making:
        child = os.fork()
        if not child:
            signal.alarm(60)
            tls_context(certified_network())
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_contexts_are_made_once() -> None:
    network = NetworkSettings(ca_certificates=CA.certificate)
    assert tls_context(network) is tls_context(NetworkSettings(ca_certificates=CA.certificate))
    assert tls_context(network).minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.fault("F62")
def test_a_bundle_out_of_all_measure_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.pem"
    with bundle.open("wb") as file:
        file.truncate(17 * 2**20)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with pytest.raises(ConfigurationError, match="larger than 16 MiB") as caught:
        tls_context(NetworkSettings())
    assert caught.value.field == "SSL_CERT_FILE"
