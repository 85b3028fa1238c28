"""The example DAGs, as users run them."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airflow.sdk
import pytest
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

from tests.demo.dag_runs import EXAMPLES, AirflowHome, Outcome
from tests.demo.orders import CLIENT_SECRET, OrdersServer

pytestmark = pytest.mark.airflow
needs_dag_test = pytest.mark.skipif(
    not hasattr(airflow.sdk.DAG, "test"), reason="Airflow 3.0.0 has no dag.test() for such a DAG"
)
# Airflow has retry policies from 3.3 on.
TOO_NEW = set() if hasattr(airflow.sdk, "RetryPolicy") else {"retry_policy"}
FILES = [file for file in sorted(EXAMPLES.glob("*.py")) if file.stem not in TOO_NEW]
# They have tests of their own: two ask for new tokens (tests/operators/test_authorization_check.py), one
# runs for events (tests/system/components).
ELSEWHERE = {"authorization_alerts", "authorization_check", "on_change"}
CALLING = [file for file in FILES if file.stem not in ELSEWHERE]
FAIL_ON_PURPOSE = {"notify_on_failure"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestEachFile:
    """One idea a file."""

    def test_it_is_short_and_names_its_connection(self, file: Path) -> None:
        text = file.read_text()
        assert len(text.splitlines()) <= 50
        docstring = ast.get_docstring(ast.parse(text)) or ""
        assert "Connection ``" in docstring

    def test_parsing_it_does_nothing(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No connection is read: there is none, and reading one would fail."""
        monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("network while parsing"))
        spec = importlib.util.spec_from_file_location(f"parsed_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> AirflowHome:
    home = AirflowHome(tmp_path_factory.mktemp("home"))
    home.migrate()
    return home


@pytest.fixture
def server() -> Iterator[OrdersServer]:
    with OrdersServer() as server:
        yield server


def run(home: AirflowHome, server: OrdersServer, *files: Path, **changes: Any) -> tuple[list[Outcome], str]:
    connections = {
        "orders_api": server.connection(**changes),
        "shared_client": server.connection(base_url=None),
    }
    conf = {"orders": f"{server.url}/shop/v1", "health": f"{server.url}/shop/v1", "article": "B-1"}
    return home.run(*files, connections=connections, conf=conf)


@pytest.mark.slow
@pytest.mark.timeout(400)  # Airflow 3.2 takes six seconds for each run
@needs_dag_test
def test_all_of_them_run(home: AirflowHome, server: OrdersServer) -> None:
    runs, log = run(home, server, *CALLING)
    states = {file.stem: outcome.state for file, outcome in zip(CALLING, runs, strict=True)}
    assert {name for name, state in states.items() if state != "success"} == FAIL_ON_PURPOSE, log
    results = {file.stem: outcome.results for file, outcome in zip(CALLING, runs, strict=True)}
    assert results["call_api"]["total"] == 60
    assert len(results["all_pages"]["fetch_all_orders"]) == 7
    assert results["several_apis"]["get_health"] == {"status": "ok"}
    assert server.posted[-1]["article"] == "B-1", "templates are rendered"
    assert "import_orders" in [order["article"] for order in server.posted], "the failure is told"
    assert server.counts()["token requests"] == 1, "one process, one client: one token for all DAGs"
    assert CLIENT_SECRET not in log


CARELESS = """
from airflow.sdk import dag, task

@dag(schedule=None, catchup=False)
def the_dag():
    @task
    def careless():
        try:
            from airflow.sdk._shared.secrets_masker import redact
        except ImportError:
            from airflow.sdk.execution_time.secrets_masker import redact
        from airflow.sdk import Connection
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
        token = OAuth2Hook("orders_api").get_token().value
        secret = Connection.get("orders_api").password
        return redact(f"token <{token}> secret <{secret}>")
    careless()

the_dag()
"""
FAILING = """
from datetime import timedelta
from airflow.sdk import dag
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator

@dag(schedule=None, catchup=False)
def failing():
    OAuth2HttpOperator(task_id="call", oauth2_conn_id="orders_api", method="GET", endpoint="orders",
                       retries=3, retry_delay=timedelta(seconds=0))

failing()
"""


@pytest.mark.slow
@needs_dag_test
@pytest.mark.fault("L18")
def test_masking_works_without_a_supervisor(server: OrdersServer, tmp_path: Path) -> None:
    """The masker itself is asked: Airflow 3.3 does not mask the console of ``dag.test()`` at all."""
    file = tmp_path / "careless.py"
    file.write_text(CARELESS)
    home = AirflowHome(tmp_path / "home", dags=tmp_path)
    home.migrate()
    (outcome,), log = run(home, server, file)
    assert outcome.state == "success", log
    assert outcome.results["careless"] == "token <***> secret <***>"
    assert not any(token in log for token in server._tokens)


@pytest.mark.slow
@needs_dag_test
@pytest.mark.fault("L21")
def test_a_permanent_error_uses_no_retries(server: OrdersServer, tmp_path: Path) -> None:
    file = tmp_path / "failing.py"
    file.write_text(FAILING)
    home = AirflowHome(tmp_path / "home", dags=tmp_path)
    home.migrate()
    (outcome,), log = run(home, server, file, password="not the client secret")
    assert outcome.state == "failed"
    assert dict(server.counts()) == {"token requests": 1}
    assert 'Connection "orders_api"' in log.replace('\\"', '"')
    assert "invalid_client" in log
    assert "UP_FOR_RETRY" not in log


STORED = """
import sqlalchemy
import tenacity
from airflow.models.connection import Connection
from airflow.sdk import dag
from airflow.utils import session as sessions
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator

with sessions.create_session() as session:
    session.execute(sqlalchemy.delete(Connection))  # Airflow reads this file again
    session.add(Connection(conn_id="stored_api", **{connection!r}))

@dag(schedule=None, catchup=False)
def stored():
    OAuth2HttpOperator(task_id="call", oauth2_conn_id="stored_api", method="GET", endpoint="nowhere",
                       deferrable=True, retry_args={{"stop": tenacity.stop_after_attempt(2),
                                                   "wait": tenacity.wait_none(), "reraise": True}})

stored()
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(InProcessTestSupervisor, "run_trigger_in_process"),
    reason="before Airflow 3.1 dag.test() gives a trigger no connection of the database, whoever asks",
)
def test_a_deferred_task_reads_the_database_and_ends(server: OrdersServer, tmp_path: Path) -> None:
    """``dag.test()`` gives coroutines no connection of the database, and tasks not what they have kept."""
    given = server.connection()
    connection = {**given, "extra": json.dumps(given["extra"])}
    file = tmp_path / "stored.py"
    file.write_text(STORED.format(connection=connection))
    home = AirflowHome(tmp_path / "home", dags=tmp_path)
    home.migrate()
    (outcome,), log = run(home, server, file)
    assert outcome.state == "failed"
    assert log.count("/shop/v1/nowhere answered 404 NOT FOUND in") == 2, log
    assert "there is no such connection" not in log
