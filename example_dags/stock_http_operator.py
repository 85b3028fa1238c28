"""Use Airflow's own HTTP operator: naming the connection is all that changes.

Connection ``orders_api``: scope ``orders.read``, API base URL. Keep ``deferrable=False``: the stock
operator's trigger knows nothing of this connection type.
"""

from __future__ import annotations

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import dag


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_stock_http_operator() -> None:
    HttpOperator(
        task_id="fetch_orders",
        http_conn_id="orders_api",
        method="GET",
        endpoint="orders",
        deferrable=False,
    )


oauth2_stock_http_operator()
