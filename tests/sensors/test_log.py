"""What a sensor tells while it waits and at its end, on the worker and in the triggerer alike."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.sensors.oauth2 import OAuth2HttpSensor
from airflow_oauth_provider.tasks.deferrable_sensor import GRACE
from airflow_oauth_provider.tasks.polling import LONGEST_RETRY_AFTER
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.endpoints import ApiEndpoint, Request
from tests.sensors.sensing import sensor, wait
from tests.triggers.running import event_of

pytestmark = [pytest.mark.airflow, pytest.mark.fault("F41")]
DONE = ResponseCheck(json_path="$.state", expected="done")


@pytest.fixture
def polls(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What has been logged of polls."""
    caplog.set_level(logging.INFO, "airflow_oauth_provider.tasks.polling")
    name = "airflow_oauth_provider.tasks.polling"
    return lambda: [
        f"{record.levelname} {record.getMessage()}" for record in caplog.records if record.name == name
    ]


def test_first_poll_each_change_and_the_end(
    job: ApiEndpoint, deferrable: bool, polls: Callable[[], list[str]]
) -> None:
    states = ["queued", "queued", "running", "running", "done"]
    job.respond({}, 404)
    for state in states:
        job.respond({"state": state})
    wait(deferrable=deferrable, response_check=DONE, poke_interval=0.1)
    assert polls() == [
        "INFO poll 1: 404, which means not yet; next in 0.1 s",
        'INFO poll 2: 200, $.state = "queued"; next in 0.1 s',
        'INFO poll 4: 200, $.state = "running"; next in 0.1 s',
        'INFO poll 6: 200, $.state = "done"; as expected',
    ]


