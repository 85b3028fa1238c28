"""What is raised when a call brought no response, whichever HTTP library made it."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, TransportError
from airflow_oauth_provider.protocol.error_record import recorded
from airflow_oauth_provider.protocol.http import Failure, Fault
from airflow_oauth_provider.protocol.token.retry import MAX_COOL_DOWN


@recorded
class CallFailedError(TransportError, requests.ConnectionError):
    """The call brought no response.

    Also a ``requests.ConnectionError``, so that ``except`` clauses and ``retry_args`` written for
    Airflow's HTTP provider go on working; unlike that one it holds no request and so no token.
    """


@recorded
class CallTimeoutError(CallFailedError, requests.Timeout):
    """The call brought no response in time; also a ``requests.Timeout``."""


def call_failed(url: str, failure: Failure) -> OAuthError:
    """Build the error for a call that brought no response.

    :param url: that was called; only its host is shown.
    """
    if failure.fault is Fault.ADDRESS_REFUSED:
        return ConfigurationError(failure.detail, field="base_url").with_advice(failure.advice)
    parts = urlsplit(url)
    name = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    kind = CallTimeoutError if failure.fault is Fault.TIMEOUT else CallFailedError
    seconds = failure.retry_after
    return kind(
        failure.text(f"the API {host}"),
        host=host,
        retryable=failure.fault.retryable,
        retry_after=None if seconds is None else min(seconds, MAX_COOL_DOWN),
    ).with_advice(failure.advice)


def error_of_ours(error: BaseException | None) -> OAuthError | None:
    """Return the error of this package that an HTTP library has wrapped: what reading the body raised."""
    seen: set[int] = set()  # a chain may lead back to where it began: ``raise error from error``
    while error is not None and id(error) not in seen:
        if isinstance(error, OAuthError):
            return error
        seen.add(id(error))
        error = error.__cause__
    return None
