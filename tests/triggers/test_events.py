"""Events and kept state of another version: a typed error, whatever their shape."""

from __future__ import annotations

import base64
import copy
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred

from airflow_oauth_provider.exceptions import OAuthError, ResourceError
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.protocol.error_record import to_dict
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.tasks.attempts import Attempts
from airflow_oauth_provider.tasks.polling import Progress
from airflow_oauth_provider.triggers.events import EventError, read_event
from tests.support.service import Service

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F86")]
RESPONSE = {
    "status_code": 200,
    "reason": "OK",
    "url": "https://api.example/x",
    "headers": {"Date": "now"},
    "content": base64.b64encode(b"{}").decode(),
}
SUCCESS = {"status": "success", "response": RESPONSE, "progress": Progress().state()}
ERROR = {
    "status": "error",
    "error": to_dict(ResourceError("m", status=404)),
    "progress": Progress().state(),
}
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    10**400,
    float("nan"),
    "",
    "x",
    "\ud800",
    [],
    ["x"],
    {},
    {"x": 1},
]


@pytest.fixture(autouse=True)
def _connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())


def operator(event: Any, **state: Any) -> Any:
    task = OAuth2HttpOperator(task_id="x", oauth2_conn_id="my_api", method="GET", deferrable=True)
    return task.execute_complete({}, event, **{"attempts": Attempts.first().state(), **state})


def sensor(event: Any, **state: Any) -> Any:
    task = OAuth2HttpSensor(
        task_id="x", oauth2_conn_id="my_api", endpoint="x", deferrable=True, response_check=lambda _: True
    )
    return task.execute_complete({}, event, **{"started_at": time.time(), **state})


def changed(value: Any) -> Iterator[Any]:
    """Yield a JSON value with each of its parts left out, of another kind, or beside one more."""
    yield from ODD
    if isinstance(value, dict):
        yield {**value, "news": 1}
        for name, inner in value.items():
            yield {other: kept for other, kept in value.items() if other != name}
            for odd in changed(inner):
                yield {**value, name: odd}


@pytest.mark.parametrize("task", [operator, sensor])
@pytest.mark.parametrize("event", [SUCCESS, ERROR], ids=["success", "error"])
def test_each_part_of_an_event_of_another_kind(task: Callable[..., Any], event: dict[str, Any]) -> None:
    """Understood or refused, and nothing else: no KeyError, no TypeError."""
    refusals = []
    for other in changed(event):
        try:
            task(copy.deepcopy(other))
        except EventError as error:
            refusals.append(error)
        except (OAuthError, AirflowException):
            pass
    assert len(refusals) > 100
    assert {(error.retryable, error.conn_id) for error in refusals} == {(True, "my_api")}
    assert all("another version" in str(error) for error in refusals)


@pytest.mark.parametrize("task", [operator, sensor])
def test_each_part_of_the_kept_state_of_another_kind(task: Callable[..., Any]) -> None:
    states: list[dict[str, Any]] = [{"news": 1}, {"tries": {"number": 1}}]
    kept = {"attempts": Attempts.first().state()} if task is operator else {"started_at": time.time()}
    states += [state for state in changed(kept) if isinstance(state, dict) and state]
    refused = 0
    for state in states:
        try:
            task(SUCCESS, **{str(name): value for name, value in state.items()})
        except EventError:
            refused += 1
        except TaskDeferred:
            pass
    assert refused >= len(states) / 2


def test_random_events() -> None:
    chance = random.Random(7)

    def value(depth: int = 0) -> Any:
        names = ["status", "response", "error", "progress", "type", "message", "status_code", "content"]
        if depth < 4 and chance.random() < 0.5:
            return {chance.choice(names): value(depth + 1) for _ in range(4)}
        return chance.choice([*ODD, "success", "error", "waited", "timeout", "ResourceError"])

    for _ in range(3000):
        with suppress(EventError):
            read_event(value(), "success", "error", "waited", "timeout", conn_id="c")


def test_what_is_understood_is_understood() -> None:
    assert operator(SUCCESS) == "{}"
    assert sensor(SUCCESS) is None
    for task in (operator, sensor):
        with pytest.raises(ResourceError):
            task(ERROR)
    report = read_event({"status": "error", "error": {"type": "KeyError"}}, "error", conn_id="c")
    assert type(report.error) is AirflowException


def test_a_retry_helps_and_so_the_task_is_not_failed_for_good() -> None:
    with pytest.raises(EventError):
        operator({"status": "done"})
