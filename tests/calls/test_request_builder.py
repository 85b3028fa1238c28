from __future__ import annotations

import io
from typing import Any
from unittest.mock import create_autospec

import pytest

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.request_builder import RequestBuilder
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError, ResourceError
from airflow_oauth_provider.transport.async_responses import HeadTimer
from tests.support.service import Service

TIMER: Any = create_autospec(HeadTimer, instance=True)


@pytest.fixture
def builder(service: Service) -> RequestBuilder:
    connection = service.connection(api_headers="X-Tenant=emea")
    return RequestBuilder(BearerAuth(OAuth2Client("my_api", connection)), {"X-Own": "1"})


@pytest.mark.parametrize(
    ("endpoint", "params", "path"),
    [
        (None, None, ""),
        ("orders", None, "/orders"),
        ("/orders", {"from": "a b", "n": 1}, "/orders?from=a+b&n=1"),
        ("orders?x=1", [("y", "2"), ("y", "3")], "/orders?x=1&y=2&y=3"),
        ("Ä", None, "/%C3%84"),
    ],
)
def test_addresses(
    builder: RequestBuilder, service: Service, endpoint: str | None, params: Any, path: str
) -> None:
    for _ in range(2):  # the second time from memory
        request = builder.build("GET", endpoint, {"params": params})
        assert request.call.url.rstrip("/") == f"{service.base_url}{path}"


def test_headers_of_connection_session_and_call(builder: RequestBuilder) -> None:
    assert builder.build("GET", "x", {}).headers == {"X-Tenant": "emea", "X-Own": "1"}
    own = builder.build("GET", "x", {"headers": {"x-own": "2", "X-Tenant": None}}).headers
    assert own == {"x-own": "2"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"headers": {"authorization": "mine"}},
        {"headers": {"X-A": "b\r\nX-B: c"}},
        {"headers": {"X-Page": 1}},
        {"auth": ("user", "password")},
        {"stream": True},
        {"json": {1, 2}},
        {"timeout": "soon"},
    ],
    ids=str,
)
def test_what_cannot_be_sent_names_the_connection(builder: RequestBuilder, arguments: dict[str, Any]) -> None:
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        builder.build("POST", "x", arguments)
    if isinstance(caught.value, ConfigurationError):
        assert caught.value.conn_id == "my_api"


def test_an_address_elsewhere(builder: RequestBuilder) -> None:
    with pytest.raises(ConfigurationError):
        builder.build("GET", "https://elsewhere.example/", {})


def test_a_file_is_read_once_however_often_its_request_is_built(service: Service) -> None:
    auth = BearerAuth(OAuth2Client("my_api", service.connection()))
    builder = RequestBuilder(auth, None)
    arguments = {"files": {"f": io.BytesIO(b"contents")}}
    request = builder.build("POST", "x", arguments)
    assert builder.build("POST", "x", arguments, before=request) is request
    body = request.body(TIMER, again=False)
    assert b"contents" in body
    request.where = None  # as if the connection had been edited since
    with pytest.raises(ResourceError, match="run the task again") as caught:
        builder.build("POST", "x", arguments, before=request)
    assert caught.value.retryable
    without = {"data": b"contents"}
    again = builder.build("POST", "x", without, before=request)
    assert again is not request
