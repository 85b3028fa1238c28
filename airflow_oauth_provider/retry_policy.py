"""The retry policy: how a task that failed for want of a token or a response is tried again.

Airflow evaluates it on the worker, with the real exception, and stores and logs the reason in clear:
reasons are words of :class:`Reason`, never of an error.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

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
    ``requests``, aiohttp or httpx, decides:

    * temporary (``retryable``): RETRY, after ``retry_after`` where the server named it and it is longer
      than the task's own delay, at most 24 hours; else after the task's own delay;
    * permanent (a wrong configuration, a refused client, an API's 401 or 403): FAIL;
    * anything else, such as an API's 404: DEFAULT, the task's retries as they are.

    Of an ``ExceptionGroup``, which ``asyncio.TaskGroup`` raises, each member counts, in nested groups too:
    RETRY if one of them is temporary, after the longest ``retry_after``; FAIL if all that are ours are
    permanent. Members that say nothing of OAuth 2.0 do not count.
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


class _Verdict(NamedTuple):
    """What one error says of another try.

    :param retryable: whether it is temporary.
    :param retry_after: seconds that the server asked to wait, if it did.
    :param permanent: why another try cannot help; ``None`` where it may.
    """

    retryable: bool
    retry_after: float | None = None
    permanent: Reason | None = None


def _decide(exception: BaseException, try_number: int, context: Context | None) -> RetryDecision:
    verdicts = _verdicts(exception, set())
    temporary = [verdict for verdict in verdicts if verdict.retryable]
    if temporary:
        waits = [verdict.retry_after for verdict in temporary if verdict.retry_after is not None]
        return _retry(max(waits, default=None), try_number, context)
    reasons = [verdict.permanent for verdict in verdicts]
    if reasons and reasons[0] is not None and None not in reasons:
        return RetryDecision.fail(reasons[0].value)
    return RetryDecision.default()


def _verdicts(error: BaseException, seen: set[int]) -> list[_Verdict]:
    """Judge an error by the nearest link of its chain that says something, and a group by its members.

    :param seen: links that have been judged; those of a group may have causes in common.
    """
    for link in _chain(error, seen):
        if isinstance(link, BaseExceptionGroup):
            verdicts = [verdict for member in link.exceptions for verdict in _verdicts(member, seen)]
        else:
            verdict = _verdict(link)
            verdicts = [] if verdict is None else [verdict]
        if verdicts:
            return verdicts
    return []


def _verdict(error: BaseException) -> _Verdict | None:
    """Judge one error; ``None`` for one that says nothing of another try."""
    if isinstance(error, OAuthError):
        if error.retryable:
            return _Verdict(True, getattr(error, "retry_after", None))
        return _Verdict(False, permanent=_permanent(error) if is_definite(error) else None)
    for judge in (_of_requests, _of_aiohttp, _of_httpx):
        temporary, retry_after = judge(error)
        if temporary:
            return _Verdict(True, retry_after)
    return None


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
        return _of_response(error.response.status_code, error.response.headers)
    if isinstance(
        error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    ):
        from airflow_oauth_provider.transport.faults import classify

        failure = classify(error)
        return failure is not None and failure.fault.retryable, None
    return False, None


def _of_aiohttp(error: BaseException) -> tuple[bool, float | None]:
    """Say the same of an error of aiohttp, which costs no import where nobody uses it."""
    aiohttp: Any = sys.modules.get("aiohttp")
    if aiohttp is None or not isinstance(error, aiohttp.ClientError):
        return False, None
    # One with a cause, or of a proxy, is what aiohttp makes of a response that it could not read or get.
    unread = error.__cause__ is not None or isinstance(error, aiohttp.ClientHttpProxyError)
    if isinstance(error, aiohttp.ClientResponseError) and not unread:
        return _of_response(error.status, error.headers or {})
    from airflow_oauth_provider.transport.async_faults import classify_async

    failure = classify_async(error)
    return failure is not None and failure.fault.retryable, None


def _of_httpx(error: BaseException) -> tuple[bool, float | None]:
    """Say the same of an error of httpx, which costs no import where nobody uses it."""
    httpx: Any = sys.modules.get("httpx")
    if httpx is None or not isinstance(error, httpx.HTTPError):
        return False, None
    if isinstance(error, httpx.HTTPStatusError):
        return _of_response(error.response.status_code, error.response.headers)
    if isinstance(error, httpx.TimeoutException):
        return True, None
    from airflow_oauth_provider.transport.faults import classify, links

    failure = classify(error)
    if failure is not None:
        return failure.fault.retryable, None
    if isinstance(error, httpx.NetworkError):  # which may leave no error of the system's behind
        return True, None
    # A server has closed the connection instead of sending a response. What h11 cannot read, or not to its
    # end, it says in words only: that is left to Airflow.
    h11: Any = sys.modules.get("h11")
    unread = h11 is not None and any(isinstance(link, h11.RemoteProtocolError) for link in links(error))
    return isinstance(error, httpx.RemoteProtocolError) and not unread, None


def _of_response(status: int, headers: Mapping[str, str]) -> tuple[bool, float | None]:
    from airflow_oauth_provider.protocol.call.refusal import passes
    from airflow_oauth_provider.protocol.http import HttpResponse
    from airflow_oauth_provider.protocol.token.retry import retry_after
    from airflow_oauth_provider.tokens.clocks import this_moment

    named = tuple((name.lower(), value) for name, value in headers.items())
    return passes(status), retry_after(HttpResponse(status, named), now=this_moment().wall)


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """Walk from an error to what caused it, as a traceback shows it.

    :param seen: links that are passed by; those walked are added.
    """
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if error.__cause__ is not None or error.__suppress_context__:
            error = error.__cause__
        else:
            error = error.__context__
