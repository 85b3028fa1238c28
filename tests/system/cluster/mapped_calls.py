"""As many mapped tasks as told, each one call of the protected API."""

from __future__ import annotations

import os

from airflow.sdk import dag

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


@dag(schedule="@once", catchup=False, is_paused_upon_creation=False, max_active_tasks=32)
def mapped_calls() -> None:
    count = int(os.environ["CLUSTER_TASKS"])
    OAuth2HttpOperator.partial(task_id="call", oauth2_conn_id="orders_api", method="GET").expand(
        endpoint=[f"orders?from={number % 7}" for number in range(count)]
    )


mapped_calls()
