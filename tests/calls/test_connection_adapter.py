"""Any session of ``requests`` with the connection's client certificate, by ``OAuth2Auth.mount``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_oauth_provider.auth import OAuth2Auth
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.bound_tokens import CLIENTS, asking_server, bound_service, certified
from tests.support.servers.certificates import Issued, issue_client
from tests.support.servers.scripted import Json
from tests.support.service import Service


@pytest.fixture(scope="module")
def client() -> Issued:
    return issue_client(CLIENTS)


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[Service]:
    with bound_service(tmp_path) as service:
        yield service


def session_of(service: Service, issued: Issued, **changes: Any) -> requests.Session:
    auth = OAuth2Auth("my_api", connection=service.connection(**certified(issued, **changes)))
    return auth.mount(requests.Session())


def test_it_presents_the_certificate(bound: Service, client: Issued) -> None:
    with session_of(bound, client) as session:
        assert session.get(f"{bound.base_url}/x", timeout=5).json()["authorization"] == "Bearer tok-1"
        session.get(f"{bound.base_url}/y", timeout=5)
    assert len({call.connection for call in bound.calls}) == 1


def test_a_replay_presents_it_too(bound: Service, client: Issued, caplog: pytest.LogCaptureFixture) -> None:
    bound.dead.update({"tok-1", "tok-3", "tok-4"})
    with session_of(bound, client) as session:
        response = session.post(f"{bound.base_url}/x", json={"a": 1}, timeout=5)
        assert response.json()["authorization"] == "Bearer tok-2"
        bound.dead.add("tok-2")
        assert session.get(f"{bound.base_url}/x", timeout=5).status_code == 401
    assert [call.certificate is not None for call in bound.calls] == [True] * 4
    assert "OAuth2Auth.mount" not in caplog.text, "which is not why"


def test_other_hosts_get_neither_token_nor_certificate(
    bound: Service, client: Issued, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    with asking_server(folder) as other, session_of(bound, client) as session:
        other.script(Json({}))
        session.auth = None
        session.get(other.url, timeout=5, verify=str(folder / "ca.pem"))
        # A name that only begins as the API's origin does.
        assert session.get_adapter(f"{bound.server.url}.evil.example/") is session.adapters["https://"]
        assert other.requests[0].certificate is None


def test_a_certificate_that_is_renewed_in_the_connection(
    bound: Service, client: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed = issue_client(CLIENTS)
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", bound.environment(**certified(client)))
    with OAuth2Auth("my_api").mount(requests.Session()) as session:
        session.get(f"{bound.base_url}/x", timeout=5)
        monkeypatch.setenv("AIRFLOW_CONN_MY_API", bound.environment(**certified(renewed)))
        bound.dead.add("tok-1")
        response = session.get(f"{bound.base_url}/x", timeout=5)
    assert response.json()["authorization"] == "Bearer tok-2"
    certificates = [call.certificate for call in bound.calls]
    assert certificates[0] == certificates[1] != certificates[2]


def test_without_an_api_there_is_nothing_to_mount(bound: Service, client: Issued) -> None:
    with pytest.raises(ConfigurationError) as caught:
        session_of(bound, client, base_url=None)
    assert (caught.value.field, caught.value.conn_id) == ("base_url", "my_api")


def test_a_session_that_is_not_mounted_is_told_why_its_token_is_refused(
    bound: Service, client: Issued, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "api"
    with asking_server(folder) as api:
        api.script(bound.api)
        connection = bound.connection(**certified(client, base_url=api.url))
        auth = OAuth2Auth("my_api", connection=connection)
        assert (
            requests.get(f"{api.url}/x", auth=auth, timeout=5, verify=str(folder / "ca.pem")).status_code
            == 401
        )
        assert "OAuth2Auth.mount" in caplog.text
        caplog.clear()
        with auth.mount(requests.Session()) as session:
            assert session.get(f"{api.url}/x", timeout=5).status_code == 200
        assert "OAuth2Auth.mount" not in caplog.text
