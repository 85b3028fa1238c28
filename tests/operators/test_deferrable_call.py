"""Where a call is made, on the worker or by the triggerer, and what its result is held against."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tenacity
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.operators.deferrable_call import LONGEST_WAIT
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.testing.endpoints import ApiEndpoint
from airflow_oauth_provider.testing.server import OAuth2Server
from airflow_oauth_provider.triggers.events import EventError
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger, WaitTrigger
from tests.operators.deferring import deferred, operator
from tests.support.span import Span
from tests.triggers.running import again, to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("api")]
TWICE = {"stop": tenacity.stop_after_attempt(2), "wait": tenacity.wait_fixed(30), "reraise": True}


class TestWhere:
    """The triggerer makes what may be made twice; the worker makes the rest."""

    @pytest.mark.parametrize("method", ["GET", "put", "DELETE"])
    def test_an_idempotent_call_is_the_triggerers(
        self, api: ApiEndpoint, oauth2_server: OAuth2Server, method: str
    ) -> None:
        task = operator(
            method=method, base_url=oauth2_server.base_url, data={"a": "1"}, headers={"X-One": "1"}
        )
        deferral = deferred(lambda: task.execute({}))
        trigger = again(deferral.trigger)
        assert isinstance(trigger, OAuth2HttpTrigger)
        call = trigger.call
        assert (call.endpoint, call.method, call.data, call.headers, call.base_url) == (
            "x",
            method,
            {"a": "1"},
            {"X-One": "1"},
            oauth2_server.base_url,
        )
        assert deferral.method_name == "execute_complete"
        assert deferral.kwargs is not None
        assert deferral.kwargs["attempts"]["number"] == 1
        assert oauth2_server.token_endpoint.requests == api.requests == []

    def test_any_other_is_the_workers(self, api: ApiEndpoint, logged: Callable[[], str]) -> None:
        assert '"method": "POST"' in operator(method="POST", json={"a": 1}).execute({})
        assert len(api.requests) == 1
        assert "POST is not idempotent (RFC 9110 §9.2.2): the worker makes this call" in logged()

    def test_of_which_the_triggerer_only_waits_for_the_next_attempt(self, api: ApiEndpoint) -> None:
        api.respond({}, 503, times=None)
        task = operator(method="POST", retry_args=TWICE, execution_timeout=timedelta(seconds=100))
        span = Span()
        deferral = deferred(lambda: task.execute({}))
        assert isinstance(deferral.trigger, WaitTrigger)
        assert deferral.trigger.until - 30 in span
        assert deferral.timeout is not None
        assert deferral.timeout <= timedelta(seconds=100)
        attempts = (deferral.kwargs or {})["attempts"]
        assert attempts["number"] == 2
        with pytest.raises(ResourceError):
            task.execute_complete({}, {"status": "waited"}, attempts)
        assert len(api.requests) == 2

    def test_while_the_api_wants_to_be_left_alone_the_triggerer_waits(self, api: ApiEndpoint) -> None:
        api.throttle(40)  # for which a call on the worker would wait
        with pytest.raises(ResourceError):
            operator(method="POST").execute({})
        task = operator(method="POST", execution_timeout=timedelta(seconds=300))
        deferral = deferred(lambda: task.execute({}))
        assert isinstance(deferral.trigger, WaitTrigger)
        assert deferral.trigger.until == pytest.approx(time.time() + 40, abs=30)
        assert deferral.timeout is not None
        assert deferral.timeout <= timedelta(seconds=300)
        attempts = (deferral.kwargs or {})["attempts"]
        assert attempts["number"] == 1  # nothing was sent
        assert len(api.requests) == 1
        late = {**attempts, "started_at": time.time() - LONGEST_WAIT}
        with pytest.raises(ResourceError) as caught:
            task.execute_complete({}, {"status": "waited"}, late)
        assert not caught.value.sent
        ignoring = operator(method="POST", extra_options={"cool_down": "ignore"})
        assert '"method": "POST"' in ignoring.execute({})

    def test_not_deferrable_it_stays_on_the_worker(self, api: ApiEndpoint) -> None:
        assert '"method": "GET"' in operator(deferrable=False).execute({})
        assert len(api.requests) == 1


class TestGoingOn:
    """What the worker makes of an event, which a triggerer of another version may have written."""

    @pytest.mark.parametrize(
        ("attempts", "unknown"),
        [
            ({"number": "one"}, {}),
            ({"number": 1, "started_at": -1, "idle_for": 0.0}, {}),
            ({"number": 1, "started_at": 1.0, "idle_for": 0.0}, {"news": 1}),
        ],
        ids=["no-attempts", "negative", "newer"],
    )
    def test_what_is_of_another_version_is_refused(
        self, api: ApiEndpoint, oauth2_server: OAuth2Server, attempts: Any, unknown: dict[str, Any]
    ) -> None:
        with pytest.raises(EventError, match="another version"):
            operator().execute_complete({}, {"status": "waited"}, attempts, **unknown)
        assert oauth2_server.token_endpoint.requests == api.requests == []

    def test_without_attempts_it_is_the_first(self, api: ApiEndpoint) -> None:
        """Where neither Airflow nor this process has kept them."""
        with pytest.raises(TaskDeferred):
            operator().execute_complete({}, {"status": "waited"})

    def test_a_body_that_was_too_large_for_the_event_is_fetched(
        self, api: ApiEndpoint, logged: Callable[[], str]
    ) -> None:
        api.respond("x" * 2000, times=None)
        assert to_the_end(operator(max_event_body=1000)) == "x" * 2000
        assert "larger than max_event_body (1000 bytes): the worker fetches it" in logged()
        assert len(api.requests) == 2

    def test_but_not_by_doing_something_twice(self, api: ApiEndpoint) -> None:
        api.respond("x" * 2000, times=None)
        with pytest.raises(ResourceError, match=r"larger than max_event_body \(1000 bytes\): raise it"):
            to_the_end(operator(method="PUT", max_event_body=1000))
        assert len(api.requests) == 1


class TestResult:
    """What is returned, and what the checks of the DAG say of it."""

    def test_the_body_is_kept_apart_from_the_callers_dict(self, api: ApiEndpoint) -> None:
        common: dict[str, Any] = {"params": {"v": "1"}}
        operator(method="POST", json={"a": 1}, request_kwargs=common).execute({})
        assert common == {"params": {"v": "1"}}
        operator(method="POST", json={"a": 1}, deferrable=False, retry_args=TWICE).execute({})
        assert [request.body for request in api.requests] == [b'{"a": 1}'] * 2

    def test_an_echo_of_the_token_stays_out_of_it(self, api: ApiEndpoint) -> None:
        for task in (operator(deferrable=False), operator(method="POST")):
            result = task.execute({})
            assert "token-1" not in result
            assert "Bearer ***" in result

    def test_of_pages_the_last_is_named_by_a_check_that_does_not_hold(
        self, oauth2_server: OAuth2Server
    ) -> None:
        pages = iter([{"endpoint": "y"}, None])
        task = operator(
            deferrable=False,
            pagination_function=lambda _: next(pages),
            response_check=lambda responses: len(responses) > 2,
        )
        with pytest.raises(ResourceError) as caught:
            task.execute({})
        assert caught.value.url == f"{oauth2_server.base_url}/y"
        assert "Response check returned False." in str(caught.value)

    @pytest.mark.parametrize("deferrable", [False, True])
    @pytest.mark.parametrize(
        ("check", "told"),
        [
            ({"expected": "done"}, '$.state is "running", expected "done"'),
            (
                {"expected": ["done", 7], "failed": "running"},
                '"running", which means failed; expected "done" or 7',
            ),
        ],
        ids=["another", "failed"],
    )
    def test_a_declared_check_tells_expected_and_seen(
        self,
        api: ApiEndpoint,
        oauth2_server: OAuth2Server,
        deferrable: bool,
        check: dict[str, Any],
        told: str,
    ) -> None:
        api.respond({"state": "running"}, times=None)
        checked = ResponseCheck(json_path="$.state", **check)
        with pytest.raises(ResourceError) as caught:
            to_the_end(operator(deferrable=deferrable, response_check=checked))
        error = caught.value
        assert str(error).startswith(f'Connection "my_api": GET {oauth2_server.base_url}/x: ')
        assert told in str(error)
        assert (error.status, error.method, error.url) == (200, "GET", f"{oauth2_server.base_url}/x")

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_what_it_tells_repeats_no_token(self, api: ApiEndpoint, deferrable: bool) -> None:
        check = ResponseCheck(json_path="$.authorization", expected="none")
        with pytest.raises(ResourceError, match=r'authorization is "Bearer \*\*\*", expected "none"'):
            to_the_end(operator(deferrable=deferrable, response_check=check))

    def test_log_response_logs_no_token(self, api: ApiEndpoint, logged: Callable[[], str]) -> None:
        operator(deferrable=False, log_response=True).execute({})
        lines = logged()
        assert "Bearer ***" in lines
        assert "token-1" not in lines

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [({"headers": "X-One"}, "headers"), ({"data": {"a": 1}, "json": {}, "method": "POST"}, "json")],
    )
    def test_what_templates_have_made_is_checked_before_anything_is_sent(
        self, api: ApiEndpoint, oauth2_server: OAuth2Server, arguments: dict[str, Any], field: str
    ) -> None:
        task = operator()
        for name, value in arguments.items():
            setattr(task, name, value)
        with pytest.raises(AirflowFailException) as caught:
            task.execute({})
        assert isinstance(caught.value.__cause__, ConfigurationError)
        assert caught.value.__cause__.field == field
        assert oauth2_server.token_endpoint.requests == api.requests == []
