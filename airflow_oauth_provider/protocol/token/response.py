"""The token endpoint's response (RFC 6749 §5.1), read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from airflow_oauth_provider.exceptions import InsufficientScopeError, TokenResponseError
from airflow_oauth_provider.protocol.access_token import LATEST_TIME, LONGEST_LIFETIME, AccessToken
from airflow_oauth_provider.protocol.call.instance import instance_origin
from airflow_oauth_provider.protocol.confidential_values import secrets_redactor
from airflow_oauth_provider.protocol.dpop.proof import DPOP
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.json_path import MISSING, at_path
from airflow_oauth_provider.protocol.material import WINDOW
from airflow_oauth_provider.protocol.private_token import accompanied
from airflow_oauth_provider.protocol.redaction import NOTHING, REDACTED, Redactor
from airflow_oauth_provider.protocol.settings import DEFAULT_EXPIRES_IN, ClientSettings, ResponseSettings
from airflow_oauth_provider.protocol.texts import MAX_SCOPES, cut
from airflow_oauth_provider.protocol.token.authorization_details import read_details
from airflow_oauth_provider.protocol.token.endpoint import TOKEN, is_blank, token_endpoint
from airflow_oauth_provider.protocol.token.errors import endpoint_error
from airflow_oauth_provider.protocol.token.lifetime import read_lifetime
from airflow_oauth_provider.protocol.token.retry import http_date
from airflow_oauth_provider.protocol.urls import UrlError

LARGE_TOKEN = 8 * 1024
MAX_TOKEN = 16 * 1024
"""Characters of the longest token: what Airflow masks gets slower with each character."""
_UNTYPED = "if the server names no type, list untyped in the field tolerate"
# Apigee names the type of its tokens in its own way.
_BEARER = frozenset({"bearer", "bearertoken"})
_VSCHAR = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
_LONG_SCOPE = 512
"""Characters from which a scope is held against a token by a table of the token's parts."""
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: +[\x21\x23-\x5b\x5d-\x7e]+)*\Z")


@dataclass(frozen=True)
class Granted:
    """A token, and what is worth a log line about it."""

    token: AccessToken
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_token_response(
    settings: ClientSettings, response: HttpResponse, *, requested_at: float, redactor: Redactor = NOTHING
) -> Granted:
    """Read a response that grants a token.

    :param requested_at: seconds since the epoch, just before the request was sent: the lifetime
        counts from there, so that a slow response cannot lengthen it.
    :param redactor: of what an error may not repeat.
    :raises TokenEndpointError: when the response carries an ``error``.
    :raises TokenResponseError: when it is no token response.
    :raises InsufficientScopeError: when ``require_scopes`` is not met.
    """
    data = token_endpoint(settings).read_object(response)
    if not is_blank(data.get("error")):
        raise endpoint_error(settings, response, data, redactor=redactor)
    data = _renamed(settings.response, data)
    token_type = _read_type(settings, data)
    value = _read_value(settings, data, redactor)
    known = _what_is_known(settings, redactor)
    scopes = _read_scope(known, data, value)
    server_time = http_date(response.header("date") or "")
    now = requested_at if server_time is None else server_time
    lifetime = read_lifetime(settings.response, data, now=now)
    details = read_details(settings, data, value, redactor=known)
    token = AccessToken(
        value,
        token_type,
        requested_at + (DEFAULT_EXPIRES_IN if lifetime is None else lifetime),
        requested_at,
        frozenset(settings.request.scope) if scopes is None else scopes,
        scopes_stated=scopes is not None,
    )
    require_scopes(settings, token)
    token = accompanied(token, details=details.text, instance_url=_instance_url(settings, data))
    remarks = tuple(_remarks(settings, token, lifetime_stated=lifetime is not None))
    return Granted(token, remarks, (*_warnings(settings, response, token), *details.warnings))


