"""Try: one GET of an API, for whoever may edit the connection and must not look around by it."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from airflow_oauth_provider.authorizations.trying import (
    MAX_PATH,
    MAX_READ,
    MAX_SHOWN,
    TrialResult,
    obstacle_to_trials,
    try_call,
)
from airflow_oauth_provider.deployment.policy import Policy
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TransportError,
)
from tests.support.servers.scripted import (
    CloseNow,
    Json,
    Raw,
    Redirect,
    ScriptedServer,
    Silent,
    Text,
    token_json,
)
from tests.support.service import Service

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.fixture(autouse=True)
def _lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_TOKEN_HOSTS", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__SHOW_API_ANSWERS", "True")


def refused(result: TrialResult, service: Service) -> OAuthError:
    assert result.error is not None
    assert not result.ok
    assert service.server.requests == []
    return result.error


def test_status_type_and_size(service: Service) -> None:
    service.api = lambda _: Text(200, "hello", "text/plain; charset=utf-8")
    result = try_call(service.connection(), "/orders?limit=1&key=of-a-person")
    assert result.ok, result.error
    assert (result.status, result.reason, result.size, result.whole) == (200, "Scripted", 5, True)
    assert result.body is None, "show_api_answers is off"
    assert [call.target for call in service.calls] == ["/api/orders?limit=1&key=of-a-person"]
    assert service.calls[0].header("Authorization") == "Bearer tok-1"
    assert "answered 200 Scripted: " in result.message
    assert ", 5 bytes." in result.message
    assert "of-a-person" not in result.message
    assert try_call(service.connection(), "/orders").ok
    assert len(service.token_requests) == 1, "the token that tasks use"


def test_the_body_only_where_the_deployment_shows_it(service: Service, shows: None) -> None:
    result = try_call(service.connection(), "/echo?secret=a-client-secret")
    assert result.body is not None
    assert "tok-1" not in result.body
    assert "a-client-secret" not in result.body
    assert '"method": "GET"' in result.body


@pytest.mark.parametrize("gone", ["ALLOWED_TOKEN_HOSTS", "ALLOWED_API_HOSTS"])
def test_without_an_allow_list_nothing_is_asked(
    gone: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIRFLOW__OAUTH2__{gone}", "")
    error = refused(try_call(service.connection(), "/orders"), service)
    assert gone.lower() in str(error)


def test_what_is_in_the_way_of_all() -> None:
    assert obstacle_to_trials(Policy(token_hosts=("a",), api_hosts=("b",))) == ""
    assert "allowed_token_hosts and allowed_api_hosts" in obstacle_to_trials(Policy())


@pytest.mark.parametrize(
    "path",
    [
        "orders",
        "",
        "//evil.example/x",
        "http://127.0.0.1:1/x",
        "https://evil.example/",
        "/x\r\nHost: evil.example",
        "/x y",
        "/\\evil.example",
        "/" + "x" * MAX_PATH,
        "@evil.example/",
        *("/../admin", "/x/%2e%2E/../y", "/./x", "/x/.."),
    ],
)
def test_only_a_path_of_its_own_api(path: str, service: Service) -> None:
    assert isinstance(try_call(service.connection(), path).error, ConfigurationError)
    assert service.calls == []


def test_a_host_that_no_list_names(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "api.example")
    refused(try_call(service.connection(), "/orders"), service)


def test_a_connection_without_an_api(service: Service) -> None:
    error = refused(try_call(service.connection(base_url=None), "/orders"), service)
    assert "base_url" in str(error)


def test_a_redirect_is_not_followed(service: Service) -> None:
    with ScriptedServer() as other:
        service.api = lambda _: Redirect(f"{other.url}/secrets")
        result = try_call(service.connection(), "/orders")
        assert other.requests == []
    assert (result.status, len(service.calls)) == (302, 1)
    assert "was not followed" in result.message


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_refusal_of_the_api_is_a_result(status: int, service: Service) -> None:
    service.api = lambda _: Json({"why": "no"}, status)
    result = try_call(service.connection(), "/orders")
    assert (result.status, result.ok, result.error) == (status, False, None)
    assert len(service.calls) == 1
    assert len(service.token_requests) == 1, "a refused token is not renewed for a trial"


def test_without_a_token_no_call(service: Service) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)
    result = try_call(service.connection(), "/orders")
    assert isinstance(result.error, InvalidClientError)
    assert service.calls == []
    assert "invalid_client" in result.message


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(CloseNow(), id="no-response"),
        pytest.param(Raw(HEAD + b"Content-Length: 100\r\n\r\nabc"), id="cut"),
        pytest.param(Silent(), id="silent"),
    ],
)
def test_an_api_that_does_not_answer(
    response: Any, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_oauth_provider.authorizations.trying.TIMEOUT", 0.5)
    service.api = lambda _: response
    result = try_call(service.connection(), "/orders")
    assert isinstance(result.error, TransportError)
    assert result.status is None


def test_a_body_without_end_is_counted_so_far(service: Service, shows: None) -> None:
    size = 4 * MAX_READ
    service.api = lambda _: Raw(HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
    result = try_call(service.connection(), "/orders")
    assert (result.size, result.whole) == (MAX_READ, False)
    assert f"more than {MAX_READ} bytes" in result.message
    assert len(result.body or "") <= MAX_SHOWN


def test_a_body_that_unpacks_to_very_much(service: Service) -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    service.api = lambda _: Raw(head + packed)
    assert not try_call(service.connection(), "/orders").whole


@pytest.mark.parametrize(
    "body, shown",
    [
        pytest.param("a\r\nb\tc", "a\nb\tc", id="lines"),
        pytest.param("\x1b[31mred\u202e", " [31mred ", id="steering"),
        pytest.param("a\0b", "(binary data)", id="binary"),
        pytest.param("<script>", "<script>", id="markup is the page's to escape"),
    ],
)
def test_what_is_shown_of_a_body(body: str, shown: str, service: Service, shows: None) -> None:
    service.api = lambda _: Text(200, body)
    assert try_call(service.connection(), "/orders").body == shown


def test_an_api_that_wants_to_be_left_alone(service: Service) -> None:
    service.api = lambda _: Text(429, "", "text/plain", [("Retry-After", "100")])
    assert try_call(service.connection(), "/orders").status == 429
    again = try_call(service.connection(), "/orders")
    assert again.status == 429 or isinstance(again.error, ResourceError | TransportError)


def test_an_instance_that_the_token_names_must_be_listed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.token = lambda _: token_json("tok-1", instance_url="https://evil.example")
    connection = service.connection(
        base_url="{instance_url}/v1", allowed_origins=["https://*.my.salesforce.com"]
    )
    result = try_call(connection, "/orders")
    assert result.error is not None
    assert service.calls == []


def test_whatever_else_goes_wrong_is_a_result(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("with a-client-secret in it")

    monkeypatch.setattr("airflow_oauth_provider.authorizations.trying._read", broken)
    result = try_call(service.connection(), "/orders")
    assert "a-client-secret" not in result.message
    assert "RuntimeError" in result.message
