from __future__ import annotations

import pytest

from airflow_oauth_provider.authorizations.remedies import code, reason, remedy
from airflow_oauth_provider.exceptions import (
    MAX_DESCRIPTION,
    ConfigurationError,
    InsufficientScopeError,
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
