from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
import tenacity
from requests import Response

from airflow_oauth_provider.exceptions import InvalidClientError, TransportError
from airflow_oauth_provider.tasks.attempts import Attempts, NextAttempt, decide, with_retry_condition
from airflow_oauth_provider.transport.stopping import TaskStoppedError

TWICE: dict[str, Any] = {
    "wait": tenacity.wait_fixed(30),
    "stop": tenacity.stop_after_attempt(2),
    "retry": tenacity.retry_if_exception_type(Exception),
    "reraise": True,
}


def test_attempts_survive_json() -> None:
    attempts = Attempts(3, 1000.5, 60.0)
    assert Attempts.of(json.loads(json.dumps(attempts.state()))) == attempts
    assert Attempts.first().number == 1


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"number": 1},
        {"number": "1", "started_at": 0, "idle_for": 0},
        {"number": True, "started_at": 0, "idle_for": 0},
        {"number": 1.5, "started_at": 0, "idle_for": 0},
        {"number": 1, "started_at": float("nan"), "idle_for": 0},
        {"number": 1, "started_at": float("inf"), "idle_for": 0},
        pytest.param({"number": 1, "started_at": 10**400, "idle_for": 0}, id="401-digits[F12]"),
        pytest.param({"number": 10**400, "started_at": 0, "idle_for": 0}, id="401-digits-of-attempts[F12]"),
        {"number": 1, "started_at": 0, "idle_for": -1},
        {"number": 1, "started_at": 0, "idle_for": 0, "more": 0},
    ],
)
def test_what_another_version_has_written(state: Any) -> None:
    with pytest.raises(ValueError, match="attempts"):
        Attempts.of(state)


def test_what_is_left_of_the_time_for_all() -> None:
    attempts = Attempts(1, time.time() - 40)
    left = attempts.left_of(timedelta(seconds=60))
    assert left is not None
    assert 15 < left.total_seconds() <= 20
    assert attempts.left_of(timedelta(seconds=10)) == timedelta(0)
    assert attempts.left_of(None) is None
    minute = timedelta(seconds=60)
    assert Attempts(1, time.time() + 1000).left_of(minute) == minute, "no more, where a clock was set back"


def test_without_retry_args_the_outcome_is_the_result() -> None:
    response = Response()
    assert decide(response, Attempts.first(), None) is response
    with pytest.raises(TransportError):
        decide(TransportError("x"), Attempts.first(), {})


def test_the_next_attempt_comes_when_tenacity_says() -> None:
    error = TransportError("x")
    before = time.time()
    later = decide(error, Attempts(1, before), TWICE)
    assert isinstance(later, NextAttempt)
    assert later.attempts == Attempts(2, before, 30.0)
    assert before + 30 <= later.at <= time.time() + 30
    third = decide(error, later.attempts, {**TWICE, "stop": tenacity.stop_never})
    assert isinstance(third, NextAttempt)
    assert (third.attempts.number, third.attempts.idle_for) == (3, 60.0)
    with pytest.raises(TransportError):
        decide(error, later.attempts, TWICE)
    with pytest.raises(tenacity.RetryError):
        decide(error, later.attempts, {**TWICE, "reraise": False})
    fallback = {**TWICE, "retry_error_callback": lambda state: f"after {state.attempt_number}"}
    assert decide(error, later.attempts, fallback) == "after 2"


@pytest.mark.parametrize(
    ("error", "fail_fast", "repeats"),
    [
        (TransportError("x"), True, True),
        (InvalidClientError("x", status=401), True, False),
        (InvalidClientError("x", status=401), False, True),
        (TaskStoppedError("x"), False, False),
        (RuntimeError("x"), True, True),
    ],
)
def test_what_cannot_help_is_not_repeated(error: Exception, fail_fast: bool, repeats: bool) -> None:
    arguments = with_retry_condition(TWICE, fail_fast=fail_fast)
    if repeats:
        assert isinstance(decide(error, Attempts.first(), arguments), NextAttempt)
    else:
        with pytest.raises(type(error)):
            decide(error, Attempts.first(), arguments)


def test_arguments_that_tenacity_does_not_take() -> None:
    with pytest.raises(TypeError):
        with_retry_condition({"wait_for": 1}, fail_fast=True)
    assert with_retry_condition(None, fail_fast=True) is None


@pytest.mark.parametrize("error", [TransportError("x"), KeyError("x")])
def test_without_a_condition_every_error_is_repeated(error: Exception) -> None:
    given = {name: TWICE[name] for name in ("wait", "stop")}
    arguments = with_retry_condition(given, fail_fast=True)
    assert isinstance(decide(error, Attempts.first(), arguments), NextAttempt)
    assert isinstance(decide(Response(), Attempts.first(), arguments), Response)


@pytest.mark.parametrize(
    "mistake", [{"stop": 3}, {"wait": 5}, {"retry": [ValueError]}, {"before_sleep": "log"}, {"stop": "3"}]
)
def test_a_number_where_tenacity_calls_a_function_is_refused_before_anything_fails(
    mistake: dict[str, Any],
) -> None:
    (name,) = mistake
    with pytest.raises(TypeError, match=f"^{name} must be a callable, as in stop=tenacity.stop_after_att"):
        with_retry_condition(mistake, fail_fast=True)


@pytest.mark.parametrize(
    "fine", [{"before_sleep": None}, {"wait": tenacity.wait_fixed(1)}, {"reraise": True}]
)
def test_what_tenacity_takes_is_taken(fine: dict[str, Any]) -> None:
    assert fine.items() <= (with_retry_condition(fine, fail_fast=True) or {}).items()
