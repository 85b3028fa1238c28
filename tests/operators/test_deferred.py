"""The operator deferred: the same results and errors as on the worker, and nothing sent twice."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

import pytest
import requests
import tenacity
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    TaskDeferred,
)

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    InvalidClientError,
    ResourceError,
)
from airflow_oauth_provider.testing.endpoints import ApiEndpoint, Request
from airflow_oauth_provider.testing.server import OAuth2Server
from airflow_oauth_provider.triggers.oauth2 import OAuth2HttpTrigger
from tests.operators.deferring import deferred, operator
from tests.support.span import Span
from tests.triggers.running import again, event_of, to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("api")]


def test_the_answers_text_is_the_result(api: ApiEndpoint, oauth2_server: OAuth2Server) -> None:
    assert '"target": "/api/x?a=1"' in to_the_end(operator(data={"a": "1"}))
    assert len(oauth2_server.token_endpoint.requests) == 1


def test_filters_and_checks_see_the_answer(api: ApiEndpoint) -> None:
    api.respond({"a": 1}, headers={"X-Total": "7"}, times=None)
    result = to_the_end(
        operator(
            response_headers=["X-Total"],
            response_check=lambda response: response.status_code == 200,
            response_filter=lambda response: (response.json()["a"], response.headers["x-total"]),
        )
    )
    assert tuple(result) == (1, "7")
    with pytest.raises(AirflowException):
        to_the_end(operator(response_check=lambda _: False))


def test_any_number_of_pages(api: ApiEndpoint, oauth2_server: OAuth2Server) -> None:
    def page(request: Request) -> dict[str, Any]:
        number = int(request.query["page"][0])
        return {"next": f"{oauth2_server.base_url}/items?page={number + 1}" if number < 5 else None}

    api.route("items", page)
    result = to_the_end(
        operator(
            endpoint="items?page=1",
            pagination_function=lambda response: (
                {"endpoint": response.json()["next"]} if response.json()["next"] else None
            ),
        )
    )
    assert len(result) == 5
    assert len(api.requests) == 5
    assert len({call.connection for call in api.requests[1:]}) == 1
    assert len(oauth2_server.token_endpoint.requests) == 1


def test_a_put_with_json_is_deferred_too(api: ApiEndpoint) -> None:
    result = to_the_end(operator(method="PUT", json={"a": 1}, response_filter=lambda r: r.json()["body"]))
    assert result == '{"a": 1}'


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_is_not_idempotent_is_sent_by_the_worker(api: ApiEndpoint, method: str) -> None:
    result = operator(method=method, json={"a": 1}).execute({})
    assert json.loads(result)["body"] == '{"a": 1}'
    assert len(api.requests) == 1


def test_only_the_wait_of_a_post_is_deferred(api: ApiEndpoint) -> None:
    api.respond({}, 503)
    retry = {
        "stop": tenacity.stop_after_attempt(3),
        "wait": tenacity.wait_fixed(0.2),
        "retry": tenacity.retry_if_exception_type(AirflowException),
        "reraise": True,
    }
    task = operator(method="POST", retry_args=retry)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    assert len(api.requests) == 1
    event_of(deferred.value.trigger)
    event_of(again(deferred.value.trigger))
    assert len(api.requests) == 1, "a triggerer that is started again sends nothing"
    api.respond({}, 503)
    api.respond({})
    began = time.monotonic()
    assert to_the_end(operator(method="POST", retry_args=retry)) == "{}"
    assert time.monotonic() - began >= 0.2


class TestRetryArgs:
    """Tenacity decides of the triggerer's calls as it does of the worker's."""

    def retry(self, attempts: int, **more: Any) -> dict[str, Any]:
        return {
            "stop": tenacity.stop_after_attempt(attempts),
            "wait": tenacity.wait_fixed(0.05),
            "retry": tenacity.retry_if_exception_type((AirflowException, requests.ConnectionError)),
            "reraise": True,
            **more,
        }

    def test_until_it_works(self, api: ApiEndpoint) -> None:
        api.respond({}, 503)
        api.drop()
        api.respond({"a": 1})
        assert to_the_end(operator(retry_args=self.retry(3))) == '{"a": 1}'
        assert len(api.requests) == 3

    def test_until_it_says_stop(self, api: ApiEndpoint) -> None:
        api.respond({}, 503, times=None)
        with pytest.raises(ResourceError) as caught:
            to_the_end(operator(retry_args=self.retry(3)))
        assert caught.value.status == 503
        assert len(api.requests) == 3

    def test_results_can_be_repeated_too(self, api: ApiEndpoint) -> None:
        api.respond({"state": "queued"})
        api.respond({"state": "done"})
        retry = self.retry(3, retry=tenacity.retry_if_result(lambda r: r.json()["state"] != "done"))
        assert "done" in to_the_end(operator(retry_args=retry))

    def test_a_later_fetch_by_the_worker_counts_as_an_attempt(self, api: ApiEndpoint) -> None:
        for status in (200, 503, 200, 200):
            api.respond("x" * 300_000, status)
        assert len(to_the_end(operator(retry_args=self.retry(2)))) == 300_000
        assert len(api.requests) == 4

    def test_not_before_it_is_time(self, api: ApiEndpoint) -> None:
        api.respond({}, 503, times=None)
        task = operator(retry_args=self.retry(2, wait=tenacity.wait_fixed(30)))
        trigger = deferred(lambda: task.execute({})).trigger
        event = event_of(trigger)
        span = Span()
        later = deferred(lambda: task.execute_complete({}, event)).trigger
        assert isinstance(later, OAuth2HttpTrigger)
        assert later.not_before is not None
        assert later.not_before - 30 in span

    def test_the_time_of_all_attempts_counts(self, api: ApiEndpoint) -> None:
        api.respond({}, 503, times=None)
        since_start: list[float] = []

        def stop(state: tenacity.RetryCallState) -> bool:
            since_start.append(state.seconds_since_start or 0.0)
            return len(since_start) == 3

        task = operator(retry_args=self.retry(99, stop=stop, wait=tenacity.wait_fixed(0.5), reraise=False))
        with pytest.raises(tenacity.RetryError):
            to_the_end(task)
        assert len(api.requests) == 3
        assert all(later - earlier > 0.4 for earlier, later in pairwise(since_start))


class TestErrors:
    """What the triggerer met is raised by the worker as if it had met it."""

    @pytest.mark.fault("L39")
    def test_a_refused_client_fails_fast(self, oauth2_server: OAuth2Server) -> None:
        oauth2_server.token_endpoint.refuse()
        with pytest.raises(AirflowFailException) as caught:
            to_the_end(operator())
        assert isinstance(caught.value.__cause__, InvalidClientError)
        assert caught.value.__cause__.conn_id == "my_api"
        with pytest.raises(InvalidClientError):
            to_the_end(operator(fail_fast=False))
        assert len(oauth2_server.token_endpoint.requests) == 1

    def test_a_wrong_base_url(self, api: ApiEndpoint, oauth2_server: OAuth2Server) -> None:
        with pytest.raises(AirflowFailException) as caught:
            to_the_end(operator(base_url="https://elsewhere.example"))
        assert isinstance(caught.value.__cause__, ConfigurationError)
        assert oauth2_server.token_endpoint.requests == api.requests == []

    @pytest.mark.parametrize("deferrable", [False, True])
    @pytest.mark.fault("L12", "F17")
    def test_a_connection_that_does_not_exist(self, deferrable: bool) -> None:
        with pytest.raises(AirflowFailException, match="the environment has my_api") as caught:
            to_the_end(operator(oauth2_conn_id="my_apo", deferrable=deferrable))
        assert isinstance(caught.value.__cause__, ConnectionNotFoundError)
        with pytest.raises(AirflowNotFoundException):
            to_the_end(operator(oauth2_conn_id="my_apo", deferrable=deferrable, fail_fast=False))

    @pytest.mark.parametrize("status, definite", [(403, True), (404, False), (503, False)])
    def test_refusals_of_the_api(self, api: ApiEndpoint, status: int, definite: bool) -> None:
        api.respond({}, status, times=None)
        with pytest.raises(AirflowException) as caught:
            to_the_end(operator())
        assert isinstance(caught.value, AirflowFailException) is definite


def test_the_triggerer_is_told_all_of_the_call(api: ApiEndpoint, oauth2_server: OAuth2Server) -> None:
    api.respond({}, 418, times=None)
    task = operator(
        method="PUT",
        endpoint="y",
        headers={"X-One": "1"},
        extra_options={"check_response": False},
        request_kwargs={"params": {"a": "b"}},
        base_url=f"{oauth2_server.base_url}/v2",
        response_check=lambda response: response.status_code == 418,
    )
    to_the_end(task)
    assert api.requests[0].target == "/api/v2/y?a=b"
    assert api.requests[0].headers["x-one"] == "1"


def test_one_header_may_be_given_as_text(api: ApiEndpoint) -> None:
    api.respond({}, headers={"X-Total": "7"}, times=None)
    result = to_the_end(operator(response_headers="X-Total", response_filter=lambda r: r.headers["X-Total"]))
    assert result == "7"


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_callers_arguments_stay_as_they_are(api: ApiEndpoint, deferrable: bool) -> None:
    common = {"params": {"v": "1"}}
    to_the_end(operator(method="PUT", json={"a": 1}, request_kwargs=common, deferrable=deferrable))
    to_the_end(operator(method="DELETE", request_kwargs=common, deferrable=deferrable))
    assert common == {"params": {"v": "1"}}
    assert [call.body for call in api.requests] == [b'{"a": 1}', b""]


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_answer_is_logged_if_so_wanted(
    api: ApiEndpoint,
    deferrable: bool,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def logged(**arguments: Any) -> str:
        with caplog.at_level("INFO"):
            to_the_end(operator(deferrable=deferrable, **arguments))
        return caplog.text + capsys.readouterr().out  # where Airflow logs to depends on its version

    api.respond("the answer's text", times=None)
    assert "the answer's text" not in logged()
    assert "the answer's text" in logged(log_response=True)


def test_a_delete_that_was_made_twice_can_be_allowed(api: ApiEndpoint) -> None:
    api.respond("", 204)
    api.respond({}, 404)
    task = operator(
        method="DELETE",
        extra_options={"check_response": False},
        response_check=lambda response: response.status_code in {204, 404},
    )
    event_of(deferred(lambda: task.execute({})).trigger)
    to_the_end(task)
    assert len(api.requests) == 2
