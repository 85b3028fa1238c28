"""The token provider, by the OpenLineage client and Airflow's provider of it, at a collector on loopback."""

from __future__ import annotations

import json
import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.adapters import openlineage
from airflow_oauth_provider.exceptions import ConfigurationError, ConnectionNotFoundError
from tests.demo.dag_runs import AirflowHome
from tests.support.consumer_pages import shown_options
from tests.support.servers.scripted import token_json
from tests.support.service import Service
from tests.support.waiting import until

DAG = """
from airflow.sdk import dag

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


@dag(schedule=None)
def orders_run():
    OAuth2HttpOperator(task_id="orders", oauth2_conn_id="my_api", method="GET", endpoint="orders?day=1")


orders_run()
"""
PATH = "airflow_oauth_provider.adapters.openlineage.OAuth2TokenProvider"


@pytest.fixture
def service(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A connection ``my_collector``, which nobody has lent."""
    service.token = lambda request: token_json(f"tok-{request.form['scope'][0].replace(' ', '+')}")
    monkeypatch.setenv("AIRFLOW_CONN_MY_COLLECTOR", service.environment(scope="own"))
    return service


def test_there_is_nothing_else_in_the_module() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'TokenProvider'"):
        _ = openlineage.TokenProvider


@pytest.mark.airflow
@pytest.mark.consumer("openlineage.client", "airflow.providers.openlineage")
class TestWithOpenLineage:
    @staticmethod
    def config(service: Service, kind: str = "http", **auth: Any) -> dict[str, Any]:
        auth = {"type": PATH, "oauth2_conn_id": "my_collector", **auth}
        return {
            "transport": {"type": kind, "url": service.server.url, "endpoint": "api/lineage", "auth": auth}
        }

    @staticmethod
    def event(run: str | None = None) -> Any:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

        time, producer = "2026-01-01T00:00:00.000Z", "https://tests.example"
        run_id = run or str(uuid.uuid4())
        return RunEvent(
            eventTime=time,
            producer=producer,
            eventType=RunState.START,
            run=Run(runId=run_id),
            job=Job(namespace="tests", name="job"),
        )

    def test_it_is_what_openlineage_wants(self, service: Service) -> None:
        from openlineage.client.transport.http import TokenProvider, create_token_provider

        provider = create_token_provider({"type": PATH, "oauth2_conn_id": "my_collector"})
        assert isinstance(provider, TokenProvider)
        assert type(provider) is openlineage.OAuth2TokenProvider
        assert type(provider).__module__ == openlineage.__name__
        assert repr(provider) == "<OAuth2TokenProvider of connection 'my_collector'>"
        assert provider.get_bearer() == "Bearer tok-own"

    @pytest.mark.parametrize("kind", ["http", "async_http"])
    def test_its_own_client_emits_with_the_token(self, kind: str, service: Service) -> None:
        from openlineage.client import OpenLineageClient

        client = OpenLineageClient(config=self.config(service, kind, scope="lineage write"))
        client.emit(self.event())
        client.close(10)
        assert [call.header("Authorization") for call in service.calls] == ["Bearer tok-lineage+write"]
        assert service.calls[0].target == "/api/lineage"
        assert len(service.token_requests) == 1

    def test_airflows_provider_finds_it_in_airflow_cfg(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As the page shows it."""
        adapter = self.provider()
        ((option, shown),) = shown_options("openlineage").items()
        transport = json.loads(shown) | {"url": service.server.url}
        monkeypatch.setenv(option, json.dumps(transport))
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", service.environment())
        adapter.emit(self.event())
        assert [call.header("Authorization") for call in service.calls] == ["Bearer tok-lineage.write"]

    def test_where_a_connection_names_it_it_must_be_lent(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who edits that connection chooses the collector."""
        adapter = self.provider()
        stored = json.dumps({"conn_type": "generic", "extra": self.config(service)})
        monkeypatch.setenv("AIRFLOW_CONN_LINEAGE", stored)
        monkeypatch.setenv("AIRFLOW__OPENLINEAGE__CONFIG_CONN_ID", "lineage")
        with pytest.raises(ConfigurationError, match='"lent_connections = my_collector"'):
            adapter.emit(self.event())
        assert service.server.requests == []
        monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_collector")
        adapter.emit(self.event())
        assert [call.header("Authorization") for call in service.calls] == ["Bearer tok-own"]

    @staticmethod
    def provider() -> Any:
        """Return what Airflow's provider emits with; under pytest it reads its configuration each time."""
        from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter

        return OpenLineageAdapter()

    @pytest.mark.parametrize(
        ("auth", "says"),
        [
            pytest.param({"oauth2_conn_id": ""}, "must name a connection as oauth2_conn_id", id="no id"),
            pytest.param({"conn_id": "my_collector"}, "has no conn_id, only oauth2_conn_id", id="unknown"),
            pytest.param({"scope": "a\tb"}, "scope", id="a scope with a tab"),
        ],
    )
    def test_a_configuration_that_cannot_be_meant(
        self, auth: dict[str, str], says: str, service: Service
    ) -> None:
        from openlineage.client import OpenLineageClient

        with pytest.raises(ConfigurationError, match=says):
            OpenLineageClient(config=self.config(service, **auth))

    def test_a_connection_that_was_deleted(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        service.token = lambda _: token_json("tok-once", expires_in=0)
        provider = openlineage.OAuth2TokenProvider({"oauth2_conn_id": "my_collector"})
        assert provider.get_bearer() == "Bearer tok-once"
        monkeypatch.delenv("AIRFLOW_CONN_MY_COLLECTOR")
        with pytest.raises(ConnectionNotFoundError):
            provider.get_bearer()
        with pytest.raises(ConnectionNotFoundError):
            openlineage.OAuth2TokenProvider({"oauth2_conn_id": "my_collector"})

    def test_it_is_read_when_the_client_is_made(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No thread of the transport has to."""
        provider = openlineage.OAuth2TokenProvider({"oauth2_conn_id": "my_collector"})
        monkeypatch.delenv("AIRFLOW_CONN_MY_COLLECTOR")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(provider.get_bearer).result() == "Bearer tok-own"

    def test_fifty_threads(self, service: Service) -> None:
        provider = openlineage.OAuth2TokenProvider({"oauth2_conn_id": "my_collector"})
        together = threading.Barrier(50)

        def ask() -> str:
            together.wait()
            return str(provider.get_bearer())

        with ThreadPoolExecutor(50) as pool:
            assert {future.result() for future in [pool.submit(ask) for _ in range(50)]} == {"Bearer tok-own"}
        assert len(service.token_requests) == 1

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_in_a_forked_process(self, service: Service) -> None:
        """Airflow's provider forks for each event of a task."""
        from openlineage.client import OpenLineageClient

        client = OpenLineageClient(config=self.config(service))
        child = os.fork()
        if child == 0:  # pragma: no cover  (another process)
            ended = 1
            try:
                client.emit(self.event())
                ended = 0
            finally:
                os._exit(ended)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        until(lambda: service.calls, "the event has arrived")
        assert [call.header("Authorization") for call in service.calls] == ["Bearer tok-own"]

    @pytest.mark.slow
    def test_a_dag_run(self, service: Service, tmp_path: Path) -> None:
        """Airflow forks for the events of a task, and has a pool of processes for those of the DAG's run."""
        dags = tmp_path / "dags"
        dags.mkdir()
        (dags / "orders.py").write_text(DAG)
        home = AirflowHome(tmp_path / "home", dags)
        transport = self.config(service)["transport"]
        home.environment["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps(transport)
        home.migrate()
        connections = {name: json.loads(service.environment()) for name in ("my_collector", "my_api")}
        (outcome,), log = home.run(dags / "orders.py", connections=connections)
        assert outcome.state == "success", log
        events = [json.loads(call.body) for call in service.calls if call.target == "/api/lineage"]
        ended = [event["job"]["name"] for event in events if event["eventType"] == "COMPLETE"]
        assert sorted(ended) == ["orders_run", "orders_run.orders"]
        assert {call.header("Authorization") for call in service.calls} == {"Bearer tok-read"}
        assert len(service.token_requests) == 1, "of task, forks and pool"
        (told,) = [event for event in events if "oauth2" in event["run"].get("facets", {})]
        assert told["inputs"][0]["name"] == "/api/orders"
        assert told["run"]["facets"]["oauth2"]["connections"][0]["connectionId"] == "my_api"
        assert "tok-read" not in log
