"""The sensor: one behaviour on the worker and in the triggerer."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    PokeReturnValue,
    TaskDeferred,
)

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    InvalidClientError,
    ResourceError,
)
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.tasks.deferrable_sensor import GRACE
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger
from tests.sensors.sensing import last_poll, responding, sensor, wait
from tests.support.servers.scripted import CloseNow, Json, ScriptedResponse, Text
from tests.support.service import Service

pytestmark = [pytest.mark.airflow]


def test_it_waits_while_there_is_nothing(service: Service, deferrable: bool) -> None:
    responding(service, Json({}, 404), Json({}, 404), Json({}))
    wait(deferrable=deferrable, request_params={"a": "1"})
    assert [call.target for call in service.calls] == ["/api/job/7?a=1"] * 3
    assert len({call.connection for call in service.calls}) == 1
    assert len(service.token_requests) == 1


@pytest.mark.parametrize("listed", [["404", "409"], [404, 409]])
def test_the_allow_list_is_obeyed(service: Service, deferrable: bool, listed: list[Any]) -> None:
    responding(service, Json({}, 409), Json({}, 404), Json({}))
    wait(deferrable=deferrable, response_error_codes_allowlist=listed)
    assert len(service.calls) == 3
    responding(service, Json({}, 404))
    with pytest.raises(ResourceError) as caught:
        wait(deferrable=deferrable, response_error_codes_allowlist=[])
    assert caught.value.status == 404


@pytest.mark.parametrize("response", [Json({}, 500), Json({}, 429), CloseNow()], ids=["500", "429", "cut"])
def test_what_passes_is_not_yet_within_the_budget(
    service: Service, deferrable: bool, response: ScriptedResponse
) -> None:
    responding(service, response, response, Json({}))
    wait(deferrable=deferrable, max_consecutive_failures=3)
    responding(service, response)
    before = len(service.calls)
    with pytest.raises(Exception, match="my_api"):
        wait(deferrable=deferrable, max_consecutive_failures=3)
    assert len(service.calls) - before == 3


@pytest.mark.fault("R37")
def test_a_passing_token_failure_is_not_yet(service: Service, deferrable: bool) -> None:
    responses = iter([Json({}, 408), Json({}, 408)])
    service.token = lambda _: next(responses, None) or Json({"access_token": "tok-9", "token_type": "Bearer"})
    wait(deferrable=deferrable)
    assert len(service.token_requests) == 3


@pytest.mark.fault("R37")
def test_a_refused_client_fails_at_once(service: Service, deferrable: bool) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    with pytest.raises(AirflowFailException) as caught:
        wait(deferrable=deferrable)
    assert isinstance(caught.value.__cause__, InvalidClientError)
    assert len(service.token_requests) == 1


@pytest.mark.fault("F17")
def test_a_connection_that_does_not_exist_fails_at_once(deferrable: bool) -> None:
    with pytest.raises(AirflowFailException, match="the environment has my_api") as caught:
        wait(deferrable=deferrable, oauth2_conn_id="my_apo")
    assert isinstance(caught.value.__cause__, ConnectionNotFoundError)


@pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
@pytest.mark.fault("L35")
def test_a_skipped_task_says_why_first(
    service: Service, deferrable: bool, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    with caplog.at_level(logging.ERROR), pytest.raises(AirflowSkipException):
        wait(deferrable=deferrable, **{option: True})
    assert "invalid_client" in caplog.text


def test_never_fail_skips_what_passes_too(service: Service, deferrable: bool) -> None:
    responding(service, Json({}, 503))
    with pytest.raises(AirflowSkipException):
        wait(deferrable=deferrable, never_fail=True, max_consecutive_failures=2)


class TestChecks:
    """Python on the worker, declared ones anywhere."""

    def test_a_callable(self, service: Service, deferrable: bool) -> None:
        responding(service, Json({"state": "queued"}), Json({"state": "done"}))
        wait(deferrable=deferrable, response_check=lambda response: response.json()["state"] == "done")
        assert len(service.calls) == 2

    @pytest.mark.fault("F52")
    def test_it_logs_no_deprecation(self, service: Service, deferrable: bool) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            wait(deferrable=deferrable, response_check=lambda response: response.ok)
        assert [warning for warning in caught if "determine_kwargs" in str(warning.message)] == []

    def test_its_value_is_the_tasks(self, service: Service, deferrable: bool) -> None:
        responding(service, Json({"rows": 3}))
        result = wait(
            deferrable=deferrable,
            response_check=lambda response: PokeReturnValue(True, response.json()["rows"]),
        )
        assert result == 3

    def test_a_declared_one(self, service: Service, deferrable: bool) -> None:
        responding(service, Json({"state": "queued"}), Json({"state": "done"}))
        wait(deferrable=deferrable, response_check=ResponseCheck(json_path="$.state", expected="done"))
        assert len(service.calls) == 2

    def test_every_status_reaches_it_where_answers_are_not_checked(
        self, service: Service, deferrable: bool
    ) -> None:
        responding(service, Json({}, 500), Json({}, 410))
        wait(
            deferrable=deferrable,
            extra_options={"check_response": False},
            response_check=ResponseCheck(status=410),
        )
        assert len(service.calls) == 2


def test_all_deferrals_together_last_as_long_as_the_sensor_may(service: Service) -> None:
    responding(service, Json({"state": "queued"}))
    task = sensor(deferrable=True, timeout=100, response_check=lambda _: False)
    with pytest.raises(TaskDeferred) as first:
        task.execute({})
    assert first.value.timeout is not None
    assert 99 < first.value.timeout.total_seconds() - GRACE <= 100
    with pytest.raises(TaskDeferred) as later:
        task.execute_complete(
            {},
            last_poll(_empty_page()),
            started_at=_ago(90),
        )
    assert later.value.timeout is not None
    assert later.value.timeout.total_seconds() - GRACE <= 10


def test_a_callable_is_not_asked_without_a_pause() -> None:
    task = sensor(deferrable=True, poke_interval=30, response_check=lambda _: False)
    with pytest.raises(TaskDeferred) as later:
        task.execute_complete(
            {},
            last_poll(_empty_page()),
            started_at=_ago(1),
        )
    trigger = later.value.trigger
    assert isinstance(trigger, OAuth2HttpSensorTrigger)
    assert trigger.not_before is not None
    assert 29 < trigger.not_before - _ago(0) <= 30


def test_both_modes_make_the_same_call(service: Service, deferrable: bool) -> None:
    wait(
        deferrable=deferrable,
        headers={"X-One": "1"},
        request_kwargs={"params": {"a": "b"}},
        base_url=f"{service.base_url}/v2",
    )
    assert service.calls[0].target == "/api/v2/job/7?a=b"
    assert service.calls[0].header("X-One") == "1"


def test_what_is_templated() -> None:
    fields = {"endpoint", "request_params", "headers", "oauth2_conn_id", "base_url"}
    assert set(OAuth2HttpSensor.template_fields) == fields | {"scope", "audience", "resource", "tenant"}


def test_one_header_may_be_given_as_text(service: Service, deferrable: bool) -> None:
    service.api = lambda _: Json({}, headers=[("X-Total", "7")])
    wait(
        deferrable=deferrable,
        response_headers="X-Total",
        response_check=lambda response: response.headers["X-Total"] == "7",
    )


def test_by_default_only_what_can_be_deferred_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not sensor().deferrable
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert sensor().deferrable
    assert not sensor(method="POST").deferrable
    assert not sensor(deferrable=False).deferrable


class TestLargeResponses:
    """The worker polls by itself then, and judges what it meets as any poll."""

    LARGE = Text(200, "x" * 300_000)

    def test_what_passes_is_not_yet(self, service: Service) -> None:
        responding(service, self.LARGE, Json({}, 503), self.LARGE, self.LARGE)
        wait(deferrable=True, response_check=lambda response: len(response.text) == 300_000)
        assert len(service.calls) == 4

    def test_up_to_the_budget(self, service: Service) -> None:
        service.api = lambda _: self.LARGE if len(service.calls) % 2 else Json({}, 503)
        with pytest.raises(ResourceError):
            wait(deferrable=True, response_check=lambda _: True, max_consecutive_failures=3)
        assert len(service.calls) == 6

    def test_what_does_not_pass_fails(self, service: Service) -> None:
        responding(service, self.LARGE, Json({}, 410))
        with pytest.raises(ResourceError):
            wait(deferrable=True, response_check=lambda _: True)


def _empty_page() -> dict[str, Any]:
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
    responding(service, Json({}, 410))
    with pytest.raises(AirflowException):
        wait(deferrable=deferrable)
