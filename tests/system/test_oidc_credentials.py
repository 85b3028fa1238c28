"""Credentials that lie outside of the connection, at an authorization server that we did not write."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from airflow.sdk import Connection

from airflow_oauth_provider.exceptions import ConfigurationError, InvalidClientError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.manager import shared
from tests.support.mounted import Mounted
from tests.support.servers.oidc_server import Client, OidcServer
from tests.support.sides import Side

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _fresh(oidc: OidcServer) -> None:
    shared.clear()
    oidc.reset()


def hook_of(oidc: OidcServer, client: Client, **extra: Any) -> OAuth2Hook:
    given = {"auth_method": client.method, "scope": "read", "jwt_audience": oidc.issuer, **extra}
    return OAuth2Hook(
        connection=Connection(
            conn_id="real_server",
            conn_type="oauth2_client_credentials",
            host=oidc.token_url,
            login=client.client_id,
            extra=json.dumps(given),
        )
    )


def allow(monkeypatch: pytest.MonkeyPatch, oidc: OidcServer, file: Path, *clients: Client) -> None:
    entry = {
        "file": str(file),
        "hosts": [urlsplit(oidc.issuer).netloc],
        "client_ids": [client.client_id for client in clients],
        "api_hosts": ["api.example"],
    }
    monkeypatch.setenv("AIRFLOW__OAUTH2__CREDENTIALS", json.dumps({"vault": entry}))


@pytest.mark.parametrize("name", ["basic", "post", "jwt", "ES256", "RS256"])
def test_a_secret_or_key_of_a_file(
    oidc: OidcServer, side: Side, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = oidc.clients[name]
    mounted = Mounted(tmp_path, credential=client.private_key or client.secret or "")
    allow(monkeypatch, oidc, mounted.path("credential"), client)
    hook = hook_of(oidc, client, external_credential="vault", jwt_algorithm=client.algorithm)
    assert oidc.introspect(side.token(hook).value)["client_id"] == client.client_id
    assert len(oidc.requests()) == 1


def test_a_file_with_the_key_of_another_client(
    oidc: OidcServer, side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = oidc.clients["ES256"], oidc.clients["RS256"]
    mounted = Mounted(tmp_path, credential=other.private_key or "")
    allow(monkeypatch, oidc, mounted.path("credential"), own)
    hook = hook_of(oidc, own, external_credential="vault")
    with pytest.raises(InvalidClientError):
        side.token(hook)
    mounted.exchange(credential=own.private_key or "")
    assert oidc.introspect(side.token(hook).value)["client_id"] == own.client_id, "rotated, and not edited"
    with pytest.raises(ConfigurationError, match="client_ids"):
        side.token(hook_of(oidc, other, external_credential="vault"))


def assertion(oidc: OidcServer, client: Client, **claims: Any) -> str:
    """Sign one as a platform would that knows the client's key."""
    now = int(time.time())
    usual = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": oidc.issuer,
        "iat": now,
        "exp": now + 300,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode({**usual, **claims}, client.private_key or "", algorithm=client.algorithm or "ES256")


def test_an_assertion_that_the_server_takes_once(
    oidc: OidcServer, side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = oidc.clients["ES256"]
    mounted = Mounted(tmp_path, idp=assertion(oidc, client))
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", urlsplit(oidc.issuer).netloc)
    monkeypatch.setenv("AIRFLOW__OAUTH2__ASSERTION_FOLDERS", str(tmp_path))
    hook = hook_of(oidc, client, auth_method="workload_identity", assertion_file=str(mounted.path("idp")))
    first = side.token(hook)
    assert oidc.introspect(first.value)["client_id"] == client.client_id
    for _ in range(3):
        with pytest.raises(InvalidClientError):
            side.call(hook, "get_token", force=True)
    assert len(oidc.requests()) == 2, "the server remembers each jti: it is told once more, and not again"
    assert side.token(hook).value == first.value
    mounted.exchange(idp=assertion(oidc, client))
    assert side.call(hook, "get_token", force=True).value != first.value


def test_an_assertion_that_has_ended(
    oidc: OidcServer, side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = oidc.clients["ES256"]
    mounted = Mounted(tmp_path, idp=assertion(oidc, client, exp=int(time.time()) - 60))
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", urlsplit(oidc.issuer).netloc)
    monkeypatch.setenv("AIRFLOW__OAUTH2__ASSERTION_FOLDERS", str(tmp_path))
    hook = hook_of(oidc, client, auth_method="workload_identity", assertion_file=str(mounted.path("idp")))
    for _ in range(2):
        with pytest.raises(InvalidClientError):
            side.token(hook)
    assert len(oidc.requests()) == 1
