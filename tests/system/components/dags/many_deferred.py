"""Tasks that wait in the triggerer in every way there is."""

from __future__ import annotations

import tenacity
from airflow.sdk import Asset, AssetWatcher, dag, task

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpEventTrigger


@dag(schedule=None, catchup=False)
def many_deferred() -> None:
    for number in range(4):
        OAuth2HttpOperator(
            task_id=f"get_{number}",
            oauth2_conn_id="orders_api",
            method="GET",
            endpoint=f"slow/{number}",
            deferrable=True,
        )
    for number in range(3):
        OAuth2HttpSensor(
            task_id=f"wait_{number}",
            oauth2_conn_id="orders_api",
            endpoint=f"exports/{number}",
            response_check=ResponseCheck(json_path="state", expected="done"),
            poke_interval=3,
            deferrable=True,
        )
    for number in range(3):
        OAuth2HttpOperator(
            task_id=f"post_{number}",
            oauth2_conn_id="orders_api",
            method="POST",
            endpoint=f"reluctant/{number}",
            json={"number": number},
            deferrable=True,
            retry_args={
                "wait": tenacity.wait_fixed(15),
                "stop": tenacity.stop_after_attempt(3),
                "retry": tenacity.retry_if_exception_type(Exception),
                "reraise": True,
            },
        )
    OAuth2HttpOperator(
        task_id="gone", oauth2_conn_id="there_is_none", method="GET", endpoint="orders", deferrable=True
    )


many_deferred()

# Another watcher of what example_dags/on_change.py watches, and so no further poll.
also_prices = Asset(
    "also_prices",
    watchers=[
        AssetWatcher(
            name="also_prices_changed",
            trigger=OAuth2HttpEventTrigger(
                "orders_api",
                endpoint="prices",
                poll_interval=2,
                payload_path="$.version",
                response_check=ResponseCheck(json_path="$.version", expected=3),
            ),
        )
    ],
)


@dag(schedule=[also_prices], catchup=False)
def third_version() -> None:
    @task
    def announce() -> str:
        return "the third"

    announce()


third_version()
