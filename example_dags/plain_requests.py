"""Keep code that uses ``requests``, and let the connection authenticate it.

Connection ``orders_api``: scope ``orders.read``, API base URL (the token goes nowhere else).
"""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_plain_requests() -> None:
    @task
    def count_orders() -> int:
        import requests
        from airflow.sdk import Connection

        from airflow_oauth_provider.auth import OAuth2Auth

        base_url = Connection.get("orders_api").extra_dejson["base_url"]
        with requests.Session() as session:
            session.auth = OAuth2Auth("orders_api")
            return len(session.get(f"{base_url}/orders", timeout=30).json()["orders"])

    count_orders()


oauth2_plain_requests()
