"""What connections may have all at once: a client certificate, proofs with nonces, and a proxy behind TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.manager import shared
from tests.support.bound_tokens import CLIENTS, SERVERS, certified
from tests.support.dpop_service import DpopService, Nonces
from tests.support.servers.certificates import demanding_context, issue, issue_client, server_context
from tests.support.servers.scripted import ScriptedServer
from tests.support.servers.tls_proxy import TlsProxy
from tests.support.sides import Side


def test_a_certificate_proofs_and_a_proxy(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two nonces, none is taken for the other server's, and the tunnels lead to both servers."""
    (tmp_path / "proxy").mkdir()
    (tmp_path / "ca.pem").write_text(SERVERS.certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    demanding = demanding_context(issue(SERVERS), tmp_path, CLIENTS.certificate)
    with (
        ScriptedServer(demanding) as server,
        TlsProxy(server_context(issue(SERVERS), tmp_path / "proxy")) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        service = DpopService(
            server, issuing=Nonces("as", required=True), serving=Nonces("api", required=True)
        )
        connection = service.connection(**certified(issue_client(CLIENTS), ca_certificates=None))
        hook = OAuth2Hook(method="GET", connection=connection)
        shared.clear()
        for _ in range(3):
            assert side.run(hook, "/items").json()["method"] == "GET"
        service.serving.change()
        assert side.run(hook, "/items").status_code == 200
        assert len(service.bound) == 1, "one token"
        assert service.refused() == ["use_dpop_nonce"] * 3, "at first each server, then a nonce that is old"
        assert all(request.certificate for request in server.requests)
        assert len(proxy.certificates) >= 2
    shared.clear()
