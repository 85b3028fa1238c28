from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_oauth_provider.exceptions import ConfigurationError, InvalidClientError, TransportError
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.tasks.calling_task import CallingTask
from airflow_oauth_provider.transport.stopping import TaskStoppedError


def task(**arguments: Any) -> CallingTask:
    given = {"task_id": "call", "oauth2_conn_id": "my_api", "method": "GET", "endpoint": "x", **arguments}
    return OAuth2HttpOperator(**given)


def test_one_hook_for_all_calls_that_the_task_can_stop() -> None:
    given: Any = task()
    assert given.hook is given.hook
    given.on_kill()
    with pytest.raises(TaskStoppedError):
        given.hook._client.stop.check()


@pytest.mark.fault("F48")
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"method": 3}, "method"),
        ({"deferrable": "yes"}, "deferrable"),
        ({"fail_fast": 1}, "fail_fast"),
        ({"tcp_keep_alive_idle": 0}, "tcp_keep_alive_idle"),
        ({"extra_options": {"timeuot": 1}}, "extra_options"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_the_task_is_made(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        task(**arguments)
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("error", "fail_fast", "raised"),
    [
        (InvalidClientError("x", status=401), True, AirflowFailException),
        (InvalidClientError("x", status=401), False, InvalidClientError),
        (TransportError("x"), True, TransportError),
    ],
)
def test_a_permanent_failure_fails_fast(error: Exception, fail_fast: bool, raised: type[Exception]) -> None:
    with pytest.raises(raised) as caught, task(fail_fast=fail_fast)._failing_fast():
        raise error
    assert caught.type is raised
