"""Retry when the server wants it, and not at all where repeating cannot help.

Connection ``orders_api``: scope ``orders.read``, API base URL. Airflow 3.3 or later. An API or
authorization server that is busy and answers ``Retry-After: 120`` is asked again after two minutes,
whatever ``retry_delay`` says; a refused client or a wrong configuration fails the task at once.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task

from airflow_oauth_provider.retry_policy import OAuth2RetryPolicy


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_retry_policy() -> None:
    @task(retries=5, retry_delay=timedelta(seconds=10), retry_policy=OAuth2RetryPolicy())
    def count_orders() -> int:
        from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook

        return len(OAuth2Hook("orders_api", method="GET").run("orders").json()["orders"])

    count_orders()


oauth2_retry_policy()
