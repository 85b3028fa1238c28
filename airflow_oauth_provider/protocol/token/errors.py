"""Refusals of the authorization server (RFC 6749 §5.2, which RFC 7662 §2.3 and RFC 7009 §2.2.1 take over)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_oauth_provider.exceptions import InvalidClientError, TokenEndpointError
from airflow_oauth_provider.protocol.client.methods import method_of
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.json_path import at_path
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_object
from airflow_oauth_provider.protocol.texts import clean, clean_uri
from airflow_oauth_provider.protocol.token.endpoint import TOKEN, Endpoint

RETRYABLE_STATUSES = frozenset({408, 421, 425, 429, 500, 502, 503, 504, *range(520, 528)})
RETRYABLE_ERRORS = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
"""By these codes a server refuses the client itself, whatever it has asked for."""

_CHECK_CLIENT = "check client id and secret (or key), and the authentication method"
_NO_DPOP = "the server wants DPoP (RFC 9449): switch dpop on, or have it switched off for this client"
_WITH_DPOP = {
    "use_dpop_nonce": "the server asks for a nonce and gives none, or refuses the one that it gave",
    "invalid_dpop_proof": "check this machine's clock, and which algorithms the server takes for DPoP proofs",
}
_ADVICE = {
    "invalid_client": _CHECK_CLIENT,
    "unauthorized_client": "the client is not allowed to use the client credentials grant",
    "invalid_scope": "the scope is unknown, malformed or not allowed for this client",
    "invalid_target": "the audience or resource is unknown or not allowed for this client",
    "invalid_authorization_details": "rich_requests has a type or a member that the server does not know, or "
    "does not allow this client (RFC 9396 §5)",
    "unsupported_grant_type": "the server does not offer the client credentials grant at this URL",
    "invalid_request": "the server misses a parameter or finds one malformed",
    "invalid_grant": "the server does not accept this grant",
    "use_dpop_nonce": _NO_DPOP,
    "invalid_dpop_proof": _NO_DPOP,
}
_ADVICE_BY_STATUS = {
    401: _CHECK_CLIENT,
    403: f"{_CHECK_CLIENT}; else a gateway or policy in front of the server refuses this client",
}
_SILENT = f"the server does not say why: {_CHECK_CLIENT}, and the parameters of the request"
_BUSY = "wait; if it lasts, ask the server's administrator"
_LIMITED = f"the server limits the rate of requests: {_BUSY}"
_NOT_THERE = frozenset({404, 405, 410, 415})
_PERHAPS_THE_CLIENT = frozenset({400, 401, 403})
_TOKENS = ("access_token", "refresh_token", "id_token")
_LEAST_TOKEN = 8


def read_error(
    settings: ClientSettings,
    response: HttpResponse,
    *,
    retry_after: float | None,
    redactor: Redactor,
    endpoint: Endpoint = TOKEN,
) -> TokenEndpointError:
    """Turn a response that is neither 200 nor a redirect into its error.

    Servers send the error object with any status and Content-Type, or none at all.
    """
    try:
        data = parse_object(response.body)
    except JsonError:
        data = {}
    return endpoint_error(
        settings, response, data, retry_after=retry_after, redactor=redactor, endpoint=endpoint
    )


def endpoint_error(
    settings: ClientSettings,
    response: HttpResponse,
    data: dict[str, Any],
    *,
    retry_after: float | None = None,
    redactor: Redactor = NOTHING,
    endpoint: Endpoint = TOKEN,
) -> TokenEndpointError:
    """Build the typed error from the members RFC 6749 §5.2 names, cleaned."""
    redactor = redactor.with_values(*_tokens_in(settings, data))
    code = _code(data.get("error"), redactor)
    description = clean(data.get("error_description"), redactor)
    retryable = response.status in RETRYABLE_STATUSES or code in RETRYABLE_ERRORS
    # A 503 that carries invalid_client is a 503: the client may be fine, its server is not.
    invalid = code == "invalid_client" and response.status not in RETRYABLE_STATUSES
    text = f"the authorization server {endpoint.origin_of(settings).authority} refused {endpoint.request}"
    text += f": {code}" if code else f" with HTTP status {response.status}"
    text += f" ({description})" if description else ""
    text += f". It asks to wait {retry_after:.0f} s" if retry_after is not None else ""
    kind = InvalidClientError if invalid else TokenEndpointError
    error = kind(
        f"{text} ({endpoint.error_rule})",
        status=response.status,
        error=code,
        description=description,
        uri=clean_uri(data.get("error_uri"), redactor),
        retry_after=retry_after,
        retryable=retryable,
        is_page=not data and response.body.lstrip()[:1] == b"<",
    )
    if retryable:
        return error.with_advice(_LIMITED if response.status == 429 else _BUSY)
    return error.with_advice(_advice(settings, endpoint, code, response.status))


def _advice(settings: ClientSettings, endpoint: Endpoint, code: str | None, status: int) -> str | None:
    """Return what to do about an error code, else about a status; ``None`` when there is no saying."""
    general = (
        endpoint.advice.get(code or status)
        or (_WITH_DPOP.get(code or "") if settings.proof.enabled else None)
        or _ADVICE.get(code or "")
        or (endpoint.check_address if status in _NOT_THERE else _ADVICE_BY_STATUS.get(status))
        or (_SILENT if status == 400 and code is None else None)
    )
    concerns_client = code in CLIENT_ERRORS if code else status in _PERHAPS_THE_CLIENT
    particular = method_of(settings).advice(settings) if concerns_client else _advice_on_scope(settings, code)
    return "; ".join(text for text in (general, *particular) if text) or None


def _advice_on_scope(settings: ClientSettings, code: str | None) -> Iterator[str]:
    """Yield what is odd about a scope that is refused: elsewhere, lists have commas."""
    if code == "invalid_scope" and any("," in word for word in settings.request.scope):
        yield "scopes have spaces between them (RFC 6749 §3.3), and this one has a comma"


def _tokens_in(settings: ClientSettings, data: dict[str, Any]) -> Iterator[str]:
    """Yield tokens that stand beside an error, whose texts may repeat them."""
    paths = (*settings.response.members, *((name, (name,)) for name in _TOKENS))
    for name, path in paths:
        value = at_path(data, path)
        if name in _TOKENS and isinstance(value, str) and len(value) >= _LEAST_TOKEN:
            yield value


def _code(value: object, redactor: Redactor) -> str | None:
    code = clean(value, redactor)
    return re.sub(r"[^A-Za-z0-9_.:/-]+", "_", code)[:64] if code else None