def test_polls_have_no_line_of_each_call_besides(
    job: ApiEndpoint, deferrable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    job.respond({"state": "queued"}, times=5)
    job.route("job/7", {"state": "done"})
    wait(deferrable=deferrable, response_check=DONE)
    assert [record for record in caplog.records if record.name.endswith("call_log")] == []
    job.route("job/7", {})
    OAuth2HttpOperator(task_id="x", oauth2_conn_id="my_api", method="GET", endpoint="job/7").execute({})
    assert len([record for record in caplog.records if record.name.endswith("call_log")]) == 1


def test_a_callable_check_counts_on_over_deferrals(
    job: ApiEndpoint, deferrable: bool, polls: Callable[[], list[str]]
) -> None:
    states = ["queued", "queued", "running", "done"]
    job.respond({}, 404)
    for state in states:
        job.respond({"state": state})
    wait(
        deferrable=deferrable,
        poke_interval=0.1,
        response_check=lambda response: response.json()["state"] == "done",
    )
    assert polls() == [
        "INFO poll 1: 404, which means not yet; next in 0.1 s",
        "INFO poll 2: 200, response_check returned False; next in 0.1 s",
        "INFO poll 5: 200, response_check returned True; as expected",
    ]


def test_a_missing_path_is_a_warning_at_once_and_once(
    job: ApiEndpoint, deferrable: bool, polls: Callable[[], list[str]]
) -> None:
    job.respond({"stage": "x", "echo": "a"}, times=3)
    job.route("job/7", {"state": "done"})
    wait(deferrable=deferrable, response_check=DONE)
    warnings = [line for line in polls() if line.startswith("WARNING")]
    assert warnings == ["WARNING the response has no $.state: $ has stage, echo"]


def test_no_secret_is_told(job: ApiEndpoint, deferrable: bool, polls: Callable[[], list[str]]) -> None:
    def echo(request: Request) -> dict[str, Any]:
        token = request.headers["authorization"]
        done = len(job.requests) % 3 == 0
        return {"state": "done", "stat": "done"} if done else {"state": token, token: 1}

    job.route("job/7", echo)
    for path in ("$.state", "$.stat"):
        wait(deferrable=deferrable, response_check=ResponseCheck(json_path=path, expected="done"))
    lines = "\n".join(polls())
    assert '$.state = "Bearer ***"' in lines
    assert "$ has state, Bearer ***" in lines
    assert "token-1" not in lines


def test_rescheduled_there_are_no_numbers_and_one_warning(
    job: ApiEndpoint, polls: Callable[[], list[str]]
) -> None:
    class Instance:
        first: Any = None

        def get_first_reschedule_date(self, context: Any) -> Any:
            return self.first

    from datetime import UTC, datetime

    job.route("job/7", {"stage": "x"})
    instance = Instance()
    for _ in range(2):
        with pytest.raises(Exception) as caught:  # where it is imported from depends on the version
            sensor(mode="reschedule", poke_interval=60, response_check=DONE, timeout=600).execute(
                {"ti": instance}
            )
        assert type(caught.value).__name__ == "AirflowRescheduleException"
        instance.first = datetime.now(UTC)
    line = "INFO poll: 200, no $.state; next in 60 s"
    assert polls() == ["WARNING the response has no $.state: $ has stage", line, line]


class TestTimeout:
    """The error at the end of the time names what the last poll saw."""

    LAST = re.compile(r'Last seen: poll \d+: 200, \$\.state = "running"; expected: \$\.state = "done"$')

    def test_it_names_the_last_poll(self, job: ApiEndpoint, deferrable: bool) -> None:
        job.route("job/7", {"state": "running"})
        with pytest.raises(AirflowSensorTimeout) as caught:
            wait(deferrable=deferrable, response_check=DONE, timeout=2, poke_interval=0.1)
        assert self.LAST.search(str(caught.value))

    @pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
    def test_so_does_a_skip(self, job: ApiEndpoint, deferrable: bool, option: str) -> None:
        job.route("job/7", {"state": "running"})
        with pytest.raises(AirflowSkipException) as caught:
            wait(deferrable=deferrable, response_check=DONE, timeout=2, poke_interval=0.1, **{option: True})
        assert self.LAST.search(str(caught.value))

    def test_of_failures(self, job: ApiEndpoint, deferrable: bool) -> None:
        job.route("job/7", {}, status=503)
        with pytest.raises(AirflowSensorTimeout, match=r"Last seen: poll \d+: failed: .*503"):
            wait(deferrable=deferrable, timeout=2, poke_interval=0.1, max_consecutive_failures=None)

    def test_the_trigger_ends_in_time_whatever_it_is_doing(self, job: ApiEndpoint) -> None:
        job.delay(60)
        with pytest.raises(AirflowSensorTimeout, match="Last seen: no poll has ended yet"):
            wait(deferrable=True, timeout=2)

    @pytest.mark.fault("F15")
    def test_retry_after_is_obeyed_up_to_the_end_only(self, job: ApiEndpoint, deferrable: bool) -> None:
        job.route("job/7", {}, status=429, retry_after="999999999")
        with pytest.raises(AirflowSensorTimeout):
            wait(deferrable=deferrable, timeout=3)

    @pytest.mark.fault("F15")
    def test_retry_after_is_obeyed_for_an_hour_at_the_most(
        self,
        job: ApiEndpoint,
        oauth2_connection: Connections,
        polls: Callable[[], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        oauth2_connection("my_api", cool_down="never")
        job.respond({}, 429, {"Retry-After": "999999999"})
        pauses: list[float] = []
        sleep_really = asyncio.sleep

        async def sleep(seconds: float, *result: Any) -> Any:
            if seconds > 5:
                pauses.append(seconds)
            return await sleep_really(min(seconds, 0.01), *result)

        monkeypatch.setattr("airflow_oauth_provider.triggers.sensor_trigger.asyncio.sleep", sleep)
        wait(deferrable=True, timeout=999_999)
        assert pauses == [LONGEST_RETRY_AFTER]

    def test_airflows_own_limit_is_left_for_a_triggerer_that_is_gone(self, job: ApiEndpoint) -> None:
        task = sensor(deferrable=True, timeout=100)
        with pytest.raises(TaskDeferred) as deferred:
            task.execute({})
        assert deferred.value.timeout is not None
        assert 99 < deferred.value.timeout.total_seconds() - GRACE <= 100
        with pytest.raises(AirflowSensorTimeout, match="its log says"):
            task.resume_execution("__fail__", {"error": "Trigger timeout"}, {})

    def test_a_trigger_that_comes_too_late_ends_at_once(self, job: ApiEndpoint) -> None:
        task: OAuth2HttpSensor = sensor(deferrable=True, timeout=0)
        with pytest.raises(TaskDeferred) as deferred:
            task.execute({})
        assert event_of(deferred.value.trigger)["status"] == "timeout"
