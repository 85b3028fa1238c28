"""Airflow's own Snowflake and PostgreSQL hooks take tokens of the connection in their ``azure_conn_id``.

Their code runs as it is published; only Snowflake itself is not there.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from tests.conftest import require_server
from tests.support.servers.scripted import token_json
from tests.support.service import Service

pytestmark = pytest.mark.airflow

LOGIN = "warehouse_reader"


@pytest.fixture
def lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A connection ``my_api`` that may be lent; its token says what was asked for."""
    service.token = lambda request: token_json(f"tok-{request.form['scope'][0]}")
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_api")
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(scope="own", login=LOGIN))
    return service


def scopes(service: Service) -> list[str]:
    return [request.form["scope"][0] for request in service.token_requests]


class TestSnowflake:
    @pytest.fixture
    def connect(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        connector = pytest.importorskip("snowflake.connector", reason="Snowflake is not installed")
        pytest.importorskip("airflow.providers.snowflake.hooks.snowflake", reason="no Snowflake provider")
        extra = {"account": "acme", "authenticator": "oauth", "azure_conn_id": "my_api"}
        given = {"conn_type": "snowflake", "login": "user", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(given))
        connect = create_autospec(connector.connect)
        monkeypatch.setattr(connector, "connect", connect)
        return connect

    def test_its_scope_is_asked_for_once(self, lent: Service, connect: Any) -> None:
        from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

        for _ in range(3):
            SnowflakeHook("warehouse").get_conn()
        scope = SnowflakeHook.default_azure_oauth_scope
        tokens = {call.kwargs["token"] for call in connect.call_args_list}
        assert (tokens, scopes(lent)) == ({f"tok-{scope}"}, [scope])

    def test_one_that_is_not_lent(self, lent: Service, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

        monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "")
        with pytest.raises(ConfigurationError, match='"lent_connections = my_api"'):
            SnowflakeHook("warehouse").get_conn()
        assert (connect.call_count, lent.token_requests) == (0, [])


@pytest.mark.slow
def test_postgresql_lets_in_who_has_the_token(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = pytest.importorskip("airflow.providers.postgres.hooks.postgres", reason="no PostgreSQL provider")
    import psycopg2

    from tests.system.cluster.main import postgres

    scope = stock.PostgresHook.default_azure_oauth_scope
    with ExitStack() as stack:
        try:
            address = stack.enter_context(postgres())
        except SystemExit as missing:
            require_server(str(missing))
        owner = psycopg2.connect(f"postgresql://{address}")
        stack.callback(owner.close)
        owner.autocommit = True
        with owner.cursor() as cursor:
            cursor.execute("SHOW hba_file")
            Path(cursor.fetchone()[0]).write_text(f"host all {LOGIN} 127.0.0.1/32 password\n")
            cursor.execute("SELECT pg_reload_conf()")
            cursor.execute(f"CREATE ROLE {LOGIN} LOGIN PASSWORD 'tok-{scope}'")
        port = int(address.rpartition(":")[2].partition("/")[0])
        given = {
            "conn_type": "postgres",
            "host": "127.0.0.1",
            "port": port,
            "schema": "postgres",
            "extra": {"iam": True, "azure_conn_id": "my_api"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(given))
        for _ in range(2):
            assert stock.PostgresHook("warehouse").get_first("SELECT current_user") == (LOGIN,)
        assert scopes(lent) == [scope]
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(f"postgresql://{LOGIN}:another@127.0.0.1:{port}/postgres")
