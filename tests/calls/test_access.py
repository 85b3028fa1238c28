from __future__ import annotations

import pickle
from typing import Any

import pytest
from requests import PreparedRequest

from airflow_oauth_provider.calls.access import BearerAuth, OneTokenAuth
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.credentials import TokenHeader
from airflow_oauth_provider.protocol.call.effects import ResponseHead
from tests.support.service import Service


def auth_for(service: Service, base_url: str | None = None, **changes: Any) -> BearerAuth:
    return BearerAuth(OAuth2Client("my_api", service.connection(**changes)), base_url)


def test_the_token_for_the_connections_own_api(service: Service) -> None:
    auth = auth_for(service)
    assert auth.token_for(f"{service.base_url}/x", {}).value == "tok-1"
    assert auth.token_for(service.base_url, {"Accept": "x"}).value == "tok-1"
    assert len(service.token_requests) == 1


@pytest.mark.parametrize("url", ["https://elsewhere.example/x", "http://127.0.0.1:1/x", "https://127.0.0.1/"])
def test_elsewhere_nobody_is_asked_for_one(service: Service, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        auth_for(service).token_for(url, {})
    assert caught.value.conn_id == "my_api"
    assert service.token_requests == []


@pytest.mark.parametrize("headers", [{"Authorization": "mine"}, {"Authorization": b"mine"}])
def test_a_header_in_the_tokens_place(service: Service, headers: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        auth_for(service).token_for(service.base_url, headers)
    assert caught.value.field == "headers"
    assert "mine" not in str(caught.value)
    auth_for(service).require_no_other({"Authorization": TokenHeader("Bearer ours")})


def test_what_dag_code_chooses_lies_within_the_connections_origins(service: Service) -> None:
    assert auth_for(service, service.base_url).destination_for(None).base_url == service.base_url
    with pytest.raises(ConfigurationError) as caught:
        _ = auth_for(service, "https://elsewhere.example").destination_for(None)
    assert (caught.value.field, caught.value.conn_id) == ("base_url", "my_api")


def test_on_its_way_to_another_process_it_holds_neither_token_nor_settings(service: Service) -> None:
    auth = auth_for(service)
    token = auth.token_for(service.base_url, {})
    auth.note_accepted(token, f"{service.base_url}/x")
    state = auth.__getstate__()
    assert (state["_destination"], state["_accepted"]) == (None, {})
    assert b"tok-1" not in pickle.dumps({name: state[name] for name in ("base_url", "_accepted")})


def test_as_auth_of_a_session_it_adds_nothing(service: Service) -> None:
    request = PreparedRequest()
    request.prepare("GET", service.base_url, headers={})
    assert "Authorization" not in auth_for(service)(request).headers
    assert service.token_requests == []


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("length", "looked_into"),
    [
        (None, True),
        ("5", True),
        ("65536", True),
        ("65537", False),
        ("9" * 5000, False),
        ("-1", True),
        ("x", True),
    ],
)
def test_the_length_of_a_body_that_is_looked_into(
    service: Service, length: str | None, looked_into: bool
) -> None:
    """Whatever number a server names."""
    client = OAuth2Client("my_api", service.connection(dead_when="$.code in 601"))
    client.get_token()
    assert BearerAuth(client).may_tell(ResponseHead(200), length) is looked_into


def test_one_token_and_never_another(service: Service) -> None:
    client = OAuth2Client("my_api", service.connection())
    token = client.get_token()
    auth = OneTokenAuth(client, token)
    client.get_token(force=True)
    assert auth.token_for(service.base_url, {}) is token
    assert auth.refresh_on_status == frozenset()
