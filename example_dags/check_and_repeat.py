"""Check what the API answers, and repeat the call while it is busy.

Connection ``orders_api``: scope ``orders.read``, API base URL. ``run`` sends once; only
``retry_args`` (of tenacity) repeats, here on statuses such as 429 and 503. Authorization errors that
repeating cannot mend fail the task at once.
"""

from __future__ import annotations

from typing import Any

import tenacity
from airflow.sdk import dag

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    return isinstance(error, OAuthError) and error.retryable


def has_orders(response: Any) -> bool:
    """Whether the response is worth going on with."""
    return bool(response.json()["orders"])


@dag(schedule=None, catchup=False, tags=["example", "oauth2"])
def oauth2_check_and_repeat() -> None:
    OAuth2HttpOperator(
        task_id="fetch_orders",
        oauth2_conn_id="orders_api",
        method="GET",
        endpoint="orders",
        response_check=has_orders,
        retry_args={
            "wait": tenacity.wait_exponential_jitter(initial=1, max=30),
            "stop": tenacity.stop_after_delay(120),
            "retry": tenacity.retry_if_exception(may_pass),
            "reraise": True,
        },
    )


oauth2_check_and_repeat()
