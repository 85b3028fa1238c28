"""Make several calls in one task: one session, one token.

Connection ``orders_api``: scope ``orders.read orders.write``, API base URL.
"""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_hook_in_task() -> None:
    @task
    def copy_orders() -> int:
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        source = OAuth2Hook("orders_api", method="GET")
        target = OAuth2Hook("orders_api", method="POST")
        orders = source.run("orders").json()["orders"]
        for order in orders:
            target.run("orders", json={"article": "copy", "amount": order["amount"]})
        return len(orders)

    copy_orders()


oauth2_hook_in_task()
