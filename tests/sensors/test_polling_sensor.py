"""One poll of a sensor, and what the worker makes of the triggerer's."""

from __future__ import annotations

import math
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, TaskDeferred
from airflow.sdk.bases.sensor import PokeReturnValue

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.tasks.polling import Progress
from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from airflow_oauth_provider.testing.server import OAuth2Server
from airflow_oauth_provider.triggers.events import EventError
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger
from tests.sensors.sensing import last_poll, sensor
from tests.triggers.running import again

pytestmark = [pytest.mark.airflow]
PAGE = {"status_code": 200, "reason": "OK", "url": "https://x", "headers": {}, "content": ""}


class TestPoke:
    """One poll on the worker."""

    def test_a_status_below_400_is_enough(self, job: ApiEndpoint) -> None:
        assert sensor().poke({}) is True
        assert [call.target for call in job.requests] == ["/api/job/7"]

    def test_a_declared_check_decides(self, job: ApiEndpoint) -> None:
        job.respond({"state": "running"})
        job.route("job/7", {"state": "done"})
        task = sensor(response_check=ResponseCheck(json_path="$.state", expected="done"))
        assert [task.poke({}), task.poke({})] == [False, True]

    def test_python_of_the_dag_decides_with_the_context(self, job: ApiEndpoint) -> None:
        task = sensor(response_check=lambda response, run: PokeReturnValue(run == 7, response.status_code))
        assert not task.poke({"run": 6})
        assert task.poke({"run": 7}).xcom_value == 200

    def test_an_error_of_the_check_is_the_dags(self, job: ApiEndpoint) -> None:
        task = sensor(response_check=lambda response: response.json()["state"])
        with pytest.raises(KeyError):
            task.poke({})
        assert task._polling.progress.seen == "200, response_check raised KeyError"

    def test_temporary_failures_are_not_yet_within_the_budget(self, job: ApiEndpoint) -> None:
        job.route("job/7", {}, status=503)
        task = sensor(max_consecutive_failures=2)
        assert task.poke({}) is False
        with pytest.raises(ResourceError):
            task.poke({})

    def test_a_poll_does_not_wait_while_the_api_wants_to_be_left_alone(self, job: ApiEndpoint) -> None:
        job.respond({}, 429, {"Retry-After": "100"})
        task = sensor(max_consecutive_failures=2)
        assert task.poke({}) is False
        assert task.poke({}) is False
        assert 90 < task._polling.retry_after <= 100
        assert task._polling.progress.failures == 1  # the poll that was sent
        assert len(job.requests) == 1
        assert sensor(extra_options={"cool_down": "ignore"}).poke({}) is True

    def test_a_poll_that_succeeds_begins_to_count_anew(self, job: ApiEndpoint) -> None:
        job.respond({}, 503)
        job.respond({}, 404)
        job.respond({}, 503)
        task = sensor(max_consecutive_failures=2)
        assert [task.poke({}) for _ in range(4)] == [False, False, False, True]

    def test_what_is_listed_means_not_yet(self, job: ApiEndpoint) -> None:
        job.route("job/7", {}, status=409)
        task = sensor(response_error_codes_allowlist=["409"], max_consecutive_failures=1)
        assert [task.poke({}), task.poke({})] == [False, False]

    def test_permanent_refusals_fail_the_task_for_good(self, job: ApiEndpoint) -> None:
        job.route("job/7", {}, status=403)
        with pytest.raises(AirflowFailException) as caught:
            sensor().poke({})
        assert isinstance(caught.value.__cause__, ResourceError)

    def test_killed_it_makes_nothing_of_the_poll(self, job: ApiEndpoint) -> None:
        task = sensor()
        task.on_kill()
        assert task.poke({}) is False
        assert task._polling.progress == Progress()
        assert job.requests == []

    def test_what_templates_have_made_is_checked(self, oauth2_server: OAuth2Server) -> None:
        task = sensor()
        task.headers = "X-One"  # type: ignore[assignment]
        with pytest.raises(AirflowFailException) as caught:
            task.poke({})
        assert isinstance(caught.value.__cause__, ConfigurationError)
        assert oauth2_server.token_endpoint.requests == oauth2_server.api.requests == []


class TestDeferred:
    """The triggerer polls, and the worker concludes."""

    def trigger(self, **arguments: Any) -> OAuth2HttpSensorTrigger:
        with pytest.raises(TaskDeferred) as caught:
            sensor(deferrable=True, **arguments).execute({})
        trigger = again(caught.value.trigger)
        assert isinstance(trigger, OAuth2HttpSensorTrigger)
        return trigger

    def test_a_declared_check_goes_to_the_triggerer(self, job: ApiEndpoint) -> None:
        check = ResponseCheck(json_path="$.state", expected="done")
        trigger = self.trigger(response_check=check)
        assert trigger.response_check is not None
        assert trigger.response_check.arguments() == check.arguments()
        assert trigger.max_event_body == 0, "the worker needs no body"

    def test_python_of_the_dag_stays_on_the_worker_and_needs_the_body(self, job: ApiEndpoint) -> None:
        trigger = self.trigger(response_check=lambda _: True, max_event_body=1234)
        assert trigger.response_check is None
        assert trigger.max_event_body == 1234

    @pytest.mark.parametrize(
        "state",
        [
            {"started_at": -1.0},
            {"started_at": True},
            {"started_at": math.inf},
            {"started_at": 10**400},
            {"started_at": 1.0, "news": 1},
        ],
        ids=["negative", "flag", "endless", "401-digits[F12]", "newer"],
    )
    def test_what_another_version_has_kept_is_refused(self, state: dict[str, Any]) -> None:
        with pytest.raises(EventError, match="another version"):
            sensor(deferrable=True).execute_complete({}, last_poll(PAGE), **state)

    def test_the_end_of_the_time_says_what_was_seen_last_and_what_was_expected(self) -> None:
        task = sensor(
            deferrable=True,
            timeout=90,
            response_check=ResponseCheck(json_path="$.state", expected="done"),
        )
        progress = Progress(polls=3, seen='200, $.state = "running"', logged=1).state()
        with pytest.raises(AirflowSensorTimeout) as caught:
            task.execute_complete({}, {"status": "timeout", "progress": progress}, started_at=1.0)
        assert str(caught.value) == (
            'Timed out after 90 s. Last seen: poll 3: 200, $.state = "running"; expected: $.state = "done"'
        )

    def test_a_check_that_does_not_hold_defers_again_and_keeps_count(self) -> None:
        import time

        task = sensor(deferrable=True, response_check=lambda _: False)
        with pytest.raises(TaskDeferred) as caught:
            task.execute_complete({}, last_poll(PAGE, polls=4), started_at=time.time())
        trigger = again(caught.value.trigger)
        assert trigger._polling.progress.polls == 5
        assert trigger.not_before > time.time() - 1

    def test_a_body_that_was_too_large_is_polled_by_the_worker(self, job: ApiEndpoint) -> None:
        job.route("job/7", "x" * 1000)
        task = sensor(deferrable=True, response_check=lambda response: len(response.text) == 1000)
        assert task.execute_complete({}, last_poll({**PAGE, "content": None}), started_at=1.0) is None
        assert len(job.requests) == 1
