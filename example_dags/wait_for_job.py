"""Wait until a job of an API has ended, in the triggerer.

Connection ``orders_api``: scope ``orders.read``, API base URL. The check is declared, so that the
triggerer can do it; a Python callable works too, and brings each response to a worker.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_wait_for_job() -> None:
    OAuth2HttpSensor(
        task_id="wait_for_export",
        oauth2_conn_id="orders_api",
        endpoint="exports/7",
        response_check=ResponseCheck(json_path="$.state", expected="done", failed="error"),
        poke_interval=2,
        timeout=600,
        deferrable=True,
    )


oauth2_wait_for_job()
