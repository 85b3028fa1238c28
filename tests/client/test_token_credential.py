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
from airflow_oauth_provider.client.prepared_client import PreparedClient
from airflow_oauth_provider.client.scoped_clients import ScopedClients
from airflow_oauth_provider.client.token_credential import TokenCredential
from airflow_oauth_provider.exceptions import ConfigurationError
from tests.support.airflow_calls import noted_airflow_calls
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


@pytest.fixture
def lent(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "my_api")
    monkeypatch.setenv(
        "AIRFLOW_CONN_MY_API",
        service.environment(post_params=["realm={tenant}"], tenant="acme", tenants=["beta"]),
    )
    return service


def prepared() -> TokenCredential:
    return TokenCredential(ScopedClients(PreparedClient("my_api")), Lending("my_api"))


def got(credential: TokenCredential, *scopes: str, **options: Any) -> str:
    return credential.get_token(*scopes, **options).token


def awaited(credential: TokenCredential, *scopes: str, **options: Any) -> str:
    return asyncio.run(credential.aget_token(*scopes, **options)).token


@pytest.mark.parametrize("ask", [got, awaited])
def test_only_the_first_thread_calls_airflow(
    lent: Service, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., str]
) -> None:
    """A library asks in threads and loops of its own, for scopes that nobody has named before."""
    calls, credential = noted_airflow_calls(monkeypatch), prepared()
    assert ask(credential, "a") == "tok-1"
    assert {"read", "mask"} == {name for name, _ in calls}
    calls.clear()
    with ThreadPoolExecutor(1) as elsewhere:
        options: dict[str, Any] = {"tenant_id": "beta"}
        futures = [
            elsewhere.submit(ask, credential, "a", force=True),
            elsewhere.submit(ask, credential, "b"),
            elsewhere.submit(ask, credential),
            elsewhere.submit(ask, credential, "b", **options),
        ]
        assert [future.result() for future in futures] == ["tok-2", "tok-3", "tok-4", "tok-5"]
    assert calls == []
    asked = [(request.form["scope"][0], request.form["realm"][0]) for request in lent.token_requests]
    assert asked == [("a", "acme"), ("a", "acme"), ("b", "acme"), ("read", "acme"), ("b", "beta")]


@pytest.mark.parametrize("ask", [got, awaited])
def test_no_thread_is_first_before_it_is_lent(
    lent: Service, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., str]
) -> None:
    monkeypatch.setenv("AIRFLOW__OAUTH2__LENT_CONNECTIONS", "")
    credential = prepared()
    with ThreadPoolExecutor(2) as elsewhere:
        for scope in ("a", "a", "b"):
            with pytest.raises(ConfigurationError, match="not lent"):
                ask(credential, scope)
            with pytest.raises(ConfigurationError, match="not lent"):
                elsewhere.submit(ask, credential, scope).result()
    assert lent.server.requests == []
