"""Send JSON, with values from templates.

Connection ``orders_api``: scope ``orders.write``, API base URL. A body is sent twice only when the
API refuses the token before it has looked at the order: once with the old token, once with a new one.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


@dag(schedule=None, catchup=False, params={"article": "A-17"}, tags=["example", "oauth2"])
def oauth2_post_json() -> None:
    OAuth2HttpOperator(
        task_id="create_order",
        oauth2_conn_id="orders_api",
        method="POST",
        endpoint="orders",
        json={"article": "{{ params.article }}", "reference": "{{ run_id }}"},
        response_filter=lambda response: response.json()["id"],
    )


oauth2_post_json()
