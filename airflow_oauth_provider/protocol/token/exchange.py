"""One request to the authorization server, repeated while that may help, as a generator.

The rules are those of one acquisition, whatever is asked: so many attempts within one budget, pauses between
them (:mod:`airflow_oauth_provider.protocol.token.retry`), and one attempt more where the server's clock
explains the refusal of an assertion.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar, cast

from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    OAuthError,
    TokenEndpointError,
    TransportError,
)
from airflow_oauth_provider.protocol.client.methods import method_of
from airflow_oauth_provider.protocol.dpop.server_hints import CLOCK_SKEW, INVALID_PROOF, USE_NONCE
from airflow_oauth_provider.protocol.dpop.token_proofs import TokenProofs
from airflow_oauth_provider.protocol.effects import AskProvider, Effect, Flow, Outcome, Send, Sleep
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.moments import Budget, Moment
from airflow_oauth_provider.protocol.redaction import NOTHING, Redactor
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.endpoint import Endpoint
from airflow_oauth_provider.protocol.token.errors import read_error
from airflow_oauth_provider.protocol.token.file_assertion import is_renewed, settings_of_request
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.protocol.token.retry import delay_before_retry, http_date, retry_after
from airflow_oauth_provider.protocol.token.server import ServerLookup

Result = TypeVar("Result")

# Repeating these more often has never helped: once is for the case of a stale record or route.
_ONCE: frozenset[object] = frozenset({Fault.DNS, 421})
# Faults that only a change of the configuration mends.
_CONFIGURATION = frozenset({Fault.PROXY_REFUSED, Fault.ADDRESS_REFUSED})


@dataclass(frozen=True)
class Message(Generic[Result]):
    """What is asked, and how the response is read.

    :param build: returns the request of these settings as it is sent at a time (seconds since the epoch, as
        the server is believed to count them); ``None`` where the ``custom`` provider is called instead.
    :param read: returns what a response of one of *statuses* says, or raises the typed error. It is given the
        moment at which the request was sent, and the redactor of what an error may not repeat.
    :param lookup: finds the endpoint's address before each attempt; ``None`` where it is known.
    :param statuses: of a response that *read* is given.
    :param proofs: of possession, which its requests carry; ``None`` for none.
    """

    endpoint: Endpoint
    build: Callable[[ClientSettings, float], TokenRequest | None]
    read: Callable[[HttpResponse, Moment, Redactor], Result]
    lookup: ServerLookup | None = None
    statuses: frozenset[int] = frozenset({200})
    proofs: TokenProofs | None = None


class Exchange(Generic[Result]):
    """What is to be asked, and what its attempts so far have brought.

    :param began: now.
    :param budget: of the caller, who may have waited for others before.
    :param random: returns a float in [0, 1).
    """

    def __init__(
        self,
        settings: ClientSettings,
        message: Message[Result],
        began: Moment,
        budget: Budget,
        random: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._message = message
        self._endpoint = message.endpoint
        self._started = began
        self._moment = began
        self._random = random
        self._ends_at = budget.until
        self._attempts = 0
        self._retries = 0
        self._server_ahead = 0.0
        self._signed_anew = False
        self._was_asked_for_nonce = False
        self._reread = False
        self._proving = settings
        self._seen: set[object] = set()

    def run(self) -> Flow[Result]:
        """Carry it out.

        :raises OAuthError: the last error, when there is nothing left to try.
        """
        while True:
            result = yield from self._attempt()
            if not isinstance(result, _Refused):
                return result
            lookup = self._message.lookup
            if lookup is not None and lookup.has_moved(result.kind, self._moment.wall):
                continue
            if (yield from self._assertion_was_renewed(result)):
                continue
            wait = self._wait_before_retry(result)
            if wait > 0:
                self._moment = (yield Sleep(wait, result.error)).moment

    def _attempt(self) -> Generator[Effect, Outcome, Result | _Refused]:
        self._attempts += 1
        if self._message.lookup is not None:
            try:
                url, self._moment = yield from self._message.lookup.endpoint(self._moment, self._ends_at)
            except OAuthError as error:
                return _Refused(error, None)
            self._endpoint = self._endpoint.at(url)
        sent = self._moment
        try:
            self._proving = yield from settings_of_request(self._settings)
        except OAuthError as error:
            return _Refused(error, None)
        request = self._message.build(self._proving, sent.wall + self._server_ahead)
        if request is None:
            outcome = yield AskProvider()
        else:
            deadline = min(sent.monotonic + self._settings.network.request_timeout, self._ends_at)
            outcome = yield Send(request, deadline)
        self._moment = outcome.moment
        result = outcome.result
        if isinstance(result, HttpResponse):
            return self._read(result, sent, request.redactor if request else NOTHING)
        if isinstance(result, Failure):
            return _Refused(self._no_response(result), result.fault)
        if isinstance(result, OAuthError):
            return _Refused(result, None)
        if request is not None or result is None:
            raise TypeError(f"an attempt cannot end with {type(result).__name__}")
        return cast("Result", result)  # what the provider returned

    def _read(self, response: HttpResponse, sent: Moment, redactor: Redactor) -> Result | _Refused:
        """Read a response; errors come back as values, since most of them may be retried."""
        skew, proofs = self._skew(response), self._message.proofs
        has_nonce = proofs is not None and proofs.learn(response)
        try:
            if response.status in self._message.statuses:
                return self._message.read(response, sent, redactor)
            if response.status < 400:
                raise self._endpoint.unexpected_status(response)
            seconds = retry_after(response, now=self._moment.wall)
            raise read_error(
                self._proving, response, retry_after=seconds, redactor=redactor, endpoint=self._endpoint
            )
        except OAuthError as error:
            return _Refused(error, response.status, skew, has_nonce)

    def _skew(self, response: HttpResponse) -> float:
        server = http_date(response.header("date") or "")
        return 0.0 if server is None else server - self._moment.wall

    def _wait_before_retry(self, refused: _Refused) -> float:
        """Return the seconds to wait before trying again.

        :raises OAuthError: the refusal itself, when it is final.
        """
        error = refused.error
        if self._nonce_was_missing(refused):
            return 0.0
        if self._clock_explains(refused):
            self._signed_anew = True
            self._server_ahead = refused.skew
            return 0.0
        repeated = refused.kind in _ONCE and refused.kind in self._seen
        self._seen.add(refused.kind)
        if not error.retryable or repeated or self._retries >= self._settings.retry.max_attempts:
            self._give_up(error)
        seconds = error.retry_after if isinstance(error, TokenEndpointError | TransportError) else None
        wait = delay_before_retry(
            self._retries,
            remaining=self._ends_at - self._moment.monotonic,
            retry_after=seconds,
            random=self._random,
        )
        if wait is None:
            self._give_up(error)
        self._retries += 1
        return wait

    def _nonce_was_missing(self, refused: _Refused) -> bool:
        """Whether all that was wrong is the nonce of the proof, and now there is one (RFC 9449 §8).

        A server that asks for one twice in a row would do so for ever.
        """
        error = refused.error
        asks = isinstance(error, TokenEndpointError) and error.error == USE_NONCE and not error.retryable
        asked_before, self._was_asked_for_nonce = self._was_asked_for_nonce, asks
        return asks and refused.has_nonce and not asked_before and self._moment.monotonic < self._ends_at

    def _assertion_was_renewed(self, refused: _Refused) -> Flow[bool]:
        """Whether a refused assertion has been replaced in its file meanwhile (one extra attempt)."""
        error = refused.error
        final = isinstance(error, TokenEndpointError) and not error.retryable
        if not final or self._reread or self._moment.monotonic >= self._ends_at:
            return False
        self._reread = yield from is_renewed(self._settings, self._proving)
        return self._reread

    def _clock_explains(self, refused: _Refused) -> bool:
        """Whether a refused assertion or proof may only have carried the wrong time (one extra attempt).

        Not all servers say so of an assertion: some answer any error, or 403 and nothing else.
        """
        error = refused.error
        if not isinstance(error, TokenEndpointError) or error.retryable:
            return False
        of_proof = self._message.proofs is not None and error.error in {INVALID_PROOF, USE_NONCE}
        return (
            (method_of(self._settings).signs or of_proof)
            and not self._signed_anew
            and abs(refused.skew) > CLOCK_SKEW
            and self._moment.monotonic < self._ends_at
        )

    def _give_up(self, error: OAuthError) -> NoReturn:
        if isinstance(error, TransportError):
            elapsed = self._moment.monotonic - self._started.monotonic
            attempts = "1 attempt" if self._attempts == 1 else f"{self._attempts} attempts"
            raise TransportError(
                f"{error.message} ({attempts}, {elapsed:.1f} s)",
                host=error.host,
                attempts=self._attempts,
                elapsed=elapsed,
                retryable=error.retryable,
                retry_after=error.retry_after,
            ).with_advice(error.advice) from None
        raise error from None

    def _no_response(self, failure: Failure) -> OAuthError:
        error = self._error_of(failure)
        return error.with_advice(failure.advice or error.advice)

    def _error_of(self, failure: Failure) -> OAuthError:
        host = self._endpoint.origin_of(self._settings).host_and_port
        text = failure.text(f"the {self._endpoint.name} {host}")
        if failure.fault in _CONFIGURATION:
            concerned = "proxy_url" if failure.fault is Fault.PROXY_REFUSED else self._endpoint.setting
            return ConfigurationError(text, field=failure.field or concerned)
        if failure.fault is Fault.MALFORMED:
            return self._endpoint.malformed(failure.detail, status=None)
        retryable = failure.fault.retryable
        return TransportError(text, host=host, retryable=retryable, retry_after=failure.retry_after)


@dataclass(frozen=True)
class _Refused:
    """An attempt that failed.

    :param kind: its HTTP status or :class:`Fault`.
    :param skew: seconds by which the server's clock is ahead of ours.
    :param has_nonce: the response has given a nonce for the next proof.
    """

    error: OAuthError
    kind: object
    skew: float = 0.0
    has_nonce: bool = False
