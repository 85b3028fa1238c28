"""Wait for a slow API without holding a worker.

Connection ``orders_api``: scope ``orders.read``, API base URL. The triggerer makes the call; filters and
checks run on the worker when the response is there. A method that is not idempotent, such as POST, the
worker sends itself: a triggerer that is started again would send it twice.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_deferred_call() -> None:
    OAuth2HttpOperator(
        task_id="fetch_orders",
        oauth2_conn_id="orders_api",
        method="GET",
        endpoint="orders",
        deferrable=True,
        response_filter=lambda response: len(response.json()["orders"]),
    )


oauth2_deferred_call()
