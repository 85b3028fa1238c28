"""One search for a token under way, which any number of callers may wait for.

Rules:

* The search has a thread to itself, and never calls Airflow. So each caller waits within its own
  budget even where the work cannot be interrupted (name resolution, a ``custom`` provider), and an exception
  that Airflow raises in a caller's thread disturbs nobody else.
* A flight ends once, with a token or an error. Then its slot is free, ``wait`` returns and callbacks run,
  in this order.
* Every caller gets a copy of the error of its own, and whatever is not ours has become a typed error.
* A flight records its steps for whoever observes the thread that begins it; nobody does as a rule.
* The last caller to be thrown out (a kill, a task's timeout) stops the flight: the process is about to end,
  and what the flight holds in the store must not outlive it.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from airflow_oauth_provider.exceptions import (
    InsufficientScopeError,
    OAuthError,
    TransportError,
    unexpected,
)
from airflow_oauth_provider.protocol.access_token import AccessToken, scopes_text
from airflow_oauth_provider.protocol.configured_server import Issuer
from airflow_oauth_provider.protocol.effects import Sleep
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.settings import ClientSettings, RetrySettings
from airflow_oauth_provider.protocol.token.acquisition import Acquisition, acquisition
from airflow_oauth_provider.protocol.token.response import Granted
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.custom_provider import ask_provider
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.proof_hints import hints
from airflow_oauth_provider.tokens.shared_acquisition import Purpose, Search
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.tokens.worker_threads import run_in_thread
from airflow_oauth_provider.transport.driver import Driver
from airflow_oauth_provider.transport.steps import Recording, StepName, observed, observer, recording
from airflow_oauth_provider.transport.stopping import NEVER, Latch, Stop

log = logging.getLogger(__name__)

GRACE = 0.2
"""Seconds a caller grants beyond its budget for the flight to say itself what went wrong."""
LAST_STEPS = 1.0
"""Seconds that a caller who is thrown out waits for the flight to let go of its lease."""


class Flight:
    """One search, and the callers that wait for it.

    :param budget: of the first caller.
    :param accepts: whether this process may use a token that the store holds.
    :param on_end: called in the flight's thread before callers wake up.
    :param held: the token that is worth renewing, for ``Purpose.EARLY``.
    :param before_asking: called in the flight's thread before it asks the token endpoint, if it does.

    ``asked_at``: when the request for the token began (monotonic; ``None`` for one that lay in the store).
    """

    def __init__(
        self,
        settings: ClientSettings,
        sharing: Sharing,
        budget: Budget,
        on_end: Callable[[Flight], None],
        *,
        accepts: Callable[[AccessToken], bool] = lambda _: True,
        purpose: Purpose = Purpose.NEEDED,
        held: AccessToken | None = None,
        before_asking: Callable[[], object] | None = None,
    ) -> None:
        if purpose is Purpose.EARLY and held is not None:
            # One try, and not beyond the time from which the token held is no use any more.
            left = max(0.0, held.mandatory_at - budget.started.wall)
            limits = RetrySettings(0, min(settings.retry.max_wait, left))
            settings = replace(settings, retry=limits)
            budget = Budget.of(budget.started, limits.max_wait)
        self.settings = settings
        self.budget = budget
        self.purpose = purpose
        self.token: AccessToken | None = None
        self.asked_at: float | None = None
        self.error: OAuthError | None = None
        self._entries = Entries(settings, sharing)
        self._accepts = accepts
        self._held = held
        self._last_error: OAuthError | None = None
        self._on_end = on_end
        self._before_asking = before_asking
        self._ended = Latch()
        self._lock = threading.Lock()
        self._callers: list[object] = []
        self._callbacks: list[Callable[[], object]] = []
        self._stop = Stop()
        self._driver: Driver | None = None
        self._trace = observer()

    @property
    def requests(self) -> int:
        """Token requests made so far."""
        return self._driver.requests if self._driver else 0

    @property
    def asked(self) -> bool:
        """Whether the search came to ask the server."""
        return self._driver is not None

    def start(self) -> None:
        """Begin."""
        run_in_thread(self._run, "oauth2-acquisition")

    def add_done_callback(self, callback: Callable[[], object]) -> None:
        """Have *callback* called in the flight's thread when the flight has ended; at once if it has."""
        with self._lock:
            if not self._ended.is_set:
                self._callbacks.append(callback)
                return
        callback()

    def wait(self, until: float, stop: Stop = NEVER) -> AccessToken | None:
        """Wait for the token.

        :param until: monotonic seconds at which this caller's budget ends.
        :param stop: ends the wait when the caller's task is being killed.
        :return: ``None`` only from an early renewal that brought none.
        :raises OAuthError: a copy of the flight's error for this caller.
        """
        caller = object()
        try:
            self._callers.append(caller)  # no lock: a signal handler may raise at any place here
            stop.wait_for(self._ended, until + GRACE)
        except BaseException:
            if self._callers in ([], [caller]):
                self._stop.stop()
                self._ended.wait(LAST_STEPS)
            raise
        finally:
            with suppress(ValueError):
                self._callers.remove(caller)
        return self.result()

    def result(self) -> AccessToken | None:
        """Return the token of a flight that has ended; of one that has not, raise what is known so far.

        :raises OAuthError: as :meth:`wait` does.
        """
        if not self._ended.is_set:
            raise _own_copy(self._last_error) if self._last_error else self._out_of_time()
        if self.error is not None:
            raise _own_copy(self.error)
        return self.token

    def _out_of_time(self) -> TransportError:
        origin = self.settings.server.origin
        return TransportError(
            f"no token from {origin.host_and_port} within {self.settings.retry.max_wait:g} s (max_wait)",
            host=origin.host_and_port,
            elapsed=time.monotonic() - self.budget.started.monotonic,
        )

    def _run(self) -> None:
        try:
            with observed(self._trace):
                self.token = self._search()
        except BaseException as error:  # of any kind is handed to the callers: they wait for it
            self.error = _shared(error)
        try:
            self._on_end(self)
        except BaseException as error:
            self.token, self.error = None, _shared(error)
        finally:
            with self._lock:
                self._ended.set()
                callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()

    def _search(self) -> AccessToken | None:
        return Search(
            self._entries,
            self.budget,
            self.purpose,
            self._held,
            self._accepts,
            self.fetch,
            self._stop.sleep,
        ).run()

    def fetch(self) -> AccessToken:
        """Ask the token endpoint.

        :raises OAuthError: when it does not grant a token in time.
        """
        if self._before_asking is not None:
            self._before_asking()
        began = this_moment()
        server = self.settings.server
        known = self._entries.metadata(server) if isinstance(server, Issuer) else None
        if known is not None and known.is_fresh(began.wall):
            with recording(StepName.DISCOVERY, server.origin.authority) as step:
                step.note(f"metadata that was fetched {(began.wall - known.fetched_at) / 60:.0f} min ago")
        flow = acquisition(
            self.settings,
            began,
            self.budget,
            random=random.random,
            entropy=os.urandom,
            known=known,
            hints=hints,
        )
        driver = self._driver = Driver(
            self.settings.network,
            ask_provider=partial(ask_provider, self.settings),
            on_read=self._entries.note_assertion,
            on_sleep=self._before_sleep,
            remember=self._entries.remember_metadata,
            stop=self._stop,
        )
        try:
            with recording(StepName.TOKEN, server.origin.authority) as step:
                granted = _run(driver, flow, step)
        except OAuthError:
            raise
        except Exception as error:  # a defect of ours, or of what a server can make a library do
            failure = unexpected(error, "the token request")
        else:
            self.asked_at = began.monotonic
            self._report(granted, time.monotonic() - began.monotonic)
            return granted.token
        raise failure

    def _before_sleep(self, sleep: Sleep) -> None:
        self._last_error = sleep.reason
        log.warning("%s. Trying again in %.1f s", sleep.reason.message, sleep.seconds)

    def _report(self, granted: Granted, seconds: float) -> None:
        token, host = granted.token, self.settings.server.origin.authority
        # The line for everybody is the caller's, who knows which connection it is.
        log.debug(
            "Access token acquired from %s for client %s: valid for %.0f s, scopes: %s (%.2f s)",
            host,
            self.settings.client_id,
            token.lifetime,
            scopes_text(token) or "not said",
            seconds,
        )
        for remark in granted.remarks:
            log.info("%s: %s", host, remark)
        for warning in granted.warnings:
            log.warning("%s: %s", host, warning)


class DirectFlight(Flight):
    """Asks the token endpoint at once: no store, no lease, nothing remembered."""

    def _search(self) -> AccessToken:
        return self.fetch()


def _run(driver: Driver, flow: Acquisition, step: Recording) -> Granted:
    """Carry out an acquisition, and say in *step* what came of it."""
    try:
        granted = driver.run(flow)
    except InsufficientScopeError:
        if step.observed:
            step.name = StepName.SCOPES
        raise
    if step.observed:
        step.note(f"{granted.token.token_type}, valid for {granted.token.lifetime:.0f} s")
    return granted


def _shared(error: BaseException) -> OAuthError:
    """Return the error of a search for all who wait for it."""
    if isinstance(error, OAuthError):
        try:
            return _own_copy(error)
        except BaseException as failed:  # of a class that is not ours: else everybody would wait for ever
            error = failed
    return unexpected(error, "the search for a token")


def _own_copy(error: OAuthError) -> OAuthError:
    """Return a copy without traceback and chain: one exception raised in several threads mixes theirs up."""
    return error.for_connection(error.conn_id or "")
