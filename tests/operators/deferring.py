"""Deferred operators to test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator


def operator(**arguments: Any) -> OAuth2HttpOperator:
    return OAuth2HttpOperator(
        task_id="call",
        **{"oauth2_conn_id": "my_api", "method": "GET", "endpoint": "x", "deferrable": True, **arguments},
    )


def deferred(step: Callable[[], Any]) -> TaskDeferred:
    """Return the deferral in which a step ends."""
    with pytest.raises(TaskDeferred) as caught:
        step()
    return caught.value
