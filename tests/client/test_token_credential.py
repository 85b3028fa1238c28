"""A credential: a connection that is asked by scopes."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_oauth_provider.client.lending import Lending
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.client.scoped_clients import ScopedClients
from airflow_oauth_provider.client.token_credential import TokenCredential
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.servers.scripted import token_json
from tests.support.service import Service


def credential_of(service: Service, lending: Lending | None = None, **extra: Any) -> TokenCredential:
    return TokenCredential(ScopedClients(OAuth2Client("my_api", service.connection(**extra))), lending)


def test_it_shows_no_token(service: Service) -> None:
    credential = credential_of(service)
    token = credential.get_token("x")
    assert (repr(credential), credential.conn_id) == ("<TokenCredential of connection 'my_api'>", "my_api")
    assert token.token.encode() not in pickle.dumps(credential)


def test_foreign_options_make_no_difference(service: Service) -> None:
    credential = credential_of(service)
    first = credential.get_token("x")
    other = asyncio.run(credential.aget_token("x", enable_cae=True, options_of_other_versions=1))
    assert first is other


def test_fifty_threads_make_one_request(service: Service) -> None:
    credential = credential_of(service)
    barrier = threading.Barrier(50)

    def use(_: int) -> str:
        barrier.wait(60)
        return credential.get_token("x").token

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(use, range(50))) == {"tok-1"}
    assert len(service.token_requests) == 1


def test_lending_is_asked_first(service: Service) -> None:
    credential = credential_of(service, Lending("my_api"))
    attempts: list[Callable[[], Any]] = [
        credential.get_token,
        lambda: asyncio.run(credential.aget_token()),
    ]
    for get in attempts:
        with pytest.raises(ConfigurationError, match="not lent"):
            get()
    assert service.server.requests == []


def test_tokens_that_are_bound_to_a_key_are_refused(service: Service) -> None:
    service.token = lambda _: token_json("tok-bound", token_type="DPoP")
    credential = credential_of(service, dpop=True)
    attempts: list[Callable[[], Any]] = [
        credential.get_token,
        lambda: asyncio.run(credential.aget_token("x")),
    ]
    for get in attempts:
        with pytest.raises(ConfigurationError, match="DPoP"):
            get()
