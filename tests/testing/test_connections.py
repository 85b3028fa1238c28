"""Connections that the plugin makes in the environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_oauth_provider.exceptions import InvalidClientError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.server import OAuth2Server

pytestmark = pytest.mark.airflow


def test_fields(oauth2_server: OAuth2Server, oauth2_connection: Connections) -> None:
    assert oauth2_connection("orders_api", login="me", scope="read", dpop=True) == "orders_api"
    made = BaseHook.get_connection("orders_api")
    assert (made.conn_type, made.host, made.login) == (
        "oauth2_client_credentials",
        oauth2_server.token_url,
        "me",
    )
    assert made.extra_dejson == {"base_url": oauth2_server.base_url, "scope": "read", "dpop": True}


def test_secrets(oauth2_connection: Connections) -> None:
    passwords = [BaseHook.get_connection(oauth2_connection(name)).password for name in ("one", "two")]
    assert len(set(passwords)) == 2
    assert BaseHook.get_connection(oauth2_connection("three", password="given")).password == "given"
    assert not BaseHook.get_connection(oauth2_connection("four", password="")).password


def test_no_test_meets_a_refusal_of_another(
    oauth2_server: OAuth2Server, oauth2_connection: Connections
) -> None:
    oauth2_server.token_endpoint.refuse()
    with pytest.raises(InvalidClientError):
        OAuth2Hook(oauth2_connection()).get_token()
    assert OAuth2Hook(oauth2_connection()).get_token().value == "token-1"


def test_lists_of_hosts_and_proxies_do_not_hold(
    oauth2_server: OAuth2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "idp.example")
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "api.example")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    with monkeypatch.context() as patch:
        oauth2_server.api.route("orders", "all")
        conn_id = Connections(oauth2_server, patch)("orders_api")
        assert OAuth2Hook(conn_id, method="GET").run("orders").text == "all"
        assert os.environ["NO_PROXY"] == "intranet.example,127.0.0.1"
    assert "AIRFLOW_CONN_ORDERS_API" not in os.environ
    assert os.environ["NO_PROXY"] == "intranet.example"


def test_a_process_of_the_test_has_it_too(
    oauth2_server: OAuth2Server, oauth2_connection: Connections
) -> None:
    oauth2_connection("orders_api")
    program = (
        "from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook; OAuth2Hook('orders_api').get_token()"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)
    assert len(oauth2_server.token_endpoint.requests) == 1
