"""Libraries that are built on ``requests``, as their pages show them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.tokens.manager import shared
from tests.support.airflow_calls import noted_airflow_calls
from tests.support.bound_tokens import SERVERS
from tests.support.consumer_pages import run, shown
from tests.support.servers.certificates import issue, server_context
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, ScriptedServer, Text
from tests.support.service import Service


@pytest.fixture
def api(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The connection ``orders_api``, whose first token dies with the API's first response."""
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", service.environment(base_url=service.server.url))
    return service


def dying(service: Service, respond: Callable[[RecordedRequest], ScriptedResponse]) -> None:
    """Let the first token die with the first response."""

    def answer(request: RecordedRequest) -> ScriptedResponse:
        service.dead.add("tok-1")
        return respond(request)

    service.api = answer


def carried(service: Service) -> list[str]:
    return [(call.header("Authorization") or "").removeprefix("Bearer ") for call in service.calls]


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The same behind TLS, by an authority that only the connection knows."""
    shared.clear()
    with ScriptedServer(server_context(issue(SERVERS), tmp_path)) as server:
        service = Service(server)
        given = service.environment(base_url=server.url, ca_certificates=SERVERS.certificate)
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS_API", given)
        yield service
    shared.clear()


@pytest.mark.consumer("trino")
def test_trino(encrypted: Service) -> None:
    column = {"name": "id", "type": "integer", "typeSignature": {"rawType": "integer", "arguments": []}}

    def respond(request: RecordedRequest) -> ScriptedResponse:
        page = int(request.target.rpartition("/")[2]) if request.method == "GET" else 0
        more = {"nextUri": f"{encrypted.server.url}/v1/statement/q/{page + 1}"} if page < 2 else {}
        state = "RUNNING" if more else "FINISHED"
        return Json(
            {
                "id": "q",
                "infoUri": "",
                "stats": {"state": state},
                "columns": [column],
                "data": [[page]],
                **more,
            }
        )

    dying(encrypted, respond)
    instead = {'"trino.example", port=443': f'"127.0.0.1", port={encrypted.server.port}'}
    assert [row[0] for row in run("trino", instead)["rows"]] == [0, 1, 2]
    assert carried(encrypted) == ["tok-1", "tok-1", "tok-2", "tok-2"]


@pytest.mark.consumer("dlt")
def test_dlt(api: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    pages: dict[str, dict[str, Any]] = {
        "/v1/orders": {"orders": [4, 5], "next": f"{api.server.url}/v1/orders?page=2"},
        "/v1/orders?page=2": {"orders": [6], "next": None},
    }
    dying(api, lambda request: Json(pages[request.target]))
    instead = {"https://api.example": api.server.url}
    assert run("dlt", instead)["orders"] == [4, 5, 6]
    assert carried(api) == ["tok-1", "tok-1", "tok-2"]
    pages["/v1/orders"]["next"] = "https://elsewhere.example/"
    with pytest.raises(ConfigurationError, match="may not go to"):
        run("dlt", instead)


@pytest.mark.consumer("gql")
def test_gql(api: Service) -> None:
    dying(api, lambda _: Json({"data": {"orders": [{"id": 4}]}}))
    instead = {"https://api.example": api.server.url}
    for _ in range(2):
        assert run("gql", instead, "RequestsHTTPTransport")["orders"] == [{"id": 4}]
    assert asyncio.run(run("gql", instead, "AIOHTTPTransport")["orders"]()) == [{"id": 4}]
    assert carried(api) == ["tok-1", "tok-1", "tok-2", "tok-2"]
    assert json.loads(api.calls[-1].body)["query"]


@pytest.mark.consumer("elastic_transport", "elasticsearch")
def test_elasticsearch(api: Service) -> None:
    body, product = json.dumps({"hits": {"hits": [{"_id": "4"}]}}), [("X-Elastic-Product", "Elasticsearch")]
    dying(api, lambda _: Text(200, body, "application/json", product))
    names = run(
        "elasticsearch",
        {'"https"': '"http"', '"search.example", port=9200': f'"127.0.0.1", port={api.server.port}'},
    )
    assert names["hits"] == [{"_id": "4"}]
    assert names["search"].search(index="orders")["hits"]["hits"] == [{"_id": "4"}]
    assert carried(api) == ["tok-1", "tok-1", "tok-2"]


@pytest.mark.consumer("mlflow")
def test_mlflow(api: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found as MLflow finds any package's: by its entry point."""
    from mlflow import MlflowClient
    from mlflow.tracking.request_auth import registry

    (entry,) = [line for line in shown("mlflow", "toml").splitlines() if line[:1] != "["]
    installed = tmp_path / "orders-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: orders\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[mlflow.request_auth_provider]\n" + entry.replace('"', "") + "\n"
    )
    (tmp_path / "my_mlflow_auth.py").write_text(shown("mlflow", "python"))
    monkeypatch.syspath_prepend(str(tmp_path))
    known = registry.RequestAuthProviderRegistry()
    known.register_entrypoints()
    monkeypatch.setattr(registry, "_request_auth_provider_registry", known)
    for line in shown("mlflow", "ini").splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value.replace("https://mlflow.example", api.server.url))
    dying(api, lambda _: Json({"experiments": []}))
    calls = noted_airflow_calls(monkeypatch)
    for _ in range(4):
        assert list(MlflowClient(api.server.url).search_experiments()) == []
    assert carried(api) == ["tok-1", "tok-1", "tok-2", "tok-2", "tok-2"]
    assert sum(name == "read" for name, _ in calls) <= 2, "at first, and before the renewal"
