"""A connection that names its issuer: found once, remembered for the fleet, and served through an outage."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.tokens.manager import shared
from tests.support.fleet import Task, run
from tests.support.servers.scripted import Json, RecordedRequest, ScriptedResponse, Text, token_json
from tests.support.service import Service


class IssuerServer:
    """The scripted server as an issuer; ``endpoint`` is the path that its metadata names."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.endpoint = "/endpoint"
        self.down = False
        service.server.script(self._respond)

    @property
    def fetches(self) -> int:
        return sum(request.target.startswith("/.well-known") for request in self.service.server.requests)

    @property
    def token_requests(self) -> list[str]:
        return [request.target for request in self.service.server.requests if request.method == "POST"]

    def client(self, **changes: Any) -> OAuth2Client:
        extra = {"host": self.service.server.url, "discovery": True, **changes}
        return OAuth2Client("my_api", self.service.connection(**extra))

    def _respond(self, request: RecordedRequest) -> ScriptedResponse:
        if request.target.startswith("/.well-known"):
            if self.down:
                return Text(503)
            url = self.service.server.url
            return Json({"issuer": url, "token_endpoint": f"{url}{self.endpoint}"})
        return token_json(f"tok-{len(self.token_requests)}") if request.target == self.endpoint else Text(404)


@pytest.fixture
def issuer(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> IssuerServer:
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return IssuerServer(service)


def another_process() -> None:
    """Forget what this process knows, as a new one would."""
    shared.clear()


def test_one_fetch_for_many_tokens_threads_and_coroutines(issuer: IssuerServer) -> None:
    assert issuer.client().get_token().value == "tok-1"
    another_process()
    issuer.client().get_token(force=True)
    asyncio.run(issuer.client(scope="other").aget_token())
    assert issuer.fetches == 1
    assert set(issuer.token_requests) == {"/endpoint"}


def test_an_endpoint_that_moves_is_found_again(issuer: IssuerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_oauth_provider.protocol.token.server.MOVED_AFTER", 0.0)
    issuer.client().get_token()
    issuer.endpoint = "/moved"
    assert issuer.client().get_token(force=True).value == "tok-3"
    assert issuer.token_requests == ["/endpoint", "/endpoint", "/moved"]
    assert issuer.fetches == 2


@pytest.mark.fault("H67")
def test_an_outage_of_discovery(
    issuer: IssuerServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.client().get_token()
    issuer.down = True
    monkeypatch.setattr("airflow_oauth_provider.protocol.token.metadata.FRESH", 0.0)
    with caplog.at_level(logging.WARNING):
        assert issuer.client().get_token(force=True).value == "tok-2"
    assert "metadata of last time" in caplog.text


@pytest.mark.parametrize(
    "host",
    ["https://idp.example?x=1", "https://idp.example#x", "http://idp.example", "https://me:pw@idp.example"],
)
def test_a_bad_issuer_is_refused_when_the_connection_is_read(issuer: IssuerServer, host: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        issuer.client(host=host).get_token()
    assert caught.value.field == "host"
    assert "issuer" in str(caught.value)
    assert "pw" not in str(caught.value)
    assert issuer.service.server.requests == []


@pytest.mark.slow
def test_sixteen_cold_processes_fetch_it_once(issuer: IssuerServer, tmp_path: Path) -> None:
    connection = {
        "conn_type": "oauth2_client_credentials",
        "host": issuer.service.server.url,
        "login": "my-client",
        "password": "a-client-secret",
        "extra": {"scope": "read", "discovery": True},
    }
    report = run(Task(json.loads(json.dumps(connection)), "file", str(tmp_path), 16))
    assert report.tokens == {"tok-1"}
    assert (issuer.fetches, len(issuer.token_requests)) == (1, 1)
