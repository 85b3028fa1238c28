"""The loop of the sensor's trigger."""

from __future__ import annotations

import time

import pytest

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
)
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpSensorTrigger, OAuth2HttpTrigger
from tests.support.servers.scripted import CloseNow, Json, ScriptedResponse
from tests.support.service import Service
from tests.triggers.running import event_of

pytestmark = [pytest.mark.airflow]


@pytest.fixture(autouse=True)
def _connection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())


class TestPolling:
    """The loop of the sensor's trigger."""

    @pytest.mark.parametrize(
        "response, polls",
        [
            pytest.param(Json({}, 404), 5, id="404"),
            pytest.param(Json({}, 429), 3, id="429"),
            pytest.param(Json({}, 500), 3, id="500"),
            pytest.param(Json({}, 503), 3, id="503"),
            pytest.param(CloseNow(), 3, id="cut"),
        ],
    )
    def test_it_sleeps_after_each_poll(
        self, service: Service, pauses: list[float], response: ScriptedResponse, polls: int
    ) -> None:
        responses = iter([response] * polls)
        service.api = lambda _: next(responses, Json({"done": True}))
        event = event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x", poke_interval=30))
        assert event["status"] == "success"
        assert [seconds for seconds in pauses if seconds == 30] == [30] * polls
        assert len(service.calls) == polls + 1
        assert len(service.token_requests) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 410])
    def test_a_definite_status_ends_it(self, service: Service, pauses: list[float], status: int) -> None:
        service.api = lambda _: Json({}, status)
        event = event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x"))
        assert event["error"]["status"] == status
        assert len(service.calls) == (2 if status == 401 else 1), "a refused token is renewed once"

    @pytest.mark.fault("R37")
    def test_the_failure_budget_ends_it(self, service: Service, pauses: list[float]) -> None:
        service.api = lambda _: Json({}, 503)
        event = event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x", max_consecutive_failures=4))
        assert event["error"]["status"] == 503
        assert len(service.calls) == 4

    @pytest.mark.fault("R37")
    def test_a_passing_token_failure_is_not_yet(
        self, service: Service, pauses: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(max_retry_attempts=0))
        responses = iter([Json({}, 408), Json({}, 408)])
        service.token = lambda _: (
            next(responses, None) or Json({"access_token": "tok-9", "token_type": "Bearer"})
        )
        event = event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x", poke_interval=30))
        assert event["status"] == "success"
        assert len(service.token_requests) == 3
        assert pauses.count(30) == 2

    def test_retry_after_is_obeyed(
        self, service: Service, pauses: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment(cool_down="never"))
        responses = iter([Json({}, 429, [("Retry-After", "90")])])
        service.api = lambda _: next(responses, Json({}))
        event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x", poke_interval=30))
        assert pauses == [90]

    def test_while_the_api_wants_to_be_left_alone_no_poll_is_sent(
        self, service: Service, pauses: list[float]
    ) -> None:
        service.api = lambda _: Json({}, 429, [("Retry-After", "90")])
        refused = OAuth2HttpTrigger("my_api", endpoint="y")
        assert event_of(refused)["error"]["sent"] is True
        trigger = OAuth2HttpSensorTrigger(
            "my_api", endpoint="x", poke_interval=30, max_consecutive_failures=1, ends_at=time.time() + 2
        )
        event = event_of(trigger)
        assert event["status"] == "timeout"
        assert event["progress"]["failures"] == 0
        assert "not sent: the API wants to be left alone" in event["progress"]["seen"]
        assert 80 < max(pauses) <= 90
        assert len(service.calls) == 1

    def test_an_interval_of_zero_is_no_hot_loop(self, service: Service) -> None:
        service.api = lambda _: Json({}, 404 if len(service.calls) < 5 else 200)
        began = time.monotonic()
        event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x", poke_interval=0))
        assert time.monotonic() - began >= 0.4

    def test_the_declared_check_runs_in_the_triggerer(self, service: Service, pauses: list[float]) -> None:
        states = iter(["queued", "running", "done"])
        service.api = lambda _: Json({"job": {"state": next(states)}})
        check = ResponseCheck(json_path="$.job.state", expected="done", failed=["error"])
        event = event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x", response_check=check))
        assert event["status"] == "success"
        assert len(service.calls) == 3
        assert len({call.connection for call in service.calls}) == 1

    def test_a_failed_job_ends_it(self, service: Service, pauses: list[float]) -> None:
        service.api = lambda _: Json({"state": "error"})
        check = {"json_path": "state", "expected": "done", "failed": "error"}
        event = event_of(OAuth2HttpSensorTrigger("my_api", endpoint="x", response_check=check))
        assert 'state is "error", which means failed' in event["error"]["message"]

    def test_python_is_for_the_worker(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            OAuth2HttpSensorTrigger("my_api", endpoint="x", response_check=lambda _: True)  # type: ignore[arg-type]
        assert caught.value.field == "response_check"
