"""Call several APIs with one client: the DAG names the API, the connection authenticates.

Connection ``shared_client``: like any other, but without an API base URL, so that the choice is the
DAG's. Where it has one, ``base_url`` must lie in that origin or in its allowed origins.
"""

from __future__ import annotations

from airflow.sdk import dag

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


@dag(
    schedule=None,
    catchup=False,
    params={"orders": "https://orders.example/v1", "health": "https://health.example"},
    tags=["example", "oauth2"],
)
def oauth2_several_apis() -> None:
    for name, endpoint in (("orders", "orders"), ("health", "health")):
        OAuth2HttpOperator(
            task_id=f"get_{name}",
            oauth2_conn_id="shared_client",
            base_url=f"{{{{ params.{name} }}}}",
            method="GET",
            endpoint=endpoint,
        )


oauth2_several_apis()
