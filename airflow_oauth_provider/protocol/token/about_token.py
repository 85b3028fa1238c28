"""Messages about a token: what introspection (RFC 7662 §2.1) and revocation (RFC 7009 §2.1) share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.moments import Moment
from airflow_oauth_provider.protocol.redaction import Redactor
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.endpoint import Endpoint
from airflow_oauth_provider.protocol.token.exchange import Message
from airflow_oauth_provider.protocol.token.request import TokenRequest, build_request_about_token
from airflow_oauth_provider.protocol.urls import Url

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Reader(Protocol[Result_co]):
    """Reads a response of status 200; raises the typed error of any other."""

    def __call__(
        self, settings: ClientSettings, response: HttpResponse, *, endpoint: Endpoint, redactor: Redactor
    ) -> Result_co:
        """Read it."""


def message_about_token(
    settings: ClientSettings,
    endpoint: Endpoint,
    url: Url,
    token: Secret,
    reader: Reader[Result],
    *,
    entropy: Callable[[int], bytes],
) -> Message[Result]:
    """Build the message.

    :param url: of the endpoint.
    :param entropy: returns that many random bytes.
    """
    located = endpoint.at(url)

    def build(proving: ClientSettings, now: float) -> TokenRequest:
        return build_request_about_token(proving, url, token, now=now, entropy=entropy)

    def read(response: HttpResponse, sent: Moment, redactor: Redactor) -> Result:
        return reader(settings, response, endpoint=located, redactor=redactor)

    return Message(located, build, read)
