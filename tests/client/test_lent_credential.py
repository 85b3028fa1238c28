"""The credential of a connection that something else names; in use: ``tests/adapters/test_azure.py``."""

from __future__ import annotations

import pickle

import pytest

from airflow_oauth_provider.client.lent_credential import LentCredential
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.service import Service


def test_it_is_an_id_and_what_is_asked_for(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_api")
    made = LentCredential("my_api", scope=["a", "b"], audience="https://a.example")
    assert service.server.requests == [], "nothing is asked for before it is used"
    made._credential.get_token()
    data = pickle.dumps(made)
    assert repr(pickle.loads(data)) == "<LentCredential of connection 'my_api'>"
    assert b"tok-1" not in data
    assert b"a-client-secret" not in data
    assert pickle.loads(data)._credential.get_token().value == "tok-1"
    (request,) = service.token_requests
    assert (request.form["scope"], request.form["audience"]) == (["a b"], ["https://a.example"])


def test_one_that_is_not_lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_API", service.environment())
    with pytest.raises(ConfigurationError, match='"lent_connections = my_api"'):
        LentCredential("my_api")._credential.get_token()
    assert service.server.requests == []


def test_what_cannot_be_asked_for_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="scope"):
        LentCredential("my_api", scope="a\x00b")
