"""What an error means, and what to do about it."""

from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.remedies import code, reason, remedy
from airflow_oauth_provider.exceptions import (
    MAX_DESCRIPTION,
    ConfigurationError,
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConfigurationError("x", field="scope"), "Correct the field"),
        (ConfigurationError("x"), "Create the connection"),
        (TokenEndpointError("x", status=503, retryable=True), "Wait"),
        (TokenEndpointError("x", status=400), "administrator"),
        (TransportError("x"), "network, firewall and proxy"),
        (TransportError("x", retryable=False), "certificate"),
        (TokenResponseError("x"), "token endpoint itself"),
        (InsufficientScopeError("x", status=403), "have the scope granted".capitalize()),
        (ResourceError("x", status=401), "even a new token"),
        (ResourceError("x", status=404), "probe_path"),
        (OAuthError("x"), "task log"),
    ],
)
def test_what_to_do_follows_from_type_and_attributes(error: OAuthError, says: str) -> None:
    assert says in remedy(error)
    assert remedy(error)[0].isupper()
    assert remedy(error).endswith(".")
    assert remedy(error.with_advice("do this first")) == "Do this first."


def test_the_reason_is_what_the_server_said_without_advice() -> None:
    refused = TokenEndpointError("long", status=401, error="invalid_client", description="no such client")
    assert reason(refused) == "invalid_client (no such client)"
    assert code(TokenEndpointError("long", status=502)) == "HTTP status 502"
    assert reason(TransportError("gone").with_advice("wait")) == "gone"
    assert len(reason(TransportError("x" * 5000))) <= MAX_DESCRIPTION


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
