"""Call a protected API and use its response.

Connection ``orders_api``, of type "OAuth 2.0 (client credentials)": access token URL, client ID,
client secret, scope ``orders.read``, API base URL. Nothing in the DAG knows of OAuth.
"""

from __future__ import annotations

from airflow.sdk import dag, task

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_call_api() -> None:
    @task
    def total(orders: list[dict[str, int]]) -> int:
        return sum(order["amount"] for order in orders)

    fetched = OAuth2HttpOperator(
        task_id="fetch_orders",
        oauth2_conn_id="orders_api",
        method="GET",
        endpoint="orders",
        response_filter=lambda response: response.json()["orders"],
    )
    total(fetched.output)


oauth2_call_api()
