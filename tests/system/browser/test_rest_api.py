"""Airflow's own REST API as an API like any other: a DAG of one Airflow triggers a DAG of another."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from airflow_oauth_provider.connection.presets import preset_named
from airflow_oauth_provider.exceptions import ResourceError, TokenEndpointError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from tests.readme import ROOT
from tests.system.browser.airflow_server import SERVICE, AirflowServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("nightly_import", schedule=None):
    EmptyOperator(task_id="one")
"""
# Of the ``airflow`` command, in one process: starting it takes longer than both.
COMMANDS = """
import sys
from airflow.__main__ import main

for command in ("dags reserialize", "dags test import_elsewhere 2026-11-25"):
    sys.argv = ["airflow", *command.split()]
    main()
"""


@pytest.fixture
def other_airflow(airflow: AirflowServer) -> AirflowServer:
    """One with a DAG, and beside it that of the page.

    Both Airflows have this one home: between the DAGs there is nothing but the REST API.
    """
    dags = airflow.home / "dags"
    dags.mkdir(exist_ok=True)
    (dags / "nightly_import.py").write_text(DAG)
    (dags / "import_elsewhere.py").write_text(recipe())
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


def recipe() -> str:
    """Return the DAG as the page of this server shows it; it only looks more often, and not for ever."""
    page = (ROOT / "docs" / "servers" / "airflow-keycloak.md").read_text()
    shown = page.partition("```python\n")[2].partition("```")[0]
    assert shown.count("deferrable=True,") == 1
    return shown.replace("deferrable=True,", "deferrable=True, poke_interval=1, timeout=60,")


def triggered_run(airflow: AirflowServer, run: Future[str]) -> dict[str, Any]:
    """Wait for the run that the other DAG triggers."""
    while True:
        listed = airflow.call("GET", "/dags/nightly_import/dagRuns").json().get("dag_runs")
        if listed:  # neither before the other Airflow knows its DAG
            return dict(listed[0])
        assert not run.done(), run.result()
        time.sleep(0.1)


def test_a_dag_triggers_a_dag_of_another_airflow(
    other_airflow: AirflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = json.dumps(connection(other_airflow))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(other_airflow.python, "-c", COMMANDS, AIRFLOW_CONN_OTHER_AIRFLOW=given)
        stored = triggered_run(other_airflow, run)
        assert stored["state"] == "queued"
        assert (stored["triggered_by"], stored["triggering_user_name"]) == ("rest_api", SERVICE)
        assert stored["conf"] == {"day": "2026-11-25"}
        path = f"/dags/nightly_import/dagRuns/{stored['dag_run_id']}"
        assert not run.done(), "it waits for the run that it has triggered"
        assert other_airflow.call("PATCH", path, body={"state": "success"}).status_code == 200
        run.result()
    (waited,) = other_airflow.call("GET", "/dags/import_elsewhere/dagRuns").json()["dag_runs"]
    assert waited["state"] == "success"

    monkeypatch.setenv("AIRFLOW_CONN_OTHER_AIRFLOW", given)
    with pytest.raises(ResourceError) as refused:
        OAuth2Hook("other_airflow", "GET").run("connections")  # the service's role has no right to
    assert refused.value.status == 403
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(connection(other_airflow, password="another")))
    with pytest.raises(TokenEndpointError) as caught:
        OAuth2Hook("wrong", "GET").run("dags")
    assert caught.value.status == 401
