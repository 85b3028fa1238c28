"""The sensor: one behaviour on the worker and in the triggerer."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    PokeReturnValue,
    TaskDeferred,
)

from airflow_oauth_provider.exceptions import ConfigurationError, InvalidClientError, ResourceError
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from tests.servers.scripted import Answer, CloseNow, Json
from tests.service import Service
from tests.triggers.running import to_the_end

pytestmark = [pytest.mark.airflow]


@pytest.fixture(autouse=True)
def _connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(max_retry_attempts=0))


@pytest.fixture(params=[False, True], ids=["worker", "deferred"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def sensor(**arguments: Any) -> OAuth2HttpSensor:
    return OAuth2HttpSensor(
        task_id="wait",
        **{
            "oauth2_conn_id": "my_api",
            "endpoint": "job/7",
            "poke_interval": 0.05,
            "timeout": 20,
            **arguments,
        },
    )


def wait(**arguments: Any) -> Any:
    return to_the_end(sensor(**arguments))


def answering(service: Service, *answers: Answer) -> None:
    left = list(answers)
    service.api = lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_it_waits_while_there_is_nothing(service: Service, deferrable: bool) -> None:
    answering(service, Json({}, 404), Json({}, 404), Json({}))
    wait(deferrable=deferrable, request_params={"a": "1"})
    assert [call.target for call in service.calls] == ["/api/job/7?a=1"] * 3
    assert len({call.connection for call in service.calls}) == 1
    assert len(service.token_requests) == 1


@pytest.mark.parametrize("listed", [["404", "409"], [404, 409]])
def test_the_allow_list_is_obeyed(service: Service, deferrable: bool, listed: list[Any]) -> None:
    answering(service, Json({}, 409), Json({}, 404), Json({}))
    wait(deferrable=deferrable, response_error_codes_allowlist=listed)
    assert len(service.calls) == 3
    answering(service, Json({}, 404))
    with pytest.raises(ResourceError) as caught:
        wait(deferrable=deferrable, response_error_codes_allowlist=[])
    assert caught.value.status == 404


@pytest.mark.parametrize("answer", [Json({}, 500), Json({}, 429), CloseNow()], ids=["500", "429", "cut"])
def test_what_passes_is_not_yet_within_the_budget(service: Service, deferrable: bool, answer: Answer) -> None:
    answering(service, answer, answer, Json({}))
    wait(deferrable=deferrable, max_consecutive_failures=3)
    answering(service, answer)
    before = len(service.calls)
    with pytest.raises(Exception, match="my_api"):
        wait(deferrable=deferrable, max_consecutive_failures=3)
    assert len(service.calls) - before == 3


@pytest.mark.parametrize("_case", [pytest.param(None, id="transient[R37]")])
def test_a_passing_token_failure_is_not_yet(service: Service, deferrable: bool, _case: None) -> None:
    answers = iter([Json({}, 408), Json({}, 408)])
    service.token = lambda _: next(answers, None) or Json({"access_token": "tok-9", "token_type": "Bearer"})
    wait(deferrable=deferrable)
    assert len(service.token_requests) == 3


@pytest.mark.parametrize("_case", [pytest.param(None, id="permanent[R37]")])
def test_a_refused_client_fails_at_once(service: Service, deferrable: bool, _case: None) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    with pytest.raises(AirflowFailException) as caught:
        wait(deferrable=deferrable)
    assert isinstance(caught.value.__cause__, InvalidClientError)
    assert len(service.token_requests) == 1


@pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("_case", [pytest.param(None, id="skipped[L35]")])
def test_a_skipped_task_says_why_first(
    service: Service, deferrable: bool, option: str, caplog: pytest.LogCaptureFixture, _case: None
) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    with caplog.at_level(logging.ERROR), pytest.raises(AirflowSkipException):
        wait(deferrable=deferrable, **{option: True})
    assert "invalid_client" in caplog.text


def test_never_fail_skips_what_passes_too(service: Service, deferrable: bool) -> None:
    answering(service, Json({}, 503))
    with pytest.raises(AirflowSkipException):
        wait(deferrable=deferrable, never_fail=True, max_consecutive_failures=2)


class TestChecks:
    """Python on the worker, declared ones anywhere."""

    def test_a_callable(self, service: Service, deferrable: bool) -> None:
        answering(service, Json({"state": "queued"}), Json({"state": "done"}))
        wait(deferrable=deferrable, response_check=lambda response: response.json()["state"] == "done")
        assert len(service.calls) == 2

    def test_its_value_is_the_tasks(self, service: Service, deferrable: bool) -> None:
        answering(service, Json({"rows": 3}))
        found = wait(
            deferrable=deferrable,
            response_check=lambda response: PokeReturnValue(True, response.json()["rows"]),
        )
        assert found == 3

    def test_a_declared_one(self, service: Service, deferrable: bool) -> None:
        answering(service, Json({"state": "queued"}), Json({"state": "done"}))
        wait(deferrable=deferrable, response_check=ResponseCheck(json_path="$.state", expected="done"))
        assert len(service.calls) == 2

    def test_every_status_reaches_it_where_answers_are_not_checked(
        self, service: Service, deferrable: bool
    ) -> None:
        answering(service, Json({}, 500), Json({}, 410))
        wait(
            deferrable=deferrable,
            extra_options={"check_response": False},
            response_check=ResponseCheck(status=410),
        )
        assert len(service.calls) == 2


def test_all_deferrals_together_last_as_long_as_the_sensor_may(service: Service) -> None:
    answering(service, Json({"state": "queued"}))
    task = sensor(deferrable=True, timeout=100, response_check=lambda _: False)
    with pytest.raises(TaskDeferred) as first:
        task.execute({})
    assert first.value.timeout is not None
    assert 99 < first.value.timeout.total_seconds() <= 100
    with pytest.raises(TaskDeferred) as later:
        task.execute_complete({}, {"status": "success", "response": _answer()}, started_at=_ago(90))
    assert later.value.timeout is not None
    assert later.value.timeout.total_seconds() <= 10


def _answer() -> dict[str, Any]:
    return {"status_code": 200, "reason": "OK", "url": "https://x", "headers": {}, "content": ""}


def _ago(seconds: float) -> float:
    import time

    return time.time() - seconds


@pytest.mark.parametrize(
    "arguments, field",
    [
        ({"deferrable": True, "method": "POST"}, "deferrable"),
        ({"http_conn_id": "other"}, "oauth2_conn_id"),
    ],
)
def test_what_it_does_not_accept(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sensor(**arguments)
    assert caught.value.field == field


def test_errors_of_the_api_are_airflow_exceptions(service: Service, deferrable: bool) -> None:
    answering(service, Json({}, 410))
    with pytest.raises(AirflowException):
        wait(deferrable=deferrable)
