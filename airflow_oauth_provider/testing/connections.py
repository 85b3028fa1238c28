"""Airflow connections to the server of a test, in the environment."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

import pytest

from airflow_oauth_provider.testing.listener import LOOPBACK
from airflow_oauth_provider.testing.server import OAuth2Server


class Connections:
    """Called with an id, makes the connection and returns the id; see :meth:`__call__`.

    Tokens stay in the memory of the process, no list of hosts holds, and no proxy stands before loopback.

    :param server: to which the connections lead.
    :param monkeypatch: by which all is undone.
    """

    def __init__(self, server: OAuth2Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server = server
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "memory")
        for option in ("ALLOWED_TOKEN_HOSTS", "ALLOWED_API_HOSTS"):
            monkeypatch.setenv(f"AIRFLOW__OAUTH2__{option}", "")
        for name in ("NO_PROXY", "no_proxy"):
            hosts = [os.environ[name]] if os.environ.get(name) else []
            monkeypatch.setenv(name, ",".join([*hosts, LOOPBACK]))

    def __call__(
        self,
        conn_id: str = "oauth2_default",
        *,
        host: str | None = None,
        login: str = "tests",
        password: str | None = None,
        **extra: Any,
    ) -> str:
        """Make a connection, or replace it.

        :param conn_id: its id.
        :param host: its access token URL; ``None`` for the server's.
        :param login: the client ID.
        :param password: the client secret; empty for none, ``None`` for one of its own, so that no test
            finds a token or a refusal of another.
        :param extra: extra fields, such as ``scope``, ``dpop`` or ``max_wait``; ``base_url`` is the server's.
        :return: the id.
        """
        connection = {
            "conn_type": "oauth2_client_credentials",
            "host": self._server.token_url if host is None else host,
            "login": login,
            "password": uuid.uuid4().hex if password is None else password,
            "extra": {"base_url": self._server.base_url, **extra},
        }
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return conn_id
