"""The sensor: one behaviour on the worker and in the triggerer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
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
from airflow_oauth_provider.testing.endpoints import ApiEndpoint, Request, Response
from airflow_oauth_provider.testing.server import OAuth2Server
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger
from tests.sensors.sensing import last_poll, sensor, wait

pytestmark = [pytest.mark.airflow]


def test_it_waits_while_there_is_nothing(
    job: ApiEndpoint, oauth2_server: OAuth2Server, deferrable: bool
) -> None:
    job.respond({}, 404, times=2)
    wait(deferrable=deferrable, request_params={"a": "1"})
    assert [call.target for call in job.requests] == ["/api/job/7?a=1"] * 3
    assert len({call.connection for call in job.requests}) == 1
    assert len(oauth2_server.token_endpoint.requests) == 1


@pytest.mark.parametrize("listed", [["404", "409"], [404, 409]])
def test_the_allow_list_is_obeyed(job: ApiEndpoint, deferrable: bool, listed: list[Any]) -> None:
    job.respond({}, 409)
    job.respond({}, 404)
    wait(deferrable=deferrable, response_error_codes_allowlist=listed)
    assert len(job.requests) == 3
    job.route("job/7", {}, status=404)
    with pytest.raises(ResourceError) as caught:
        wait(deferrable=deferrable, response_error_codes_allowlist=[])
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "fail",
    [
        pytest.param(lambda job, times: job.respond({}, 500, times=times), id="500"),
        pytest.param(lambda job, times: job.respond({}, 429, times=times), id="429"),
        pytest.param(lambda job, times: job.drop(times=times), id="cut"),
    ],
)
def test_what_passes_is_not_yet_within_the_budget(
    job: ApiEndpoint, deferrable: bool, fail: Callable[[ApiEndpoint, int | None], None]
) -> None:
    fail(job, 2)
    wait(deferrable=deferrable, max_consecutive_failures=3)
    fail(job, None)
    before = len(job.requests)
    with pytest.raises(Exception, match="my_api"):
        wait(deferrable=deferrable, max_consecutive_failures=3)
    assert len(job.requests) - before == 3


@pytest.mark.fault("R37")
def test_a_passing_token_failure_is_not_yet(oauth2_server: OAuth2Server, deferrable: bool) -> None:
    oauth2_server.token_endpoint.respond({}, 408, times=2)
    wait(deferrable=deferrable)
    assert len(oauth2_server.token_endpoint.requests) == 3


@pytest.mark.fault("R37")
def test_a_refused_client_fails_at_once(oauth2_server: OAuth2Server, deferrable: bool) -> None:
    oauth2_server.token_endpoint.refuse()
    with pytest.raises(AirflowFailException) as caught:
        wait(deferrable=deferrable)
    assert isinstance(caught.value.__cause__, InvalidClientError)
    assert len(oauth2_server.token_endpoint.requests) == 1


@pytest.mark.fault("F17")
def test_a_connection_that_does_not_exist_fails_at_once(deferrable: bool) -> None:
    with pytest.raises(AirflowFailException, match="the environment has my_api") as caught:
        wait(deferrable=deferrable, oauth2_conn_id="my_apo")
    assert isinstance(caught.value.__cause__, ConnectionNotFoundError)


@pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
@pytest.mark.fault("L35")
def test_a_skipped_task_says_why_first(
    oauth2_server: OAuth2Server, deferrable: bool, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    oauth2_server.token_endpoint.refuse()
    with caplog.at_level(logging.ERROR), pytest.raises(AirflowSkipException):
        wait(deferrable=deferrable, **{option: True})
    assert "invalid_client" in caplog.text


def test_never_fail_skips_what_passes_too(job: ApiEndpoint, deferrable: bool) -> None:
    job.route("job/7", {}, status=503)
    with pytest.raises(AirflowSkipException):
        wait(deferrable=deferrable, never_fail=True, max_consecutive_failures=2)


class TestChecks:
    """Python on the worker, declared ones anywhere."""

    def test_a_callable(self, job: ApiEndpoint, deferrable: bool) -> None:
        job.respond({"state": "queued"})
        job.route("job/7", {"state": "done"})
        wait(deferrable=deferrable, response_check=lambda response: response.json()["state"] == "done")
        assert len(job.requests) == 2

    @pytest.mark.fault("F52")
    def test_it_logs_no_deprecation(self, job: ApiEndpoint, deferrable: bool) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            wait(deferrable=deferrable, response_check=lambda response: response.ok)
        assert [warning for warning in caught if "determine_kwargs" in str(warning.message)] == []

    def test_its_value_is_the_tasks(self, job: ApiEndpoint, deferrable: bool) -> None:
        job.route("job/7", {"rows": 3})
        result = wait(
            deferrable=deferrable,
            response_check=lambda response: PokeReturnValue(True, response.json()["rows"]),
        )
        assert result == 3

    def test_a_declared_one(self, job: ApiEndpoint, deferrable: bool) -> None:
        job.respond({"state": "queued"})
        job.route("job/7", {"state": "done"})
        wait(deferrable=deferrable, response_check=ResponseCheck(json_path="$.state", expected="done"))
        assert len(job.requests) == 2

    def test_every_status_reaches_it_where_answers_are_not_checked(
        self, job: ApiEndpoint, deferrable: bool
    ) -> None:
        job.respond({}, 500)
        job.route("job/7", {}, status=410)
        wait(
            deferrable=deferrable,
            extra_options={"check_response": False},
            response_check=ResponseCheck(status=410),
        )
        assert len(job.requests) == 2


def test_all_deferrals_together_last_as_long_as_the_sensor_may(job: ApiEndpoint) -> None:
    job.route("job/7", {"state": "queued"})
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


def test_both_modes_make_the_same_call(
    job: ApiEndpoint, oauth2_server: OAuth2Server, deferrable: bool
) -> None:
    job.route("v2/job/7", {})
    wait(
        deferrable=deferrable,
        headers={"X-One": "1"},
        request_kwargs={"params": {"a": "b"}},
        base_url=f"{oauth2_server.base_url}/v2",
    )
    assert job.requests[0].target == "/api/v2/job/7?a=b"
    assert job.requests[0].headers["x-one"] == "1"


def test_what_is_templated() -> None:
    fields = {"endpoint", "request_params", "headers", "oauth2_conn_id", "base_url"}
    assert set(OAuth2HttpSensor.template_fields) == fields | {"scope", "audience", "resource", "tenant"}


def test_one_header_may_be_given_as_text(job: ApiEndpoint, deferrable: bool) -> None:
    job.route("job/7", {}, x_total="7")
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

    LARGE = "x" * 300_000

    def test_what_passes_is_not_yet(self, job: ApiEndpoint) -> None:
        job.respond(self.LARGE)
        job.respond({}, 503)
        job.route("job/7", self.LARGE)
        wait(deferrable=True, response_check=lambda response: len(response.text) == 300_000)
        assert len(job.requests) == 4

    def test_up_to_the_budget(self, job: ApiEndpoint) -> None:
        def flicker(_: Request) -> Response:
            return Response.of(self.LARGE) if len(job.requests) % 2 else Response.of({}, 503)

        job.route("job/7", flicker)
        with pytest.raises(ResourceError):
            wait(deferrable=True, response_check=lambda _: True, max_consecutive_failures=3)
        assert len(job.requests) == 6

    def test_what_does_not_pass_fails(self, job: ApiEndpoint) -> None:
        job.respond(self.LARGE)
        job.route("job/7", {}, status=410)
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


def test_errors_of_the_api_are_airflow_exceptions(job: ApiEndpoint, deferrable: bool) -> None:
    job.route("job/7", {}, status=410)
    with pytest.raises(AirflowException):
        wait(deferrable=deferrable)
