"""Pages, checks and filters: what the log tells of them, and what makes the result."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.operators.oauth2 import OAuth2HttpOperator
from airflow_oauth_provider.response_check import ResponseCheck
from airflow_oauth_provider.testing.endpoints import ApiEndpoint, Request, Response
from airflow_oauth_provider.testing.server import OAuth2Server
from tests.operators.deferring import operator
from tests.triggers.running import to_the_end

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("api")]


@pytest.fixture(params=[False, True], ids=["worker", "deferred"])
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return lambda **arguments: to_the_end(operator(deferrable=request.param, **arguments))


def next_page(response: Any) -> dict[str, Any] | None:
    number = int(response.headers["ETag"])
    return {"data": {"page": str(number + 1)}} if number < 3 else None


def serving(*pages: Any) -> Callable[[Request], Response]:
    def serve(request: Request) -> Response:
        number = int(request.query.get("page", ["1"])[0])
        page = pages[number - 1]
        text = page if isinstance(page, str) else json.dumps(page)
        return Response.of(text, headers={"ETag": str(number)})

    return serve


@pytest.mark.fault("F40")
@pytest.mark.parametrize(
    "pages, messages",
    [
        pytest.param(
            [[1, 2], [3], [4, 5]],
            ["page 1: 2 items, 2 so far", "page 2: 1 item, 3 so far", "page 3: 2 items, 5 so far"],
            id="arrays",
        ),
        pytest.param(
            [{"orders": [1], "next": "x", "by": {"a": []}}, {"orders": []}, {"orders": [2, 3], "next": None}],
            ["page 1: 1 item, 1 so far", "page 2: 0 items, 1 so far", "page 3: 2 items, 3 so far"],
            id="the-only-array",
        ),
        pytest.param(
            [{"orders": [1], "links": []}, "<html>", [1, 2]],
            ["page 1: 28 bytes", "page 2: 6 bytes", "page 3: 2 items"],
            id="what-cannot-be-counted",
        ),
    ],
)
def test_a_line_a_page(
    api: ApiEndpoint,
    run: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    pages: list[Any],
    messages: list[str],
) -> None:
    caplog.set_level(logging.INFO, "airflow_oauth_provider.tasks.pages")
    api.route("x", serving(*pages))
    assert len(run(pagination_function=next_page, data={"kept": "1"}, response_headers="ETag")) == 3
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("tasks.pages")]
    assert lines == messages
    assert [call.target for call in api.requests[1:]] == ["/api/x?kept=1&page=2", "/api/x?kept=1&page=3"]


@pytest.mark.fault("F48")
@pytest.mark.parametrize(
    "page, field",
    [
        ("https://api.example/2", "pagination_function"),
        ({"endpont": "x"}, "pagination_function"),
        ({"endpoint": 3}, "pagination_function"),
        ({"headers": {"X-Page": 2}}, "pagination_function"),
        ({"extra_options": {"timeot": 1}}, "extra_options"),
    ],
    ids=str,
)
def test_what_a_pagination_function_may_not_return(run: Callable[..., Any], page: Any, field: str) -> None:
    with pytest.raises(AirflowFailException) as caught:
        run(pagination_function=lambda _: page)
    assert isinstance(caught.value.__cause__, ConfigurationError)
    assert caught.value.__cause__.field == field


def test_what_pages_merge(api: ApiEndpoint) -> None:
    calls = iter([{"endpoint": "y", "data": {"b": {"d": 2}}, "headers": {"X-Two": "2"}}, None])
    task = OAuth2HttpOperator(
        task_id="x",
        oauth2_conn_id="my_api",
        endpoint="x",
        method="GET",
        data={"a": "1", "b": {"c": 1}},
        headers={"X-One": "1"},
        pagination_function=lambda _: next(calls),
    )
    task.execute({})
    last = api.requests[-1]
    assert last.target == "/api/y?a=1&b=c&b=d"
    assert (last.headers["x-one"], last.headers["x-two"]) == ("1", "2")


@pytest.mark.fault("F41")
@pytest.mark.parametrize(
    "check, message",
    [
        (
            ResponseCheck(json_path="$.a", expected="done"),
            '$.a is "Bearer ***", expected "done"',
        ),
        (ResponseCheck(status=201), "the status is 200, expected 201"),
        (
            {"status": [200, 201], "json_path": "$.b"},
            "the response has no $.b: $ has a; expected status 200 or 201, $.b is set",
        ),
    ],
)
def test_a_declared_check_tells_what_it_expects_and_what_it_has_seen(
    api: ApiEndpoint, oauth2_server: OAuth2Server, run: Callable[..., Any], check: Any, message: str
) -> None:
    api.route("x", lambda request: {"a": request.headers["authorization"]})
    with pytest.raises(ResourceError) as caught:
        run(response_check=check)
    url = f"{oauth2_server.base_url}/x"
    assert str(caught.value) == f'Connection "my_api": GET {url}: response_check: {message}'
    assert (caught.value.method, caught.value.url, caught.value.status) == ("GET", url, 200)
    assert "token-1" not in str(caught.value)


def test_a_declared_check_that_holds(api: ApiEndpoint, run: Callable[..., Any]) -> None:
    api.respond({"a": "done"}, times=None)
    assert run(response_check=ResponseCheck(json_path="$.a", expected="done")) == '{"a": "done"}'


@pytest.mark.fault("F52")
def test_checks_and_filters_log_no_deprecation(
    api: ApiEndpoint,
    run: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = run(
            response_check=lambda response: response.ok,
            response_filter=lambda response: response.status_code,
        )
    assert result == 200
    assert [str(warning.message) for warning in caught if "determine_kwargs" in str(warning.message)] == []
    assert "determine_kwargs" not in caplog.text + capsys.readouterr().out


def test_checks_and_filters_are_given_what_they_name_of_the_context(api: ApiEndpoint) -> None:
    task = operator(
        deferrable=False,
        response_check=lambda response, ds: (response.ok, ds) == (True, "2026-01-01"),
        response_filter=lambda response, ds, **rest: [response.status_code, ds, *rest],
    )
    assert task.execute({"ds": "2026-01-01", "ts": "x"}) == [200, "2026-01-01", "ts"]
