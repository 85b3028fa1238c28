"""The retry policy: how a task that failed for want of a token or a response is tried again.

Airflow evaluates it on the worker, with the real exception, and stores and logs the reason in clear:
reasons are words of :class:`Reason`, never of an error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InsufficientScopeError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    is_definite,
)

try:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
except ImportError as missing:
    from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

    raise AirflowOptionalProviderFeatureException(
        "OAuth2RetryPolicy needs Airflow 3.3 or later: upgrade Airflow, or leave retry_policy out and use "
        "the task's retries and the operators' fail_fast, which work on every version"
    ) from missing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

LONGEST_DELAY = 24 * 3600.0
"""Seconds; Airflow's own limit of a delay. A date in the year 9999 must not overflow in the scheduler."""
_log = logging.getLogger(__name__)


class Reason(Enum):
    """All that a decision ever gives as its reason."""

    WAIT = "OAuth 2.0: the server asked to wait"
    TEMPORARY = "OAuth 2.0: a temporary failure"
    CONFIGURATION = "OAuth 2.0: the configuration is wrong"
    CLIENT = "OAuth 2.0: the authorization server refuses the client"
    SCOPE = "OAuth 2.0: the token lacks a scope"
    API = "OAuth 2.0: the API refuses the call"
    TOKEN = "OAuth 2.0: no token can be acquired"


_PERMANENT: tuple[tuple[type[OAuthError], Reason], ...] = (
    (ConfigurationError, Reason.CONFIGURATION),
    (InvalidClientError, Reason.CLIENT),
    (InsufficientScopeError, Reason.SCOPE),
    (ResourceError, Reason.API),
    (OAuthError, Reason.TOKEN),
)


class OAuth2RetryPolicy(RetryPolicy):
    """Retry after a temporary failure, when the server wants it, and fail at once after a permanent one.

    The nearest error in the chain of causes and contexts that is one of ours, or a temporary one of
    ``requests``, decides:

    * temporary (``retryable``): RETRY, after ``retry_after`` where the server named it and it is longer
      than the task's own delay, at most 24 hours; else after the task's own delay;
    * permanent (a wrong configuration, a refused client, an API's 401 or 403): FAIL;
    * anything else, such as an API's 404: DEFAULT, the task's retries as they are.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide; never raises.

        :param exception: that ended the task.
        :param try_number: of the try that failed, from 1.
        :param max_tries: Airflow keeps to it by itself.
        :param context: of the task, for its own delay; ``None`` where it is not known.
        """
        try:
            return _decide(exception, try_number, context)
        except Exception as error:  # whatever the task raised: its attributes may be of any kind
            _log.warning("the retry policy could not judge the error (%s)", type(error).__name__)
            return RetryDecision.default()


def _decide(exception: BaseException, try_number: int, context: Context | None) -> RetryDecision:
    for link in _chain(exception):
        if isinstance(link, OAuthError):
            if link.retryable:
                return _retry(getattr(link, "retry_after", None), try_number, context)
            return (
                RetryDecision.fail(_permanent(link).value) if is_definite(link) else RetryDecision.default()
            )
        temporary, retry_after = _of_requests(link)
        if temporary:
            return _retry(retry_after, try_number, context)
    return RetryDecision.default()


def _permanent(error: OAuthError) -> Reason:
    return next(reason for kind, reason in _PERMANENT if isinstance(error, kind))


def _retry(retry_after: float | None, try_number: int, context: Context | None) -> RetryDecision:
    if retry_after is None:
        return RetryDecision.retry(reason=Reason.TEMPORARY.value)
    seconds = min(float(retry_after), LONGEST_DELAY)
    task = context.get("task") if context else None
    if seconds <= _own_delay(task, try_number):
        return RetryDecision.retry(reason=Reason.WAIT.value)
    return RetryDecision.retry(timedelta(seconds=seconds), Reason.WAIT.value)


def _own_delay(task: Any, try_number: int) -> float:
    """Seconds that the task waits at least by itself, its exponential back-off included."""
    if task is None:
        return 0.0
    delay: float = task.retry_delay.total_seconds()
    multiplier = float(task.retry_exponential_backoff or 1.0)
    # Of many tries the power would be too large for a number, and the limit holds long before.
    delay = min(delay * multiplier ** min(try_number - 1, 50), LONGEST_DELAY)
    longest = task.max_retry_delay
    return delay if longest is None else min(delay, longest.total_seconds())


def _of_requests(error: BaseException) -> tuple[bool, float | None]:
    """Say whether an error is a temporary one of ``requests``, and the seconds the server asked to wait."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _of_response(error.response)
    if isinstance(
        error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    ):
        from airflow_oauth_provider.transport.faults import classify

        failure = classify(error)
        return failure is not None and failure.fault.retryable, None
    return False, None


def _of_response(response: Any) -> tuple[bool, float | None]:
    from airflow_oauth_provider.protocol.call.refusal import passes
    from airflow_oauth_provider.protocol.http import HttpResponse
    from airflow_oauth_provider.protocol.token.retry import retry_after
    from airflow_oauth_provider.tokens.clocks import this_moment

    headers = tuple((name.lower(), value) for name, value in response.headers.items())
    seconds = retry_after(HttpResponse(response.status_code, headers), now=this_moment().wall)
    return passes(response.status_code), seconds


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an error to what caused it, as a traceback shows it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if error.__cause__ is not None or error.__suppress_context__:
            error = error.__cause__
        else:
            error = error.__context__
