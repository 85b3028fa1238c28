"""The one place that puts a token on a call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.call.credentials import headers_for
from airflow_oauth_provider.protocol.call.effects import SendCall

TOKEN = AccessToken("the-token-itself", "Bearer", 1000.0, 0.0)


def test_a_bearer_token_is_shown_to_the_api_and_to_nobody_else() -> None:
    headers = headers_for(TOKEN, SendCall("GET", "https://api.example/x"))
    assert headers == {"Authorization": "Bearer the-token-itself"}
    assert "the-token-itself" not in repr(headers)


def test_a_foreign_origin_gets_nothing() -> None:
    assert headers_for(TOKEN, SendCall("GET", "https://elsewhere.example/x", trusted=False)) == {}


def test_a_proof_is_made_for_the_very_call() -> None:
    call = SendCall("POST", "https://api.example/x")
    signed = []

    def signer(token: AccessToken, sent: SendCall) -> str:
        signed.append((token, sent))
        return "the-proof-itself"

    bound = replace(TOKEN, token_type="DPoP")
    headers = headers_for(bound, call, signer)
    assert headers == {"Authorization": "DPoP the-token-itself", "DPoP": "the-proof-itself"}
    assert signed == [(bound, call)]
    assert "itself" not in repr(headers)
    assert headers_for(bound, call._replace(trusted=False), signer) == {}


def test_a_token_that_any_holder_may_use_needs_no_proof() -> None:
    def signer(token: AccessToken, sent: SendCall) -> str:
        raise AssertionError(sent)

    assert headers_for(TOKEN, SendCall("GET", "https://api.example/x"), signer).keys() == {"Authorization"}


def test_a_token_that_is_bound_never_goes_without_a_proof() -> None:
    with pytest.raises(ValueError, match="needs a proof"):
        headers_for(replace(TOKEN, token_type="DPoP"), SendCall("GET", "https://api.example/x"))


@pytest.mark.parametrize(
    ("name", "scheme", "headers"),
    [
        ("X-Api-Token", "", {"X-Api-Token": "the-token-itself"}),
        ("Authorization", "Token", {"Authorization": "Token the-token-itself"}),
        ("Authorization", "", {"Authorization": "the-token-itself"}),
    ],
)
def test_a_token_where_an_api_wants_it(name: str, scheme: str, headers: dict[str, str]) -> None:
    call = SendCall("GET", "https://api.example/x")
    placed = headers_for(TOKEN, call, name=name, scheme=scheme)
    assert placed == headers
    assert "itself" not in repr(placed)
    assert headers_for(TOKEN, call._replace(trusted=False), name=name, scheme=scheme) == {}
