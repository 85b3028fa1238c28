"""The one place that puts a token on a call."""

from __future__ import annotations

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
    headers = headers_for(
        TOKEN, call, lambda token, sent: {"X-Proof": f"{sent.method} {sent.url} {len(token.value)}"}
    )
    assert headers == {
        "Authorization": "Bearer the-token-itself",
        "X-Proof": "POST https://api.example/x 16",
    }
