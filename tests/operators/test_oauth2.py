"""The operator: the hook's rules, pages, checks, and failing fast."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import tenacity
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.providers.http.operators.http import HttpOperator

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    ResourceError,
    TokenEndpointError,
)
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.testing.endpoints import ApiEndpoint, Request
from airflow_oauth_provider.testing.server import OAuth2Server
from airflow_oauth_provider.transport.stopping import TaskStoppedError
from tests.triggers.running import to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("api")]


def execute(**arguments: Any) -> Any:
    operator = OAuth2HttpOperator(
        task_id="call", **{"oauth2_conn_id": "my_api", "method": "GET", **arguments}
    )
    return operator.execute({})


def test_the_answers_text_is_the_result(api: ApiEndpoint) -> None:
    assert '"target": "/api/items"' in execute(endpoint="items")


def test_json_and_headers_and_filter(api: ApiEndpoint) -> None:
    result = execute(
        endpoint="x",
        method="POST",
        json={"a": 1},
        headers={"X-One": "1"},
        response_filter=lambda response: response.json()["body"],
    )
    assert result == '{"a": 1}'
    assert api.requests[0].headers["x-one"] == "1"
    assert api.requests[0].headers["content-type"] == "application/json"


def test_a_failed_check_fails_the_task(api: ApiEndpoint) -> None:
    with pytest.raises(AirflowException):
        execute(endpoint="x", response_check=lambda _: False)


def test_five_pages_over_one_connection_with_one_token(
    api: ApiEndpoint, oauth2_server: OAuth2Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(request: Request) -> dict[str, Any]:
        number = int(request.query["page"][0])
        return {"next": f"{oauth2_server.base_url}/items?page={number + 1}" if number < 5 else None}

    api.route("items", page)
    result = execute(
        endpoint="items?page=1",
        pagination_function=lambda response: (
            {"endpoint": response.json()["next"]} if response.json()["next"] else None
        ),
    )
    assert len(result) == 5
    assert len({call.connection for call in api.requests}) == 1
    assert len(oauth2_server.token_endpoint.requests) == 1


@pytest.mark.fault("R30")
def test_a_next_link_to_another_host_is_refused(api: ApiEndpoint) -> None:
    with pytest.raises(AirflowFailException) as caught:
        execute(endpoint="items", pagination_function=lambda _: {"endpoint": "https://elsewhere.example/2"})
    assert isinstance(caught.value.__cause__, ConfigurationError)
    assert len(api.requests) == 1


@pytest.mark.fault("R32")
def test_an_echoed_token_does_not_reach_xcom(api: ApiEndpoint, secret: str) -> None:
    api.route("x", lambda request: f"{request.headers['authorization']} {secret}")
    assert execute(endpoint="x") == "Bearer *** ***"


@pytest.mark.parametrize(
    "method, deferrable",
    [
        pytest.param("GET", False, id="on-the-worker"),
        pytest.param("GET", True, id="in-the-triggerer"),
        pytest.param("POST", True, id="deferrable-but-not-idempotent"),  # no event redacts its response
    ],
)
@pytest.mark.fault("F04")
def test_nor_does_one_in_what_a_filter_returns(
    api: ApiEndpoint, secret: str, method: str, deferrable: bool
) -> None:
    api.route(
        "x", lambda request: {"headers": [{"a": request.headers["authorization"]}], secret: 1}, method="*"
    )
    arguments: dict[str, Any] = {
        "task_id": "call",
        "oauth2_conn_id": "my_api",
        "method": method,
        "endpoint": "x",
        "response_filter": lambda response: {
            "json": response.json(),
            "raw": (response.content, response.text),
        },
    }
    if deferrable:
        result = to_the_end(OAuth2HttpOperator(**arguments, deferrable=True))
    else:
        result = execute(**{name: value for name, value in arguments.items() if name != "task_id"})
    assert result["json"] == {"headers": [{"a": "Bearer ***"}], "***": 1}
    assert b"token-1" not in result["raw"][0]
    assert "token-1" not in result["raw"][1]


class TestFailFast:
    """What ends a task at once, and what is left to its retries."""

    @pytest.mark.parametrize(
        "status, definite",
        [pytest.param(401, True), pytest.param(403, True), (404, False), (429, False), (503, False)],
    )
    def test_answers_of_the_api(self, api: ApiEndpoint, status: int, definite: bool) -> None:
        api.respond({}, status, times=None)
        with pytest.raises(AirflowException) as caught:
            execute(endpoint="x")
        assert isinstance(caught.value, AirflowFailException) is definite
        error = caught.value.__cause__ if definite else caught.value
        assert isinstance(error, ResourceError)
        assert error.status == status

    @pytest.mark.fault("L21")
    def test_a_refused_client(self, oauth2_server: OAuth2Server) -> None:
        oauth2_server.token_endpoint.refuse()
        with pytest.raises(AirflowFailException) as caught:
            execute(endpoint="x")
        assert isinstance(caught.value.__cause__, InvalidClientError)

    def test_a_wrong_configuration(self) -> None:
        with pytest.raises(AirflowFailException) as caught:
            execute(endpoint="x", base_url="https://elsewhere.example")
        assert isinstance(caught.value.__cause__, ConfigurationError)

    def test_a_passing_failure_is_left_to_the_retries(self, oauth2_server: OAuth2Server) -> None:
        oauth2_server.token_endpoint.throttle(600, 503)
        with pytest.raises(TokenEndpointError) as caught:
            execute(endpoint="x")
        assert caught.value.retry_after is not None

    def test_it_can_be_switched_off(self, api: ApiEndpoint) -> None:
        api.respond({}, 403, times=None)
        with pytest.raises(ResourceError):
            execute(endpoint="x", fail_fast=False)


@pytest.mark.parametrize("deferrable", [False, True])
class TestFailFastWithRetryArgs:
    """Tenacity is not asked to repeat what cannot help."""

    RETRY: ClassVar = {"stop": tenacity.stop_after_attempt(3), "wait": tenacity.wait_fixed(0.01)}

    def run(self, deferrable: bool, **arguments: Any) -> Any:
        task = OAuth2HttpOperator(
            task_id="call",
            oauth2_conn_id="my_api",
            endpoint="x",
            deferrable=deferrable,
            **{"method": "GET", "retry_args": self.RETRY, **arguments},
        )
        return to_the_end(task)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("status", [401, 403])
    def test_refusals_of_the_api(self, api: ApiEndpoint, deferrable: bool, status: int, method: str) -> None:
        api.respond({}, status, {"WWW-Authenticate": "Basic"}, times=None)
        with pytest.raises(AirflowFailException) as caught:
            self.run(deferrable, method=method)
        assert isinstance(caught.value.__cause__, ResourceError)
        assert len(api.requests) == (2 if status == 401 else 1)  # of a 401 the token is renewed once

    def test_a_refused_client(self, oauth2_server: OAuth2Server, deferrable: bool) -> None:
        oauth2_server.token_endpoint.refuse()
        with pytest.raises(AirflowFailException) as caught:
            self.run(deferrable)
        assert isinstance(caught.value.__cause__, InvalidClientError)
        assert len(oauth2_server.token_endpoint.requests) == 1

    def test_of_later_pages_too(self, api: ApiEndpoint, deferrable: bool) -> None:
        api.respond({})
        api.respond({}, 403)
        with pytest.raises(AirflowFailException):
            self.run(deferrable, pagination_function=lambda _: {"endpoint": "next"})
        assert len(api.requests) == 2

    def test_what_passes_is_repeated_and_left_to_the_retries(
        self, api: ApiEndpoint, deferrable: bool
    ) -> None:
        api.respond({}, 503, times=None)
        with pytest.raises(tenacity.RetryError):
            self.run(deferrable)
        assert len(api.requests) == 3

    def test_it_can_be_switched_off(self, api: ApiEndpoint, deferrable: bool) -> None:
        api.respond({}, 403, times=None)
        with pytest.raises(tenacity.RetryError):
            self.run(deferrable, fail_fast=False)
        assert len(api.requests) == 3

    def test_a_kill_ends_it(self, api: ApiEndpoint, deferrable: bool) -> None:
        task = OAuth2HttpOperator(
            task_id="call", oauth2_conn_id="my_api", deferrable=deferrable, retry_args=self.RETRY
        )
        task.hook.stop()
        with pytest.raises(TaskStoppedError):
            task.execute({})


class TestUnmodifiedHttpOperator:
    """Airflow's own operator, with nothing but the connection's name."""

    def test_it_works(self, api: ApiEndpoint) -> None:
        operator = HttpOperator(task_id="call", http_conn_id="my_api", endpoint="items", method="GET")
        assert "Bearer token-1" in operator.execute({})

    def test_it_paginates(self, oauth2_server: OAuth2Server) -> None:
        pages = iter([{"endpoint": "b"}, {"endpoint": "c"}, None])
        operator = HttpOperator(
            task_id="call",
            http_conn_id="my_api",
            endpoint="a",
            method="GET",
            pagination_function=lambda _: next(pages),
        )
        assert len(operator.execute({})) == 3
        assert len(oauth2_server.token_endpoint.requests) == 1

    def test_refusals_are_airflow_exceptions(self, api: ApiEndpoint) -> None:
        api.respond({}, 500, times=None)
        with pytest.raises(AirflowException):
            HttpOperator(task_id="call", http_conn_id="my_api", endpoint="a", method="GET").execute({})


def test_constructing_reads_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(conn_id: str) -> None:
        raise AssertionError(f"read {conn_id}")

    monkeypatch.setattr("airflow_oauth_provider.client.reading.get_connection", forbidden)
    OAuth2HttpOperator(task_id="call", oauth2_conn_id="my_api", endpoint="x")


@pytest.mark.parametrize(
    "arguments, field",
    [
        ({"auth_type": object}, "auth_type"),
        ({"http_conn_id": "x"}, "oauth2_conn_id"),
    ],
)
def test_what_it_does_not_accept(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        OAuth2HttpOperator(task_id="call", oauth2_conn_id="my_api", **arguments)
    assert caught.value.field == field


def test_the_connection_id_and_base_url_are_templates() -> None:
    assert {"oauth2_conn_id", "base_url", "endpoint", "json", "data", "headers"} <= set(
        OAuth2HttpOperator.template_fields
    )
