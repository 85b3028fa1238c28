"""Authorizing one connection."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.authorizations import AuthorizationStatus, authorize, describe, forget
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    ResourceError,
    TransportError,
)
from tests.support.servers.certificates import authority, issue, server_context
from tests.support.servers.scripted import CloseNow, Json, ScriptedServer, Silent, Text
from tests.support.service import Service
from tests.support.stopwatch import Stopwatch


@pytest.fixture(autouse=True)
def _store(store: Path) -> None:
    """A refused try is remembered for displays, across processes."""


def refused(_: Any) -> Text:
    return Json({"error": "invalid_client"}, 401)


def test_a_new_token_each_time(service: Service) -> None:
    connection = service.connection()
    first, second = authorize(connection), authorize(connection)
    assert first.ok
    assert second.ok
    assert len(service.token_requests) == 2
    assert OAuth2Client("my_api", connection).get_token().value == "tok-2", "it replaces the shared one"


def test_a_remembered_refusal_is_bypassed(service: Service) -> None:
    connection = service.connection()
    service.token = refused
    with pytest.raises(InvalidClientError):
        OAuth2Client("my_api", connection).get_token()
    assert isinstance(authorize(connection).error, InvalidClientError)
    assert len(service.token_requests) == 2


def test_a_refusal_is_shown_and_holds_nobody_up(service: Service) -> None:
    """Only successes are remembered for tasks: a slip of one person must not stop 500 of them."""
    connection = service.connection()
    service.token = refused
    result = authorize(connection)
    assert result.message == (
        "invalid_client. Check client id and secret (or key), and the authentication method."
    )
    assert describe(connection).status is AuthorizationStatus.REFUSED
    service.token = None
    assert OAuth2Client("my_api", connection).get_token().value == "tok-1"


@pytest.mark.fault("L28")
def test_a_silent_server_takes_ten_seconds_at_most(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_oauth_provider.client.oauth2_client.TEST_WAIT", 1.0)
    service.token = lambda _: Silent()
    watch = Stopwatch()
    result = authorize(service.connection())
    assert watch.seconds < 3
    assert isinstance(result.error, TransportError)
    assert len(service.token_requests) == 1


@pytest.mark.fault("L29")
def test_it_starts_no_other_program(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "execve"):
        monkeypatch.setattr(f"os.{name}", lambda *_: pytest.fail("a child"))
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a child"))
    before = dict(os.environ)
    assert authorize(service.connection()).ok
    assert dict(os.environ) == before, "nor does the secret enter the environment"


def test_a_wrong_connection_asks_nobody(service: Service) -> None:
    result = authorize(service.connection(host="http://idp.example/token"))
    assert isinstance(result.error, ConfigurationError)
    assert result.error.conn_id == "my_api"
    assert service.server.requests == []
    with pytest.raises(ConfigurationError):
        forget(service.connection(host=""))


class TestProbe:
    """The API is called only where the deployment says that it may be."""

    def test_it_is_skipped_where_no_list_names_the_host(self, service: Service) -> None:
        result = authorize(service.connection(probe_path="/health"))
        assert result.ok
        assert "allowed_api_hosts" in (result.probe or "")
        assert service.calls == []

    def test_it_is_called_where_one_does(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
        result = authorize(service.connection(probe_path="/health"))
        assert result.probe == "The probe answered HTTP status 200."
        assert [call.header("Authorization") for call in service.calls] == ["Bearer tok-1"]

    @pytest.mark.parametrize(
        "response, kind, text",
        [
            pytest.param(Text(500, "boom"), ResourceError, "500", id="status"),
            pytest.param(CloseNow(), TransportError, "no response from the API", id="no-answer"),
        ],
    )
    def test_a_failure_comes_with_the_token_that_was_granted(
        self, response: Any, kind: type, text: str, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
        service.api = lambda _: response
        result = authorize(service.connection(probe_path="/health"))
        assert isinstance(result.error, kind)
        assert text in str(result.error)
        assert result.expires_at is not None
        assert describe(service.connection(probe_path="/health")).status is AuthorizationStatus.AUTHORIZED


NASTY = '<script>alert(1)</script>\x1b[31mred\x1b[0m\r\nforged log line "quoted" '


@pytest.mark.parametrize(
    "size", [pytest.param(2**17, id="long[L27]"), pytest.param(2**20, id="too-long-to-be-read[L27]")]
)
def test_a_servers_text_is_harmless(size: int, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """An error description with HTML and ANSI codes, up to 1 MB, which repeats the secret besides."""
    secret = "a-client-secret"
    service.token = lambda _: Json(
        {"error": "invalid_client", "error_description": f"{NASTY}{secret} " + "x" * size}, 401
    )
    connection = service.connection()
    with caplog.at_level(logging.DEBUG):
        result = authorize(connection)
    state = describe(connection)
    for output in (json.dumps(result.report()), json.dumps(state.report()), state.text, caplog.text):
        assert secret not in output
        assert "\x1b" not in output
        assert "<script" not in output
        assert "\r\nforged" not in output
    assert len(result.message) < 500
    assert len(state.text) < 300


@pytest.mark.fault("F46")
@pytest.mark.parametrize(
    "response",
    [
        Json({"error": "invalid_client", "error_description": "locked"}, 401),
        Json({"error": "invalid_target"}, 400),
        Json({}, 429),
        Json({}, 418),
        Text(200, "<html>"),
        Text(302, ""),
        CloseNow(),
    ],
    ids=["invalid_client", "invalid_target", "429", "418", "page", "redirect", "no response"],
)
def test_advice_stands_in_one_place(service: Service, response: Any) -> None:
    service.token = lambda _: response
    result = authorize(service.connection(max_retry_attempts=0))
    assert result.error is not None
    report = result.report()
    advice = report["error"]["remedy"]
    assert len(advice) > 20
    assert json.dumps(report).count(json.dumps(advice)[1:-1]) == 1
    core = advice.rstrip(".").lower()
    assert core not in report["error"]["message"].lower() + report["message"].lower()
    assert result.message.lower().count(core) == 1
    assert str(result.error).lower().count(core) <= 1
    refusal = describe(service.connection(max_retry_attempts=0)).refusal
    assert refusal is not None
    assert refusal.remedy == advice
    assert core not in (refusal.text + refusal.reason).lower()


@pytest.mark.fault("F46")
def test_advice_of_a_certificate_and_of_a_probe_stands_in_one_place(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__ALLOWED_API_HOSTS", "127.0.0.1")
    with ScriptedServer(server_context(issue(authority("Another CA")), tmp_path)) as server:
        untrusted = authorize(service.connection(host=f"{server.url}/token", max_retry_attempts=0))
    service.api = lambda _: Json({}, 403, [("WWW-Authenticate", 'Bearer error="insufficient_scope"')])
    probed = authorize(service.connection(probe_path="/health"))
    for result, advice in ((untrusted, "ca_certificates"), (probed, "have it granted")):
        assert result.error is not None
        report = result.report()["error"]
        assert advice in report["remedy"]
        assert advice not in report["message"]
        assert str(result.error).count(advice) == 1
        assert result.message.count(advice) == 1
