"""The state of a deferred task, where Airflow hands back the event alone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred

from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.tasks.kept_state import _kept, keep, kept_state
from tests.sensors.sensing import last_poll, sensor


def context_of(task_instance: object) -> dict[str, Any]:
    return {"ti": SimpleNamespace(id=task_instance)}


@pytest.fixture
def context() -> dict[str, Any]:
    return context_of("ti-1")


def deferral(function: Callable[..., Any], *arguments: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        function(*arguments)
    return deferred.value


def test_it_is_that_of_the_task_instance(context: dict[str, Any]) -> None:
    keep(context, 1)
    keep(context_of("ti-2"), 2)
    assert kept_state(context_of("ti-2"), None) == 2
    assert kept_state(context, None) == 1
    assert kept_state(context, None) is None, "it comes back once"


def test_what_airflow_keeps_counts_more(context: dict[str, Any]) -> None:
    keep(context, 1)
    assert kept_state(context, 7) == 7
    assert not _kept


def test_without_a_task_instance_nothing_is_kept() -> None:
    keep({}, 1)
    assert kept_state({}, None) is None
    assert not _kept


@pytest.mark.parametrize(("method", "numbers"), [("GET", [1, 2, 3]), ("POST", [2, 3])])
def test_attempts_of_the_operator_come_to_their_end(
    method: str, numbers: list[int], context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ResourceError("busy", status=503)
    event = {"status": "waited"} if method == "POST" else {"status": "error", "error": {"type": "ValueError"}}
    task = OAuth2HttpOperator(
        task_id="t",
        oauth2_conn_id="orders",
        method=method,
        endpoint="x",
        deferrable=True,
        retry_args={"stop": tenacity.stop_after_attempt(3), "wait": tenacity.wait_none(), "reraise": True},
    )
    monkeypatch.setattr(OAuth2HttpOperator, "_outcome", lambda *_: error)
    steps = [deferral(task.execute, context)]
    steps += [deferral(task.execute_complete, context, event) for _ in numbers[1:]]
    with pytest.raises(AirflowException):
        task.execute_complete(context, event)
    assert [step.kwargs["attempts"]["number"] for step in steps if step.kwargs] == numbers


def test_the_time_of_a_sensor_does_not_begin_anew(context: dict[str, Any]) -> None:
    task = sensor(deferrable=True, response_check=lambda _: False)
    first = deferral(task.execute, context)
    assert isinstance(first.kwargs, dict)
    keep(context, first.kwargs["started_at"] - 10)
    event = last_poll({"status_code": 200, "reason": "", "url": "https://x", "headers": {}, "content": ""})
    second = deferral(task.execute_complete, context, event)
    assert second.kwargs == {"started_at": first.kwargs["started_at"] - 10}