def _instance_url(settings: ClientSettings, data: dict[str, Any]) -> str | None:
    """Return the address of the token's API, where the response is to name it."""
    if not settings.response.names_instance:
        return None
    try:
        return str(instance_origin(settings.api, data.get("instance_url")))
    except UrlError as error:
        reason = f"instance_url {error}"
    raise _malformed(reason).with_advice("list the origin in allowed_origins, if it is meant")


def success_statuses(settings: ClientSettings) -> frozenset[int]:
    """Return the statuses of responses that grant a token."""
    return frozenset({200, 201} if "created" in settings.response.tolerates else {200})


def require_scopes(settings: ClientSettings, token: AccessToken) -> None:
    """Hold a token against ``require_scopes``.

    :raises InsufficientScopeError: naming the scopes that were not granted.
    """
    missing = [scope for scope in settings.api.require_scopes if scope not in token.scopes]
    if missing:
        raise InsufficientScopeError(
            f"the required scope {' '.join(missing)} was not granted by the authorization server",
            scope=" ".join(missing),
        ).with_advice("ask its administrator to allow it for this client, or change require_scopes")


def check_custom_token(settings: ClientSettings, token: object) -> AccessToken:
    """Check what a ``custom`` provider returned.

    :return: the token; one for ever ends after a year, since nothing stores and no display believes more.
    :raises TokenResponseError: when it is no usable :class:`AccessToken`.
    :raises InsufficientScopeError: when ``require_scopes`` is not met.
    """
    if not isinstance(token, AccessToken) or str(token.token_type).lower() != "bearer":
        raise TokenResponseError("the custom provider must return an AccessToken of type Bearer")
    if not isinstance(token.value, str) or not _VSCHAR.match(token.value):
        raise TokenResponseError("the custom provider returned a token that cannot stand in a header")
    # A class derived from str may be shown in another way than it is sent.
    token = replace(token, value=str.__str__(token.value), **_plausible(token))
    require_scopes(settings, token)
    return token


def _plausible(token: AccessToken) -> dict[str, Any]:
    """Return times and scopes of a token that foreign code has made, as they must be.

    :raises TokenResponseError: when they are none.
    """
    times = token.issued_at, token.expires_at
    numbers = all(
        isinstance(time, int | float) and not isinstance(time, bool) and time >= 0 for time in times
    )
    if not numbers or token.issued_at > LATEST_TIME:
        raise TokenResponseError(
            "the custom provider returned a token whose issued_at or expires_at is no time in seconds"
        )
    scopes: object = token.scopes
    if not isinstance(scopes, frozenset | set | list | tuple) or not all(
        isinstance(scope, str) for scope in scopes
    ):
        raise TokenResponseError("the custom provider returned a token whose scopes are no set of texts")
    return {
        "issued_at": float(token.issued_at),
        "expires_at": float(min(token.expires_at, token.issued_at + LONGEST_LIFETIME)),
        "scopes": frozenset(scopes),
    }


_malformed = TOKEN.malformed


