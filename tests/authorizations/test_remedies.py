"""What an error means, and what to do about it."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.remedies import reason, remedy
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)

ERRORS = [
    OAuthError("m"),
    ConfigurationError("m"),
    ConfigurationError("m", field="host"),
    TransportError("m"),
    TransportError("m", retryable=False),
    TokenResponseError("m"),
    TokenEndpointError("m", status=400),
    TokenEndpointError("m", status=503, retryable=True),
    InvalidClientError("m", status=401, error="invalid_client"),
    ResourceError("m", status=401),
    ResourceError("m", status=404),
    InsufficientScopeError("m", scope="read"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}")
def test_each_has_one_and_it_is_a_sentence(error: OAuthError) -> None:
    text = remedy(error)
    assert text[0].isupper()
    assert text.endswith(".")
    assert text.count(".") == 1 or "airflow.cfg" in text


@pytest.mark.fault("F46")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}")
def test_an_error_s_own_advice_comes_first_and_stays_out_of_the_reason(error: OAuthError) -> None:
    advised = error.for_connection("orders").with_advice("restart the server")
    assert remedy(advised) == "Restart the server."
    assert "estart" not in reason(advised)
    assert str(advised).count("Restart the server") == 1


def test_a_refusal_is_what_the_server_said() -> None:
    refused = TokenEndpointError("m", status=401, error="invalid_client", description="locked")
    assert reason(refused) == "invalid_client (locked)"
    assert reason(TokenEndpointError("m", status=418)) == "HTTP status 418"
    assert reason(TransportError("no response", conn_id="orders")) == "no response"
