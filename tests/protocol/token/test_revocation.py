from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from airflow_oauth_provider.exceptions import TokenEndpointError, TokenResponseError
from airflow_oauth_provider.protocol.confidential_values import redactor_of
from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.token.errors import read_error
from airflow_oauth_provider.protocol.token.revocation import REVOCATION, revocation
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, http_response, settings

TOKEN = "2YotnFZFEjr1zCsicMWpAA"
URL = parse_url("https://idp.example/revoke")
MESSAGE = revocation(settings(), URL, Secret(TOKEN), entropy=lambda size: b"\1" * size)


def read(body: Any, **headers: Any) -> bool:
    return MESSAGE.read(http_response(body, **headers), Moment(NOW, 0.0), redactor_of(settings(), TOKEN))


def test_the_request() -> None:
    built = MESSAGE.build(settings(), NOW)
    assert built is not None
    assert built.url == str(URL)
    assert parse_qsl(built.body.decode()) == [("token", TOKEN), ("token_type_hint", "access_token")]
    assert dict(built.headers)["Authorization"].startswith("Basic ")
    assert TOKEN not in repr(built)


@pytest.mark.parametrize(
    "body, kind",
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"", "text/plain", id="empty-text"),
        pytest.param(b"OK", "text/plain", id="text"),
        pytest.param({}, "application/json", id="object"),
        pytest.param({"error": None}, "application/json", id="no-error"),
        pytest.param({"error": ""}, "application/json", id="empty-error"),
        pytest.param(b'"revoked"', "application/json", id="string"),
        pytest.param(b"{", "application/json", id="cut"),
        pytest.param(b"\xff", "application/octet-stream", id="bytes"),
        pytest.param(b"", "text/html; charset=utf-8", id="empty-page"),
        pytest.param(b" \r\n", "text/html", id="blank-page"),
        pytest.param({}, "text/html", id="object-labelled-as-page"),
        pytest.param({"error": ""}, "text/html", id="no-error-labelled-as-page"),
    ],
)
def test_200_is_success_whatever_the_body(body: Any, kind: str) -> None:
    assert read(body, content_type=kind)


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8", "application/xhtml+xml"])
def test_a_page_confirms_nothing(kind: str) -> None:
    with pytest.raises(TokenResponseError, match="web page"):
        read(b"<html>Sign in", content_type=kind)


def test_an_error_with_200_is_that_error() -> None:
    with pytest.raises(TokenEndpointError) as caught:
        read({"error": "unsupported_token_type", "error_description": f"not {TOKEN}"})
    assert caught.value.error == "unsupported_token_type"
    assert caught.value.description == "not ***"


@pytest.mark.parametrize(
    "status, body, advice",
    [
        pytest.param(400, {"error": "unsupported_token_type"}, "does not revoke such tokens", id="type"),
        pytest.param(400, {"error": "unauthorized_client"}, "not allowed to revoke", id="client"),
        pytest.param(400, {"error": "invalid_grant"}, "issued to another client", id="other-client"),
        pytest.param(403, b"", "may be of another client", id="bare-403"),
        pytest.param(404, b"", "check the endpoint given", id="404"),
        pytest.param(405, b"", "check the endpoint given", id="405"),
        pytest.param(401, {"error": "invalid_client"}, "check client id and secret", id="401"),
    ],
)
def test_refusals_say_what_to_do(status: int, body: Any, advice: str) -> None:
    error = read_error(
        settings(),
        http_response(body, status),
        retry_after=None,
        redactor=redactor_of(settings(), TOKEN),
        endpoint=REVOCATION.at(URL),
    )
    assert "refused the revocation" in error.message
    assert "(RFC 7009 §2.2.1)" in error.message
    assert not error.retryable
    assert advice in (error.advice or "")