def _renamed(rules: ResponseSettings, data: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a response by their names in RFC 6749."""
    moved = {name: at_path(data, path) for name, path in rules.members}
    return {**data, **{name: None if value is MISSING else value for name, value in moved.items()}}


def _read_type(settings: ClientSettings, data: dict[str, Any]) -> str:
    """Return the type of the token, which must be the one that was asked for.

    RFC 6749 §7.1: a client must not use a token of a type it does not understand. RFC 9449 §5: one that is
    not bound to the key is not what was asked for.
    """
    token_type = data.get("token_type")
    if is_blank(token_type) and "untyped" in settings.response.tolerates and not settings.proof.enabled:
        return "Bearer"
    if not isinstance(token_type, str):
        error = _malformed("token_type is missing or no string")
        untold = token_type is None and not settings.proof.enabled
        raise error.with_advice(_UNTYPED) if untold else error
    bearer = token_type.lower() in _BEARER
    if not settings.proof.enabled:
        if not bearer:
            raise _malformed("token_type is not Bearer").with_advice(
                "switch dpop on" if token_type.lower() == DPOP.lower() else None
            )
        return "Bearer"
    if token_type.lower() != DPOP.lower():
        kind = "Bearer: the token is not bound to this client's key" if bearer else "not DPoP"
        raise _malformed(f"token_type is {kind}, though that was asked for (RFC 9449 §5)").with_advice(
            "have DPoP enabled for this client at the authorization server, or switch dpop off"
        )
    return DPOP


def _read_value(settings: ClientSettings, data: dict[str, Any], redactor: Redactor) -> str:
    value = data.get("access_token")
    if not isinstance(value, str) or not value:
        raise _malformed("access_token is missing, empty or no string")
    if not _VSCHAR.match(value):
        raise _malformed("access_token has characters that cannot stand in a header")
    if len(value) > MAX_TOKEN:
        raise _malformed(f"access_token is longer than {MAX_TOKEN // 1024} KiB")
    known = {settings.client_id, *(secret.reveal() for secret in settings.secrets()), *redactor.values}
    if value in known:
        raise _malformed("access_token repeats the client's own id or secret")
    return value


def _what_is_known(settings: ClientSettings, redactor: Redactor) -> Redactor:
    """Return the redactor of what a token may not bring along.

    Of what a request proves by, only the assertion of a file is good for more than this one request.
    """
    return secrets_redactor(settings) if settings.assertion_file is None else redactor


def _read_scope(redactor: Redactor, data: dict[str, Any], token: str) -> frozenset[str] | None:
    """Return the granted scopes; ``None`` where the server does not name them.

    They are shown in many places: one that repeats a secret, or the token, becomes ``***``.
    """
    scope = data.get("scope")
    if scope is None:
        return None
    if isinstance(scope, list) and all(isinstance(item, str) for item in scope):
        scope = " ".join(scope)
    if not isinstance(scope, str) or (scope.strip(" ") and not _SCOPE.match(scope.strip(" "))):
        raise _malformed("scope is neither a space-delimited string nor a list of strings")
    scopes = frozenset(scope.split(" ")) - {""}
    size = min(WINDOW, len(token))
    # To search a long token for each part of a long text takes minutes, if a server means it to.
    parts = token if len(scope) < _LONG_SCOPE else frozenset(_windows(token, size))

    def is_harmful(text: str) -> bool:
        return any(window in parts for window in _windows(text, size)) or redactor.finds_in(text)

    if not is_harmful(scope):
        return scopes
    return frozenset(name for name in scopes if not is_harmful(name)) | {REDACTED}


def _windows(text: str, size: int) -> Iterator[str]:
    """Yield all parts of a text that have *size* characters."""
    return (text[at : at + size] for at in range(len(text) - size + 1))


def _remarks(settings: ClientSettings, token: AccessToken, *, lifetime_stated: bool) -> Iterator[str]:
    requested = frozenset(settings.request.scope)
    missing = sorted(requested - token.scopes)
    if missing:
        yield f"the server granted less than was asked for: without {cut(' '.join(missing), MAX_SCOPES)}"
    if not lifetime_stated:
        yield f"the response has no expires_in: {DEFAULT_EXPIRES_IN:.0f} s are assumed"


def _warnings(settings: ClientSettings, response: HttpResponse, token: AccessToken) -> list[str]:
    warnings = []
    if not (response.header("content-type") or "").lower().startswith("application/json"):
        warnings.append("the token response is JSON, but its Content-Type does not say application/json")
    if not _B64TOKEN.match(token.value):
        warnings.append("the access token has characters that RFC 6750 §2.1 does not foresee")
    if len(token.value) > LARGE_TOKEN:
        warnings.append(
            f"the access token has {len(token.value)} characters: many servers refuse such headers"
        )
    return warnings
