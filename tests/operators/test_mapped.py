"""Mapped and templated tasks, deferred, as Airflow itself runs them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import airflow.sdk
import pytest

from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from tests.demo.dag_runs import AirflowHome

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        not hasattr(airflow.sdk.DAG, "test"), reason="Airflow 3.0.0 has no dag.test() for such a DAG"
    ),
]

DAG = """
import tenacity
from airflow.sdk import dag

from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.endpoints import ApiEndpoint, Request, Response
from airflow_oauth_provider.testing.server import OAuth2Server
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor


@dag(schedule=None, catchup=False, params={"conn": "my_api", "what": "orders"})
def deferred():
    mapped = OAuth2HttpOperator.partial(
        task_id="mapped",
        oauth2_conn_id="my_api",
        method="PUT",
        endpoint="mapped",
        request_kwargs={"params": {"k": "v"}},
        retry_args={"stop": tenacity.stop_after_attempt(2), "wait": tenacity.wait_fixed(0.1)},
        deferrable=True,
    ).expand(json=[{"i": 1}, {"i": 2}])
    waiting = OAuth2HttpSensor.partial(
        task_id="waiting",
        http_conn_id="{{ params.conn }}",
        headers={"X-What": "{{ params.what }}"},
        response_check=ResponseCheck(status=200),
        poke_interval=1,
        deferrable=True,
    ).expand(endpoint=["first", "second"])
    templated = OAuth2HttpOperator(
        task_id="templated",
        http_conn_id="{{ params.conn }}",
        method="GET",
        endpoint="{{ params.what }}",
        data={"q": "{{ params.what }}"},
        headers={"X-What": "{{ params.what }}"},
        response_filter=lambda response: {"told": response.json()["target"]},
        deferrable=True,
    )
    sent_on = OAuth2HttpOperator(
        task_id="sent_on",
        oauth2_conn_id="my_api",
        method="PUT",
        endpoint="sent",
        json=templated.output,
        deferrable=True,
    )
    mapped >> waiting >> templated >> sent_on


deferred()
"""


def test_they_make_the_calls_that_were_asked_for(api: ApiEndpoint, tmp_path: Path) -> None:
    file = tmp_path / "dags" / "deferred.py"
    file.parent.mkdir()
    file.write_text(DAG)
    home = AirflowHome(tmp_path / "home", dags=file.parent)
    home.environment["AIRFLOW__OAUTH2__TOKEN_STORE"] = "memory"
    home.migrate()
    (run,), log = home.run(file, connections={"my_api": json.loads(os.environ["AIRFLOW_CONN_MY_API"])})
    assert run.state == "success", log
    made = sorted((call.method, call.target, call.body, call.headers.get("x-what")) for call in api.requests)
    assert made == [
        ("GET", "/api/first", b"", "orders"),
        ("GET", "/api/orders?q=orders", b"", "orders"),
        ("GET", "/api/second", b"", "orders"),
        ("PUT", "/api/mapped?k=v", b'{"i": 1}', None),
        ("PUT", "/api/mapped?k=v", b'{"i": 2}', None),
        ("PUT", "/api/sent", b'{"told": "/api/orders?q=orders"}', None),
    ]
