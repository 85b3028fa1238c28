"""Airflow's options for sensors, and what a server asks for: the same on the worker and deferred."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_oauth_provider.exceptions import OAuthError, ResourceError
from airflow_oauth_provider.testing.connections import Connections
from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from airflow_oauth_provider.transport.call_failure import CallFailedError
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger
from tests.sensors.sensing import last_poll, sensor, wait
from tests.support.span import Span
from tests.support.stopwatch import Stopwatch
from tests.triggers.running import again

pytestmark = [pytest.mark.airflow]


class TestSkipping:
    """``soft_fail`` skips what is final by Airflow's own errors; ``never_fail`` skips everything."""

    @pytest.mark.parametrize(
        "fail, error",
        [
            pytest.param(lambda job: job.respond({}, 503, times=None), ResourceError, id="over-budget"),
            pytest.param(lambda job: job.respond({}, 410, times=None), ResourceError, id="410"),
            pytest.param(lambda job: job.drop(times=None), CallFailedError, id="cut"),
        ],
    )
    def test_errors(
        self, job: ApiEndpoint, deferrable: bool, fail: Callable[[ApiEndpoint], None], error: type[OAuthError]
    ) -> None:
        fail(job)
        with pytest.raises(error):
            wait(deferrable=deferrable, soft_fail=True, max_consecutive_failures=2)
        with pytest.raises(AirflowSkipException):
            wait(deferrable=deferrable, never_fail=True, max_consecutive_failures=2)

    @pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
    def test_the_end_of_the_time(self, job: ApiEndpoint, deferrable: bool, option: str) -> None:
        job.route("job/7", {}, status=404)
        task = sensor(deferrable=deferrable, timeout=0.1, **{option: True})
        timed_out = partial(task.resume_execution, "__fail__", {"error": "Trigger timeout"})
        step = timed_out if deferrable else task.execute
        with pytest.raises(AirflowSkipException):
            step({})

    @pytest.mark.parametrize("option", ["soft_fail", "never_fail"])
    def test_a_skip_of_the_check_stays_one(self, job: ApiEndpoint, deferrable: bool, option: str) -> None:
        def nothing_today(response: Any) -> bool:
            raise AirflowSkipException(f"nothing today ({response.status_code})")

        with pytest.raises(AirflowSkipException, match="nothing today"):
            wait(deferrable=deferrable, response_check=nothing_today, **{option: True})


class TestSilence:
    """``silent_fail`` makes a "not yet" of errors, but of no final ones."""

    def test_of_the_check(self, job: ApiEndpoint, deferrable: bool) -> None:
        def once_only(response: Any) -> bool:
            if len(job.requests) < 3:
                raise ValueError(response.status_code)
            return True

        wait(deferrable=deferrable, silent_fail=True, response_check=once_only)
        assert len(job.requests) == 3

    def test_of_the_api(self, job: ApiEndpoint, deferrable: bool) -> None:
        job.respond({}, 410, times=2)
        wait(deferrable=deferrable, silent_fail=True)
        assert len(job.requests) == 3

    def test_but_not_of_what_cannot_help(self, job: ApiEndpoint, deferrable: bool) -> None:
        job.route("job/7", {}, status=403)
        with pytest.raises(Exception, match="403"):
            wait(deferrable=deferrable, silent_fail=True)
        assert len(job.requests) == 1


class TestRetryAfter:
    """The next poll is not made before the server wants it."""

    @pytest.mark.parametrize("options", [{}, {"silent_fail": True, "max_consecutive_failures": 1}])
    def test_it_is_obeyed(self, job: ApiEndpoint, deferrable: bool, options: dict[str, Any]) -> None:
        job.respond({}, 429, {"Retry-After": "1"})
        watch = Stopwatch()
        wait(deferrable=deferrable, **options)
        assert watch.wall >= 1.0
        assert watch.seconds < 4
        assert len(job.requests) == 2

    def test_the_worker_is_not_held_beyond_the_sensors_time(self, job: ApiEndpoint) -> None:
        job.route("job/7", {}, status=429, retry_after="600")
        watch = Stopwatch()
        with pytest.raises(AirflowSkipException):
            wait(timeout=2, soft_fail=True)
        assert watch.seconds < 4

    def test_it_decides_when_to_come_again(self, job: ApiEndpoint, oauth2_connection: Connections) -> None:
        oauth2_connection("my_api", cool_down="never")

        class Instance:
            def get_first_reschedule_date(self, context: Any) -> None: ...

        job.respond({}, 429, {"Retry-After": "15"})
        job.route("job/7", {}, status=404)
        task = sensor(mode="reschedule", poke_interval=5, timeout=600)
        for expected in (15, 5):
            span = Span()
            with pytest.raises(Exception) as caught:  # where it is imported from depends on the version
                task.execute({"ti": Instance()})
            assert type(caught.value).__name__ == "AirflowRescheduleException"
            at: datetime = caught.value.reschedule_date  # type: ignore[attr-defined]
            assert at.timestamp() - expected in span


def test_only_processes_of_one_poll_each_count_no_failures(job: ApiEndpoint) -> None:
    job.route("job/7", {}, status=503)
    task = sensor(mode="reschedule", max_consecutive_failures=1)
    assert task.poke({}) is False
    body = {"status_code": 200, "reason": "OK", "url": "https://x", "headers": {}, "content": None}
    task = sensor(
        mode="reschedule", deferrable=True, max_consecutive_failures=1, response_check=lambda _: True
    )
    with pytest.raises(ResourceError):
        task.execute_complete({}, last_poll(body))


class TestBackoff:
    """``exponential_backoff`` and ``max_wait``, in the triggerer too."""

    def test_the_trigger_is_told(self) -> None:
        task = sensor(deferrable=True, exponential_backoff=True, max_wait=timedelta(minutes=5))
        with pytest.raises(TaskDeferred) as deferred:
            task.execute({})
        trigger = again(deferred.value.trigger)
        assert isinstance(trigger, OAuth2HttpSensorTrigger)
        assert trigger.backoff_since == pytest.approx(time.time(), abs=60)
        assert trigger.max_wait == 300
        with pytest.raises(TaskDeferred) as deferred:
            sensor(deferrable=True).execute({})
        assert again(deferred.value.trigger).backoff_since is None

    def test_the_worker_says_when_to_go_on(self) -> None:
        response = {"status_code": 200, "reason": "OK", "url": "https://x", "headers": {}, "content": ""}
        task = sensor(deferrable=True, exponential_backoff=True, timeout=9999, response_check=lambda _: False)
        with pytest.raises(TaskDeferred) as later:
            task.execute_complete({}, last_poll(response), started_at=time.time() - 1000)
        trigger = again(later.value.trigger)
        assert trigger.not_before - time.time() > 300
        assert trigger.backoff_since == pytest.approx(time.time() - 1000, abs=60)

    def test_the_triggers_pauses_grow(self, job: ApiEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("random.uniform", lambda _least, most: most)
        job.respond({}, 404, times=4)
        began = time.monotonic()
        wait(deferrable=True, exponential_backoff=True, poke_interval=0.2)
        assert time.monotonic() - began >= 1.6  # 0.8 of equal pauses
