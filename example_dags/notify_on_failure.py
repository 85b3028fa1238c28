"""Tell a protected API when a task fails.

Connection ``orders_api``: scope ``orders.write``, API base URL. The call is made with the connection's
token; templates know the task that failed. Every callback of Airflow takes the notifier.
"""

from __future__ import annotations

from airflow.sdk import dag, task

from airflow_oauth_provider.notifications.oauth2 import OAuth2HttpNotifier

notifier = OAuth2HttpNotifier(
    oauth2_conn_id="orders_api",
    endpoint="orders",
    json={"article": "{{ ti.task_id }}", "reference": "{{ run_id }}"},
)


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_notify_on_failure() -> None:
    @task(on_failure_callback=notifier)
    def import_orders() -> None:
        raise ValueError("nothing to import")

    import_orders()


oauth2_notify_on_failure()
