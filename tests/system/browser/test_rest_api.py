"""Airflow's own REST API as an API like any other: a DAG of one Airflow triggers a DAG of another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_oauth_provider.connection.presets import preset_named
from airflow_oauth_provider.exceptions import ResourceError, TokenEndpointError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens.manager import shared
from tests.readme import ROOT
from tests.system.browser.airflow_server import SERVICE, AirflowServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("nightly_import", schedule=None):
    EmptyOperator(task_id="one")
"""


@pytest.fixture
def other_airflow(airflow: AirflowServer, monkeypatch: pytest.MonkeyPatch) -> AirflowServer:
    """One with a DAG, and a connection to it as the preset makes it."""
    dags = airflow.home / "dags"
    dags.mkdir(exist_ok=True)
    (dags / "nightly_import.py").write_text(DAG)
    airflow.airflow("dags", "reserialize")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_AIRFLOW", json.dumps(connection(airflow)))
    shared.clear()
    return airflow


def connection(airflow: AirflowServer, **changes: Any) -> dict[str, Any]:
    preset = preset_named("airflow-keycloak")
    return {
        "conn_type": "oauth2_client_credentials",
        "host": f"{airflow.url}/auth/token",
        "login": SERVICE,
        "password": airflow.password,
        "extra": {**preset.extra, "base_url": f"{airflow.url}/api/v2"},
        **changes,
    }


def recipe() -> dict[str, Any]:
    """Return the tasks as the page of this server shows them."""
    page = (ROOT / "docs" / "servers" / "airflow-keycloak.md").read_text()
    names: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    return names


def test_a_dag_triggers_a_dag_of_another_airflow(
    other_airflow: AirflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = recipe()
    run_id = tasks["trigger"].execute({})
    stored = other_airflow.call("GET", f"/dags/nightly_import/dagRuns/{run_id}").json()
    assert (stored["dag_run_id"], stored["state"]) == (run_id, "queued")
    assert (stored["triggered_by"], stored["triggering_user_name"]) == ("rest_api", SERVICE)
    assert stored["conf"] == {"day": "{{ ds }}"}
    waiting = tasks["finished"]
    waiting.endpoint = f"dags/nightly_import/dagRuns/{run_id}"
    assert waiting.poke({}) is False
    assert waiting._polling.progress.seen == '200, $.state = "queued"'
    done = other_airflow.call("PATCH", f"/dags/nightly_import/dagRuns/{run_id}", body={"state": "success"})
    assert done.status_code == 200
    assert waiting.poke({}) is True

    with pytest.raises(ResourceError) as refused:
        OAuth2Hook("other_airflow", "GET").run("connections")  # the service's role has no right to
    assert refused.value.status == 403
    wrong = json.dumps(connection(other_airflow, password="another"))
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", wrong)
    with pytest.raises(TokenEndpointError) as caught:
        OAuth2Hook("wrong", "GET").run("dags")
    assert caught.value.status == 401
