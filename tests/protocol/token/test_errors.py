from __future__ import annotations

from typing import Any

import pytest

from airflow_oauth_provider.exceptions import InvalidClientError, TokenEndpointError
from airflow_oauth_provider.protocol.confidential_values import redactor_of
from airflow_oauth_provider.protocol.redaction import NOTHING
from airflow_oauth_provider.protocol.settings import ResponseSettings
from airflow_oauth_provider.protocol.token.errors import RETRYABLE_STATUSES, read_error
from airflow_oauth_provider.protocol.token.response import read_token_response
from tests.support.builders import NOW, SECRET, http_response, settings


def refused(body: Any, status: int = 400, *, retry_after: float | None = None) -> TokenEndpointError:
    given = settings()
    return read_error(
        given, http_response(body, status), retry_after=retry_after, redactor=redactor_of(given)
    )


@pytest.mark.parametrize("status", [400, 401, 403, 200])
def test_a_refused_client_has_an_error_of_its_own_whatever_the_status(status: int) -> None:
    error = refused({"error": "invalid_client"}, status)
    assert type(error) is InvalidClientError
    assert (error.status, error.error, error.retryable) == (status, "invalid_client", False)
    assert "client id and secret" in str(error)


@pytest.mark.parametrize("status", sorted(RETRYABLE_STATUSES))
def test_a_passing_status_is_passing_whatever_the_body(status: int) -> None:
    error = refused({"error": "invalid_client"}, status)
    assert type(error) is TokenEndpointError
    assert error.retryable


@pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error", "slow_down"])
def test_passing_codes(code: str) -> None:
    assert refused({"error": code}).retryable


def test_what_the_server_says_is_told_and_cleaned() -> None:
    error = refused(
        {
            "error": "invalid_scope\n\x1b[31m",
            "error_description": f"no {SECRET} here\x00",
            "error_uri": "https://idp.example/help",
        },
        retry_after=12.4,
    )
    assert error.error is not None
    assert error.error.startswith("invalid_scope")
    assert "\x1b" not in str(error)
    assert "\n" not in error.error
    assert SECRET not in str(error)
    assert error.uri == "https://idp.example/help"
    assert "asks to wait 12 s" in str(error)


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "//x", 7, "https://a.example/\n"])
def test_an_address_that_is_none_is_left_out(uri: Any) -> None:
    assert refused({"error": "invalid_scope", "error_uri": uri}).uri in {None, "https://a.example/"}


@pytest.mark.parametrize(
    ("body", "status", "is_page"),
    [(b"<html>no</html>", 403, True), (b"  <!DOCTYPE html>", 502, True), (b"", 403, False), ({}, 400, False)],
)
def test_a_page_is_not_the_servers_own_word(body: Any, status: int, is_page: bool) -> None:
    error = refused(body, status)
    assert error.is_page is is_page
    assert error.error is None
    assert f"HTTP status {status}" in str(error)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 429])
def test_a_bare_status_comes_with_advice(status: int) -> None:
    assert refused(b"", status).advice


TOKEN = "tok-7-abcdefghijkl"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"access_token": TOKEN}, id="at-its-usual-place"),
        pytest.param({"refresh_token": TOKEN}, id="another-kind"),
        pytest.param({"data": [{"key": TOKEN}]}, id="elsewhere"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 503])
def test_a_token_beside_an_error_is_not_repeated(body: dict[str, Any], status: int) -> None:
    texts = {
        "error": "invalid_scope",
        "error_description": f"none for {TOKEN}",
        "error_uri": f"https://x/{TOKEN}",
    }
    client = settings(response=ResponseSettings(members=(("access_token", ("data", 0, "key")),)))
    refused = http_response({**body, **texts}, status=status)
    if status == 200:
        with pytest.raises(TokenEndpointError) as caught:
            read_token_response(client, refused, requested_at=NOW)
        error = caught.value
    else:
        error = read_error(client, refused, retry_after=None, redactor=NOTHING)
    assert TOKEN not in repr(vars(error)) + str(error)
    assert error.description == "none for ***"
