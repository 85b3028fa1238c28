from __future__ import annotations

import pytest

from airflow_oauth_provider.exceptions import TokenResponseError
from airflow_oauth_provider.protocol.configured_server import TokenEndpoint
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.token.endpoint import TOKEN, is_blank, media_type, token_endpoint
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import settings


def response(body: bytes = b"{}", status: int = 200, **headers: str) -> HttpResponse:
    return HttpResponse(
        status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), body
    )


def test_where_it_is() -> None:
    assert TOKEN.origin_of(settings()) == settings().server.origin
    moved = TOKEN.at(parse_url("https://eu.idp.example/token"))
    assert moved.origin_of(settings()).host == "eu.idp.example"
    assert TOKEN.origin is None


def test_an_object_is_read() -> None:
    assert TOKEN.read_object(response(b'{"a": 1}')) == {"a": 1}
    assert TOKEN.read_object(response(b"{}", content_encoding="identity")) == {}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (response(b"  "), "the body is empty"),
        (response(b'{"access_token": "the-token"'), "not valid JSON"),
        (response(b"<html>", content_type="text/html; charset=x"), "(Content-Type text/html)"),
        (response(b"<html>", content_type="x" * 60_000), "not valid JSON"),
        (response(b"{}", content_encoding="gzip"), "compressed"),
    ],
)
def test_what_is_no_response_of_it(given: HttpResponse, says: str) -> None:
    with pytest.raises(TokenResponseError) as caught:
        TOKEN.read_object(given)
    assert says in str(caught.value)
    assert "the-token" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert caught.value.__context__ is None
    assert caught.value.advice == "check that the access token URL is the token endpoint"


@pytest.mark.parametrize(
    ("status", "says"), [(302, "redirects"), (201, "201 instead of 200"), (204, "204 instead of 200")]
)
def test_other_statuses(status: int, says: str) -> None:
    error = TOKEN.unexpected_status(response(status=status))
    assert says in str(error)
    assert (error.status, error.retryable) == (status, False)


@pytest.mark.fault("F72")
@pytest.mark.parametrize(
    ("value", "blank"), [(None, True), ("", True), ("  ", True), (0, False), (False, False), ("x", False)]
)
def test_what_says_nothing(value: object, blank: bool) -> None:
    assert is_blank(value) is blank


def test_media_types() -> None:
    assert media_type(response(content_type="Application/JSON; charset=UTF-8")) == "application/json"
    assert media_type(response()) == ""


@pytest.mark.parametrize(
    ("address", "doubted"), [("https://idp.example", True), ("https://idp.example/token", False)]
)
def test_an_address_without_a_path_is_doubted_where_something_else_responds(
    address: str, doubted: bool
) -> None:
    """People enter the server where the token URL belongs."""
    endpoint = token_endpoint(settings(server=TokenEndpoint(parse_url(address))))
    page = response(b"<html>", content_type="text/html")
    with pytest.raises(TokenResponseError) as caught:
        endpoint.read_object(page)
    errors = (caught.value, endpoint.unexpected_status(response(status=302)))
    assert [("it has no path" in (error.advice or "")) for error in errors] == [doubted, doubted]
    assert endpoint.check_address.startswith("check the access token URL")
