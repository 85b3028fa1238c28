"""What an error means in a few words, and what to do about it; decided by type and attribute.

Displays show the two side by side, so neither repeats the other.
"""

from __future__ import annotations

from airflow_oauth_provider.exceptions import (
    MAX_DESCRIPTION,
    ConfigurationError,
    InsufficientScopeError,
    OAuthError,
    ResourceError,
    TokenEndpointError,
    TokenResponseError,
    TransportError,
    sentence,
)
from airflow_oauth_provider.protocol.texts import cut


def reason(error: OAuthError) -> str:
    """Return what went wrong, without advice; of a refusal what the server said."""
    if isinstance(error, TokenEndpointError):
        return f"{code(error)} ({error.description})" if error.description else code(error)
    return cut(error.message, MAX_DESCRIPTION)


def code(error: TokenEndpointError) -> str:
    """Return the OAuth error code, else the HTTP status in words."""
    return error.error or f"HTTP status {error.status}"


def remedy(error: OAuthError) -> str:
    """Return what to do, as a sentence of its own: the error's own advice, else what its type suggests."""
    if error.advice:
        return f"{sentence(error.advice)}."
    for kind, advise in _REMEDIES:
        if isinstance(error, kind):
            return f"{sentence(advise(error))}."
    return "Look at the task log."


def _configuration(error: OAuthError) -> str:
    if getattr(error, "field", None) is None:
        return "create the connection, or correct its name or what stands in it"
    return "correct the field in the connection, or the option in airflow.cfg"


def _endpoint(error: OAuthError) -> str:
    if error.retryable:
        return "wait: the next task asks again; if it lasts, ask the authorization server's administrator"
    return "ask the authorization server's administrator"


def _transport(error: OAuthError) -> str:
    if error.retryable:
        return "check host and port, then network, firewall and proxy between this host and the server"
    return "check the server's certificate; for a private authority fill in ca_certificates"


def _resource(error: OAuthError) -> str:
    status = error.status if isinstance(error, ResourceError) else None
    if status == 401:
        return "the API refuses even a new token: check audience, scope and base URL"
    return "check probe_path and base_url, and whether the client may call the API"


_REMEDIES = (
    (ConfigurationError, _configuration),
    (TokenEndpointError, _endpoint),
    (TransportError, _transport),
    (TokenResponseError, lambda _: "check that the access token URL is the token endpoint itself"),
    (InsufficientScopeError, lambda _: "have the scope granted to the client, or change require_scopes"),
    (ResourceError, _resource),
)
