"""What an error means in a few words, and what to do about it; decided by type and attribute."""

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
)
from airflow_oauth_provider.protocol.token.errors import advice_on


def reason(error: OAuthError) -> str:
    """Return what went wrong, short enough for a row of a table."""
    if isinstance(error, TokenEndpointError):
        code = error.error or f"HTTP status {error.status}"
        return f"{code} ({error.description})" if error.description else code
    text = str(error.for_connection(""))
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1] + "…"


def remedy(error: OAuthError) -> str:
    """Return what to do, as a sentence of its own."""
    for kind, advise in _REMEDIES:
        if isinstance(error, kind):
            text = advise(error)
            return f"{text[0].upper()}{text[1:]}."
    return "Look at the task log."


def _configuration(error: OAuthError) -> str:
    if getattr(error, "field", None) is None:
        return "create the connection, or correct its name or what stands in it"
    return "correct the field in the connection, or the option in airflow.cfg"


def _endpoint(error: OAuthError) -> str:
    if not isinstance(error, TokenEndpointError):
        raise TypeError("not an error of the token endpoint")
    if error.retryable:
        return "usually nothing: the server is busy and will be asked again"
    return advice_on(error.error, error.status) or "ask the authorization server's administrator"


def _transport(error: OAuthError) -> str:
    if error.retryable:
        return "check network, firewall and proxy between this host and the server"
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
