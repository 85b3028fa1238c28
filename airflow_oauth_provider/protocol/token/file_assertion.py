"""The assertion of a file, read anew for each request (RFC 7523 §2.2).

Whatever keeps the file renews it at times of its own, so nothing of it is kept from one request to the next.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.effects import Flow, ReadAssertion
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings


def settings_of_request(settings: ClientSettings) -> Flow[ClientSettings]:
    """Return the settings with the assertion as it is now, where the client proves itself by one.

    :raises ConfigurationError: when the file holds none.
    """
    file = settings.assertion_file
    if file is None:
        return settings
    assertion = (yield ReadAssertion(file)).result
    if isinstance(assertion, OAuthError):
        raise assertion
    if not isinstance(assertion, Secret):
        raise TypeError(f"an assertion cannot be a {type(assertion).__name__}")
    return replace(settings, assertion_file=replace(file, content=assertion))


def is_renewed(settings: ClientSettings, sent: ClientSettings) -> Flow[bool]:
    """Whether the file holds another assertion than the one that was sent.

    :param sent: the settings of that request.
    """
    if settings.assertion_file is None:
        return False
    try:
        now = yield from settings_of_request(settings)
    except OAuthError:
        return False
    return now.assertion_file != sent.assertion_file
