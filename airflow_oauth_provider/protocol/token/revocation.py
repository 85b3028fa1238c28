"""Revocation: telling the authorization server that a token is not needed any more (RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.strict_json import JsonError, parse_object
from airflow_oauth_provider.protocol.token.about_token import message_about_token
from airflow_oauth_provider.protocol.token.endpoint import Endpoint, is_blank, media_type
from airflow_oauth_provider.protocol.token.errors import endpoint_error
from airflow_oauth_provider.protocol.token.exchange import Message
from airflow_oauth_provider.protocol.urls import Url

_PAGES = frozenset({"text/html", "application/xhtml+xml"})

REVOCATION = Endpoint(
    name="revocation endpoint",
    request="the revocation",
    result="a confirmation",
    result_rule="RFC 7009 §2.2",
    error_rule="RFC 7009 §2.2.1",
    address="the endpoint given",
    setting="endpoint",
    advice=MappingProxyType(
        {
            "unsupported_token_type": "the server does not revoke such tokens: they end by themselves",
            "unauthorized_client": "the client is not allowed to revoke this token",
            "invalid_grant": "the token was issued to another client",
            403: "the token may be of another client, or this client may not revoke tokens",
        }
    ),
)


def revocation(
    settings: ClientSettings, url: Url, token: Secret, *, entropy: Callable[[int], bytes]
) -> Message[bool]:
    """Revoke *token*; the result is true.

    :param url: of the endpoint.
    :param entropy: returns that many random bytes.
    """
    return message_about_token(settings, REVOCATION, url, token, read_revocation, entropy=entropy)


def read_revocation(
    settings: ClientSettings, response: HttpResponse, *, endpoint: Endpoint, redactor: Redactor
) -> bool:
    """Read a response of status 200, which a server sends for a token that it does not know, too.

    RFC 7009 §2.2: the body says nothing. Two bodies do, all the same: an ``error``, which some servers send
    with 200, and a web page, which something in front of the server has sent. The label alone makes no page:
    frameworks put it on an empty body, too, and on JSON.

    :return: true.
    :raises TokenEndpointError: when it carries an ``error``.
    :raises TokenResponseError: when it is a page.
    """
    data: dict[str, Any] = {}
    with suppress(JsonError):
        data = parse_object(response.body)
    if not data and media_type(response) in _PAGES and response.body.strip() not in {b"", b"{}"}:
        raise endpoint.malformed("the response is a web page")
    if not is_blank(data.get("error")):
        raise endpoint_error(settings, response, data, redactor=redactor, endpoint=endpoint)
    return True
