from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import requests

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.session import OAuth2Session
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.transport.adapter import OAuth2Adapter
from airflow_oauth_provider.transport.call_failure import CallFailedError, CallTimeoutError
from tests.support.servers.scripted import CloseNow, Delay, Json
from tests.support.service import Service


@pytest.fixture
def session(service: Service) -> Iterator[OAuth2Session]:
    client = OAuth2Client("my_api", service.connection(api_headers="X-Tenant=emea"))
    with OAuth2Session(BearerAuth(client), OAuth2Adapter(ssl.create_default_context())) as made:
        yield made


def test_a_call_carries_the_token_and_the_connections_headers(
    session: OAuth2Session, service: Service
) -> None:
    assert session.get(f"{service.base_url}/x").json()["authorization"] == "Bearer tok-1"
    assert service.calls[0].header("X-Tenant") == "emea"


def test_nothing_of_the_environment_reaches_a_call(
    session: OAuth2Session, service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w") as file:  # noqa: PTH123
        file.write("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", netrc)
    assert session.get(service.base_url).json()["authorization"] == "Bearer tok-1"


def test_elsewhere_nothing_is_sent(session: OAuth2Session, service: Service) -> None:
    with pytest.raises(ConfigurationError):
        session.get("https://elsewhere.example/")
    assert service.server.requests == []


def test_a_refused_token_is_renewed_and_the_call_sent_again(session: OAuth2Session, service: Service) -> None:
    service.dead = {"tok-1"}
    response = session.post(f"{service.base_url}/x", data=b"body")
    assert response.json() == {
        "method": "POST",
        "target": "/api/x",
        "authorization": "Bearer tok-2",
        "body": "body",
    }
    assert [earlier.status_code for earlier in response.history] == [401]


def test_no_answer_is_an_error_of_ours_and_of_requests(session: OAuth2Session, service: Service) -> None:
    service.api = lambda _: CloseNow()
    with pytest.raises(CallFailedError) as caught:
        session.get(service.base_url)
    assert isinstance(caught.value, requests.ConnectionError)
    assert (caught.value.conn_id, caught.value.__cause__) == ("my_api", None)
    service.api = lambda _: Delay(30, Json({}))
    with pytest.raises(CallTimeoutError):
        session.get(service.base_url, timeout=0.2)
