"""Airflow's own Snowflake and PostgreSQL hooks take tokens of the connection in their ``azure_conn_id``.

Their code runs as it is published, towards a real PostgreSQL, and a server that speaks as Snowflake does.
"""

from __future__ import annotations

import gzip
import json
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from tests.conftest import require_server
from tests.support.consumer_pages import shown_json, shown_options
from tests.support.servers.missing import ServerMissingError
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, ScriptedServer, token_json
from tests.support.service import Service

pytestmark = pytest.mark.airflow

LOGIN = "warehouse_reader"
LENT = "AIRFLOW__OAUTH2__LENT_CONNECTIONS"


@pytest.fixture
def lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A connection ``orders_api`` that may be lent; its token says what was asked for."""
    service.token = lambda request: token_json(f"tok-{request.form['scope'][0]}")
    monkeypatch.setenv(LENT, "orders_api")
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", service.environment(scope="own", login=LOGIN))
    return service


def scopes(service: Service) -> list[str]:
    return [request.form["scope"][0] for request in service.token_requests]


class Snowflake:
    """What Snowflake's own connector needs to log in, and to ask for one row."""

    ROWS: ClassVar[Any] = {
        "rowtype": [
            {"name": "X", "type": "text", "length": 10, "nullable": False, "precision": None, "scale": None}
        ],
        "rowset": [["a row"]],
        "parameters": [],
        "total": 1,
        "returned": 1,
        "queryId": "01",
        "queryResultFormat": "json",
        "statementTypeId": 4096,
    }
    LOGIN: ClassVar[Any] = {
        "token": "session",
        "masterToken": "m",
        "sessionId": 1,
        "parameters": [],
        "sessionInfo": {},
    }

    def __init__(self) -> None:
        self.logins: list[tuple[str, str]] = []

    def respond(self, request: RecordedRequest) -> ScriptedResponse:
        data: Any = self.ROWS if "query-request" in request.target else {}
        if "login-request" in request.target:
            packed = request.header("Content-Encoding") == "gzip"
            given = json.loads(gzip.decompress(request.body) if packed else request.body)["data"]
            self.logins.append((given["AUTHENTICATOR"], given["TOKEN"]))
            data = self.LOGIN
        return Json({"success": True, "code": None, "message": None, "data": data})


@pytest.mark.consumer("snowflake.connector", "airflow.providers.snowflake")
class TestSnowflake:
    @pytest.fixture
    def snowflake(self, scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Snowflake:
        from snowflake import connector

        given = shown_json("snowflake")
        given["extra"] |= {"host": "127.0.0.1", "port": scripted.port}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(given))
        # What the hook has no option for.
        monkeypatch.setattr(connector, "connect", partial(connector.connect, protocol="http"))
        made = Snowflake()
        scripted.script(made.respond)
        return made

    def test_its_scope_is_asked_for_once(self, lent: Service, snowflake: Snowflake) -> None:
        from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

        for _ in range(3):
            assert SnowflakeHook("warehouse").get_first("SELECT 1") == ("a row",)
        scope = SnowflakeHook.default_azure_oauth_scope
        assert (snowflake.logins, scopes(lent)) == ([("OAUTH", f"tok-{scope}")] * 3, [scope])

    def test_the_options_that_the_page_shows(
        self, lent: Service, snowflake: Snowflake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

        options = shown_options("snowflake")
        assert options.keys() == {LENT, "AIRFLOW__SNOWFLAKE__AZURE_OAUTH_SCOPE"}
        for name, value in options.items():
            monkeypatch.setenv(name, value)
        assert SnowflakeHook("warehouse").get_first("SELECT 1") == ("a row",)
        assert scopes(lent) == ["session:role-any"]

    def test_one_that_is_not_lent(
        self, lent: Service, snowflake: Snowflake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

        monkeypatch.setenv(LENT, "")
        with pytest.raises(ConfigurationError, match='"lent_connections = orders_api"'):
            SnowflakeHook("warehouse").get_first("SELECT 1")
        assert (snowflake.logins, lent.token_requests) == ([], [])


@pytest.mark.slow
@pytest.mark.consumer("airflow.providers.postgres", "psycopg2")
def test_postgresql_lets_in_who_has_the_token(lent: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg2
    from airflow.providers.postgres.hooks import postgres as stock

    from tests.support.servers.postgresql import postgres

    for name, value in shown_options("postgresql").items():
        monkeypatch.setenv(name, value)
    scope = stock.PostgresHook.default_azure_oauth_scope  # which the page shows, too
    with ExitStack() as stack:
        try:
            address = stack.enter_context(postgres())
        except ServerMissingError as missing:
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
        given = shown_json("postgresql") | {"host": "127.0.0.1", "port": port, "schema": "postgres"}
        given["extra"]["sslmode"] = "disable"
        for login in (given["login"], None):  # the user is that of the page, or our Client ID
            monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(given | {"login": login}))
            assert stock.PostgresHook("warehouse").get_first("SELECT current_user") == (LOGIN,)
        assert scopes(lent) == [scope]
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(f"postgresql://{LOGIN}:another@127.0.0.1:{port}/postgres")
