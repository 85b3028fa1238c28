"""The server of the plugin against our own hook: what is scripted comes about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_oauth_provider.exceptions import InsufficientScopeError, ResourceError, TokenResponseError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.testing.server import OAuth2Server

MakeHook = Callable[..., OAuth2Hook]


@pytest.fixture(autouse=True)
def _orders(oauth2_server: OAuth2Server) -> None:
    oauth2_server.api.route("orders", {"orders": [1, 2]})


def tokens(server: OAuth2Server) -> list[str]:
    """Return the token of each call."""
    return [request.headers["authorization"].partition(" ")[2] for request in server.api.requests]


def travel(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set the wall clock forward, as time-machine does wherever a function holds it."""
    now = time.time
    holders = ("client.memory_hits", "hooks.hook_tokens")
    for place in ("time.time", *(f"airflow_oauth_provider.{holder}.wall_time" for holder in holders)):
        monkeypatch.setattr(place, lambda: now() + seconds)


def test_a_call_has_a_token_and_a_second_one_the_same(oauth2_server: OAuth2Server, hook: MakeHook) -> None:
    made = hook()
    assert [made.run("orders").json() for _ in range(2)] == [{"orders": [1, 2]}] * 2
    (request,) = oauth2_server.token_endpoint.requests
    assert (request.method, request.path) == ("POST", "/token")
    assert request.form == {"grant_type": "client_credentials", "scope": "read"}
    assert tokens(oauth2_server) == ["token-1", "token-1"]


def test_what_is_granted(oauth2_server: OAuth2Server, hook: MakeHook) -> None:
    oauth2_server.token_endpoint.grant(expires_in=120, scope="read", instance_url="https://a.example")
    token = hook().get_token()
    assert token.expires_at - token.issued_at == 120
    assert token.scopes == {"read"}


@pytest.mark.parametrize("expires_in", ["120", "120.5", 120.5])
def test_a_server_that_is_odd(oauth2_server: OAuth2Server, hook: MakeHook, expires_in: Any) -> None:
    """It grants what the test says, and its API takes that."""
    oauth2_server.token_endpoint.grant(expires_in=expires_in, access_token="my-own", token_type="bearer")
    assert hook().run("orders").json() == {"orders": [1, 2]}
    assert tokens(oauth2_server) == ["my-own"]


@pytest.mark.parametrize("lifetime", ["soon", [], {}])
def test_a_lifetime_that_is_none(oauth2_server: OAuth2Server, hook: MakeHook, lifetime: Any) -> None:
    oauth2_server.token_endpoint.grant(expires_in=lifetime)
    with pytest.raises(TokenResponseError, match="expires_in"):
        hook().get_token()


@pytest.mark.parametrize("proof", ["none", "a.b.c", "a.!.c", "a.W10.c", "a.__8.c", ""])
def test_a_proof_that_is_none_has_no_nonce(oauth2_server: OAuth2Server, proof: str) -> None:
    oauth2_server.require_nonce("n-1")
    response = requests.post(oauth2_server.token_url, headers={"DPoP": proof}, timeout=10)
    assert (response.status_code, response.json()) == (400, {"error": "use_dpop_nonce"})


def test_a_narrower_scope(oauth2_server: OAuth2Server, hook: MakeHook) -> None:
    oauth2_server.token_endpoint.grant(scope="read")
    with pytest.raises(InsufficientScopeError):
        hook(scope="read write", require_scopes="write").get_token()


class TestExpiry:
    def test_in_mid_run(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        made = hook()
        made.run("orders")
        oauth2_server.expire(after=2)
        for _ in range(3):
            made.run("orders")
        assert tokens(oauth2_server) == ["token-1"] * 4 + ["token-2"], "one refused, and repeated"

    def test_a_later_token_is_good(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        made = hook()
        made.get_token()
        oauth2_server.expire()
        made.run("orders")
        made.run("orders")
        assert tokens(oauth2_server) == ["token-1", "token-2", "token-2"]

    def test_by_the_clock_of_the_test(
        self, oauth2_server: OAuth2Server, hook: MakeHook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        oauth2_server.token_endpoint.grant(expires_in=600)
        made = hook()
        made.run("orders")
        travel(monkeypatch, 601)
        made.run("orders")
        assert tokens(oauth2_server) == ["token-1", "token-2"]

    def test_the_api_refuses_what_is_over(
        self, oauth2_server: OAuth2Server, hook: MakeHook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        value = hook().get_token().value
        assert oauth2_server._accepts("Bearer", value)
        travel(monkeypatch, 3601)
        assert not oauth2_server._accepts("Bearer", value)


class TestProofs:
    def test_nonces_of_both(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.require_nonce("nonce-1")
        made = hook(dpop=True)
        made.run("orders")
        assert len(oauth2_server.token_endpoint.requests) == 2
        oauth2_server.require_nonce("nonce-2")
        before = len(oauth2_server.api.requests)
        made.run("orders")
        made.run("orders")
        assert len(oauth2_server.api.requests) == before + 3, "the nonce is learnt once"
        assert set(tokens(oauth2_server)) == {"token-1"}

    def test_none_any_more(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        oauth2_server.require_nonce("nonce-1")
        oauth2_server.require_nonce(None)
        hook(dpop=True).run("orders")
        assert len(oauth2_server.token_endpoint.requests) == 1

    def test_a_bound_token_is_no_bearer_token(self, oauth2_server: OAuth2Server, hook: MakeHook) -> None:
        value = hook(dpop=True).get_token().value
        assert oauth2_server._accepts("DPoP", value)
        assert not oauth2_server._accepts("Bearer", value)


def test_a_path_without_a_route(oauth2_server: OAuth2Server, hook: MakeHook) -> None:
    with pytest.raises(ResourceError, match="no route for GET customers") as caught:
        hook().run("customers")
    assert caught.value.status == 404
