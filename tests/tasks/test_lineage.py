"""What OpenLineage is told of tasks, by Airflow's provider of it and a collector on loopback."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_oauth_provider.operators.oauth2 import OAuth2AuthorizationCheckOperator, OAuth2HttpOperator
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.tokens.manager import shared
from tests.support.servers.scripted import Json, token_json
from tests.support.service import Service
from tests.triggers.running import to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.consumer("airflow.providers.openlineage")]
CONFIDENTIAL = ("tok-1", "a-client-secret", "the-id-of-a-person")


@pytest.fixture(autouse=True)
def _connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.token = lambda _: token_json("tok-1", scope="write read")
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(scope="read write more"))


@pytest.fixture(autouse=True)
def _own_lineage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task has a process of its own: without what hooks of other tests have reported, which 3.0 keeps."""
    hook = sys.modules.get("airflow.lineage.hook")
    if hook is not None:
        monkeypatch.setattr(hook, "_hook_lineage_collector", None, raising=False)


def operator(**arguments: Any) -> OAuth2HttpOperator:
    given = {"oauth2_conn_id": "my_api", "method": "GET", "endpoint": "orders/7?person=the-id-of-a-person"}
    return OAuth2HttpOperator(task_id="call", **{**given, **arguments})


def told(task: Any, service: Service, monkeypatch: pytest.MonkeyPatch, *, failed: bool = False) -> Any:
    """Return what a collector gets of a task that has ended."""
    from airflow.providers.openlineage.extractors.manager import ExtractorManager
    from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
    from airflow.utils.state import TaskInstanceState
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    state = TaskInstanceState.FAILED if failed else TaskInstanceState.SUCCESS
    run = SimpleNamespace(run_id="a run")
    lineage = ExtractorManager().extract_metadata(run, task, state, SimpleNamespace())
    event = RunEvent(
        eventTime="2026-01-01T00:00:00.000Z",
        producer="https://tests.example",
        eventType=RunState.FAIL if failed else RunState.COMPLETE,
        run=Run(runId=str(uuid.uuid4()), facets=lineage.run_facets),
        job=Job(namespace="tests", name="job"),
        inputs=lineage.inputs,
    )
    asked = len(service.token_requests)
    transport = {"type": "http", "url": service.server.url, "endpoint": "lineage"}
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(transport))
    OpenLineageAdapter().emit(event)
    assert len(service.token_requests) == asked, "nobody is asked for a token"
    call = service.calls[-1]
    assert call.target == "/lineage"
    assert [value for value in CONFIDENTIAL if value in call.body.decode()] == []
    event = json.loads(call.body)
    facet = event["run"]["facets"]["oauth2"]
    return [(item["namespace"], item["name"]) for item in event["inputs"]], facet["connections"]


def authorization(service: Service, **changes: Any) -> dict[str, Any]:
    host = service.server.url.removeprefix("http://")
    facts = {"connectionId": "my_api", "server": host, "grantedScopes": ["read", "write"], **changes}
    return {name: value for name, value in facts.items() if value is not None}


@pytest.mark.parametrize("deferrable", [False, True], ids=["on the worker", "deferred"])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(operator, id="operator"),
        pytest.param(
            lambda **arguments: OAuth2HttpSensor(
                task_id="wait",
                oauth2_conn_id="my_api",
                endpoint="orders/7?person=the-id-of-a-person",
                poke_interval=0.05,
                **arguments,
            ),
            id="sensor",
        ),
    ],
)
def test_a_task_that_has_called_an_api(
    make: Callable[..., Any], service: Service, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(deferrable=deferrable)
    to_the_end(task)
    inputs, connections = told(task, service, monkeypatch)
    assert inputs == [(service.server.url, "/api/orders/7")]
    assert connections == [authorization(service)]


def test_a_failed_task(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.api = lambda request: Json({}, 404 if "/orders" in request.target else 200)
    task = operator()
    with pytest.raises(AirflowException):
        task.execute({})
    inputs, connections = told(task, service, monkeypatch, failed=True)
    assert inputs == [(service.server.url, "/api/orders/7")]
    assert connections == [authorization(service)]


def test_of_a_client_that_is_refused_no_scopes_are_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    task = operator()
    with pytest.raises(AirflowException):
        task.execute({})
    _, connections = told(task, service, monkeypatch, failed=True)
    assert connections == [authorization(service, grantedScopes=None)]


def test_of_a_connection_that_is_wrong_its_id(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(auth_method="no such method"))
    task = operator()
    with pytest.raises(AirflowException):
        task.execute({})
    assert told(task, service, monkeypatch, failed=True) == ([], [{"connectionId": "my_api"}])


def test_a_token_that_another_process_has_asked_for(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the triggerer does: the worker finds its scopes in the store, and asks for none."""
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    operator().execute({})
    shared.clear()
    _, connections = told(operator(), service, monkeypatch)
    assert connections == [authorization(service)]
    shared.clear()
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "elsewhere"))
    _, connections = told(operator(), service, monkeypatch)
    assert connections == [authorization(service, grantedScopes=None)]


def test_an_endpoint_that_was_refused_is_not_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    task = operator(endpoint="https://elsewhere.example/orders")
    with pytest.raises(AirflowException):
        task.execute({})
    inputs, connections = told(task, service, monkeypatch, failed=True)
    assert inputs == []
    assert connections == [authorization(service, grantedScopes=None)]


def test_parameters_of_the_call(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the token that the call was made with."""
    service.token = lambda request: token_json("tok-1", scope=request.form["scope"][0])
    operator().execute({})
    task = operator(scope="other")
    task.execute({})
    _, connections = told(task, service, monkeypatch)
    assert connections == [authorization(service, grantedScopes=["other"])]


def test_an_address_that_only_a_token_names(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"base_url": "{instance_url}/api", "allowed_origins": [service.server.url]}
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(**extra))
    assert told(operator(), service, monkeypatch)[0] == []


def test_the_check_of_authorizations(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.token = lambda request: (
        Json({"error": "invalid_client"}, 401)
        if b"bad" in request.body
        else token_json("tok-1", scope="read")
    )
    monkeypatch.setenv("AIRFLOW_CONN_BAD", service.environment(scope="bad", login="other"))
    task = OAuth2AuthorizationCheckOperator(task_id="check", oauth2_conn_ids=["my_api", "bad"])
    with suppress(AirflowException):
        task.execute({"ti": SimpleNamespace(xcom_push=lambda **_: None)})
    inputs, connections = told(task, service, monkeypatch, failed=True)
    assert inputs == []
    assert connections == [
        authorization(service, grantedScopes=["read"]),
        authorization(service, connectionId="bad", grantedScopes=None),
    ]
