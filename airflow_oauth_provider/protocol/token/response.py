"""The token endpoint's answer (RFC 6749 §5.1), read strictly."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.exceptions import InsufficientScopeError, TokenResponseError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.http import Answer
from airflow_oauth_provider.protocol.settings import DEFAULT_EXPIRES_IN, ClientSettings
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_object
from airflow_oauth_provider.protocol.token.errors import endpoint_error

MAX_EXPIRES_IN = 24 * 3600.0
LARGE_TOKEN = 8 * 1024
_VSCHAR = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: +[\x21\x23-\x5b\x5d-\x7e]+)*\Z")
_DIGITS = re.compile(r"[0-9]{1,12}\Z", re.ASCII)


@dataclass(frozen=True)
class Granted:
    """A token, and what is worth a log line about it."""

    token: AccessToken
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_token_response(
    settings: ClientSettings, answer: Answer, *, requested_at: float, confidential: tuple[str, ...] = ()
) -> Granted:
    """Read an answer of status 200.

    :param requested_at: seconds since the epoch, just before the request was sent: the lifetime
        counts from there, so that a slow answer cannot lengthen it.
    :param confidential: strings that an error may not repeat.
    :raises TokenEndpointError: when the answer carries an ``error``.
    :raises TokenResponseError: when it is no token response.
    :raises InsufficientScopeError: when ``require_scopes`` is not met.
    """
    if answer.header("content-encoding") not in {None, "", "identity"}:
        raise _malformed("it is compressed, although that was not asked for")
    try:
        data = parse_object(answer.body)
    except JsonError as error:
        raise _malformed(f"{error}{_kind_of(answer)}") from None
    if data.get("error") is not None:
        raise endpoint_error(settings, answer, data, confidential=confidential)
    _check_type(data)
    value = _read_value(settings, data)
    scopes, notes = _read_scope(settings, data)
    lifetime = _read_lifetime(data)
    if data.get("expires_in") is None:
        notes.append(f"the answer has no expires_in: {DEFAULT_EXPIRES_IN:.0f} s are assumed")
    token = AccessToken(value, "Bearer", requested_at + lifetime, requested_at, scopes)
    require_scopes(settings, token)
    return Granted(token, tuple(notes), tuple(_warnings(settings, answer, token)))


def require_scopes(settings: ClientSettings, token: AccessToken) -> None:
    """Hold a token against ``require_scopes``.

    :raises InsufficientScopeError: naming the scopes that were not granted.
    """
    missing = [scope for scope in settings.api.require_scopes if scope not in token.scopes]
    if missing:
        raise InsufficientScopeError(
            f"the authorization server did not grant the required scope {' '.join(missing)}: "
            "ask its administrator to allow it for this client, or change require_scopes",
            scope=" ".join(missing),
        )


def check_custom_token(settings: ClientSettings, token: object) -> AccessToken:
    """Check what a ``custom`` provider returned.

    :raises TokenResponseError: when it is no usable :class:`AccessToken`.
    :raises InsufficientScopeError: when ``require_scopes`` is not met.
    """
    if not isinstance(token, AccessToken) or token.token_type.lower() != "bearer":
        raise TokenResponseError("the custom provider must return an AccessToken of type Bearer")
    if not isinstance(token.value, str) or not _VSCHAR.match(token.value):
        raise TokenResponseError("the custom provider returned a token that cannot stand in a header")
    require_scopes(settings, token)
    return token


def _malformed(reason: str, status: int = 200) -> TokenResponseError:
    return TokenResponseError(
        f"the token endpoint did not answer with a token: {reason} (RFC 6749 §5.1). "
        "Check that the access token URL is the token endpoint",
        status=status,
    )


def _kind_of(answer: Answer) -> str:
    kind = (answer.header("content-type") or "").split(";")[0].strip().lower()
    return f" (Content-Type {kind})" if re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+-]+", kind) else ""


def _check_type(data: dict[str, Any]) -> None:
    token_type = data.get("token_type")
    if not isinstance(token_type, str):
        raise _malformed("token_type is missing or no string")
    if token_type.lower() != "bearer":
        # RFC 6749 §7.1: a client must not use a token of a type it does not understand.
        raise _malformed("token_type is not Bearer")


def _read_value(settings: ClientSettings, data: dict[str, Any]) -> str:
    value = data.get("access_token")
    if not isinstance(value, str) or not value:
        raise _malformed("access_token is missing, empty or no string")
    if not _VSCHAR.match(value):
        raise _malformed("access_token has characters that cannot stand in a header")
    known = {settings.client_id, *(secret.reveal() for secret in settings.secrets())}
    if value in known:
        raise _malformed("access_token repeats the client's own id or secret")
    return value


def _read_lifetime(data: dict[str, Any]) -> float:
    value = data.get("expires_in")
    if value is None:
        return DEFAULT_EXPIRES_IN
    if isinstance(value, str) and _DIGITS.match(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise _malformed("expires_in is not a number of seconds")
    return min(float(math.floor(value)), MAX_EXPIRES_IN)


def _read_scope(settings: ClientSettings, data: dict[str, Any]) -> tuple[frozenset[str], list[str]]:
    """Read the granted scopes; without ``scope`` they are the requested ones (RFC 6749 §5.1)."""
    scope = data.get("scope")
    wanted = frozenset(settings.request.scope)
    if scope is None:
        return wanted, []
    if not isinstance(scope, str) or (scope.strip(" ") and not _SCOPE.match(scope.strip(" "))):
        raise _malformed("scope is not a space-delimited string")
    granted = frozenset(scope.split(" ")) - {""}
    missing = sorted(wanted - granted)
    return granted, [
        f"the server granted less than was asked for: without {' '.join(missing)}"
    ] if missing else []


def _warnings(settings: ClientSettings, answer: Answer, token: AccessToken) -> list[str]:
    found = []
    if not (answer.header("content-type") or "").lower().startswith("application/json"):
        found.append("the token response is JSON, but its Content-Type does not say application/json")
    if not _B64TOKEN.match(token.value):
        found.append("the access token has characters that RFC 6750 §2.1 does not foresee")
    if len(token.value) > LARGE_TOKEN:
        found.append(f"the access token has {len(token.value)} characters: many servers refuse such headers")
    return found
