"""Follow "next page" links to the end, over one connection and with one token.

Connection ``orders_api``: scope ``orders.read``, API base URL. A link that leads to another host is
refused, unless the connection lists that host in its allowed origins.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


def next_page(response: Any) -> dict[str, Any] | None:
    """Return what differs in the next call, or nothing after the last page."""
    link = response.json()["next"]
    return {"endpoint": link} if link else None


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_all_pages() -> None:
    OAuth2HttpOperator(
        task_id="fetch_all_orders",
        oauth2_conn_id="orders_api",
        method="GET",
        endpoint="orders",
        pagination_function=next_page,
        response_filter=lambda pages: [order for page in pages for order in page.json()["orders"]],
    )


oauth2_all_pages()
