"""Introspection: asking the authorization server about a token (RFC 7662)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, NotRequired, TypedDict, cast

from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.texts import cut, plain
from airflow_oauth_provider.protocol.token.about_token import message_about_token
from airflow_oauth_provider.protocol.token.endpoint import Endpoint, is_blank
from airflow_oauth_provider.protocol.token.errors import endpoint_error
from airflow_oauth_provider.protocol.token.exchange import Message
from airflow_oauth_provider.protocol.urls import Url

MAX_TEXT = 16 * 1024
"""Characters of the longest text in a result."""
MAX_DIGITS = 15
"""Digits of the largest time: more of them, and a float holds it no more exactly."""

INTROSPECTION = Endpoint(
    name="introspection endpoint",
    request="the introspection",
    result="the state of a token",
    result_rule="RFC 7662 §2.2",
    error_rule="RFC 7662 §2.3",
    address="the endpoint given",
    setting="endpoint",
    advice=MappingProxyType(
        {
            "unauthorized_client": "the client is not allowed to ask about tokens",
            "access_denied": "the client is not allowed to ask about tokens",
            "unsupported_token_type": "the server tells the state of other tokens; if this one is a JWT, "
            "the API reads it without asking",
            403: "the server lets some clients only ask about tokens: have its administrator allow this one",
        }
    ),
)


class Introspection(TypedDict):
    """What the server says of a token: a plain dict, for XCom, templates and comparisons.

    Members have the names of RFC 7662 §2.2; what the server does not say is missing. Of a token that is
    not active there is ``active`` and nothing else, whatever the server adds (RFC 7662 §2.2, §4). Members
    that the RFC does not name are there too. Texts are without control characters and at most 16 KiB long;
    ``***`` stands where one repeats the token or a secret of the connection.

    :param active: whether the token is good at the moment.
    :param scope: space-delimited.
    :param exp: whole seconds since the epoch, as *iat* and *nbf*.
    :param aud: one text or a list of them.
    """

    active: bool
    scope: NotRequired[str]
    client_id: NotRequired[str]
    username: NotRequired[str]
    token_type: NotRequired[str]
    exp: NotRequired[int]
    iat: NotRequired[int]
    nbf: NotRequired[int]
    sub: NotRequired[str]
    aud: NotRequired[str | list[str]]
    iss: NotRequired[str]
    jti: NotRequired[str]


_TEXTS = ("client_id", "username", "token_type", "sub", "iss", "jti")
_TIMES = ("exp", "iat", "nbf")
_LISTS = ("scope", "aud")


def introspection(
    settings: ClientSettings, url: Url, token: Secret, *, entropy: Callable[[int], bytes]
) -> Message[Introspection]:
    """Ask about *token*.

    :param url: of the endpoint.
    :param entropy: returns that many random bytes.
    """
    return message_about_token(settings, INTROSPECTION, url, token, read_introspection, entropy=entropy)


def read_introspection(
    settings: ClientSettings, response: HttpResponse, *, endpoint: Endpoint, redactor: Redactor
) -> Introspection:
    """Read a response of status 200.

    :raises TokenEndpointError: when it carries an ``error`` and no state.
    :raises TokenResponseError: when it is no introspection response.
    """
    data = endpoint.read_object(response)
    active = data.get("active")
    if active is False:
        return {"active": False}
    if not is_blank(data.get("error")):
        raise endpoint_error(settings, response, data, redactor=redactor, endpoint=endpoint)
    # RFC 7662 §2.2: active is REQUIRED, a boolean. A text "false" would be true in "if active".
    if active is not True:
        raise endpoint.malformed("active is missing or no boolean")
    members = {name: value for name, value in data.items() if value is not None} | dict(
        _standard_members(data, endpoint)
    )
    return cast("Introspection", _cleaned(redactor.value(members)))


def _standard_members(data: dict[str, Any], endpoint: Endpoint) -> Iterator[tuple[str, Any]]:
    """Yield the members of RFC 7662 in the types that it gives them."""
    for name in (*_TEXTS, *_TIMES, *_LISTS):
        value = data.get(name)
        if value is None:
            continue
        read = _time(value) if name in _TIMES else _text(value) if name in _TEXTS else _texts(value)
        if read is None:
            raise endpoint.malformed(f"{name} is neither {_KINDS[name]}")
        yield name, " ".join(read) if name == "scope" and isinstance(read, list) else read


_KINDS = {
    **dict.fromkeys(_TEXTS, "a string nor a number"),
    **dict.fromkeys(_TIMES, "a number of seconds nor the digits of one"),
    **dict.fromkeys(_LISTS, "a string nor a list of strings"),
}


def _text(value: object) -> str | None:
    """Read a text; servers whose users or clients are rows of a table send their numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**MAX_DIGITS else None
    return value if isinstance(value, str) else None


def _texts(value: object) -> str | list[str] | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return value if isinstance(value, str) else None


def _time(value: object) -> int | None:
    """Read a time; of a number with a fraction the whole seconds."""
    if isinstance(value, str) and len(value) <= MAX_DIGITS and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 10**MAX_DIGITS:
        return None
    return int(value)


def _cleaned(value: Any) -> Any:
    """Return it without what steers terminals and forges log lines, names included."""
    if isinstance(value, str):
        return cut(plain(value), MAX_TEXT)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(inner) for name, inner in value.items()}
    return value
