"""One search for a token under way, which any number of callers may wait for."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from airflow_oauth_provider.exceptions import OAuthError, TokenResponseError, TransportError
from airflow_oauth_provider.protocol.access_token import AccessToken, scopes_text
from airflow_oauth_provider.protocol.http import Answer, Failure
from airflow_oauth_provider.protocol.settings import ClientSettings, RetrySettings
from airflow_oauth_provider.protocol.token.acquisition import (
    Acquisition,
    Call,
    Moment,
    Outcome,
    Send,
    Sleep,
    acquisition,
)
from airflow_oauth_provider.protocol.token.response import Granted, check_custom_token
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.shared_acquisition import Purpose, Search
from airflow_oauth_provider.tokens.sharing import Sharing
from airflow_oauth_provider.transport import token_endpoint
from airflow_oauth_provider.transport.stopping import NEVER, Stop, TaskStoppedError

log = logging.getLogger(__name__)

GRACE = 0.2
"""Seconds a caller grants beyond its budget for the flight to say itself what went wrong."""


class Flight:
    """Search in a thread of its own.

    So each caller waits within its own budget even where the work cannot be interrupted (name
    resolution, a ``custom`` provider), an exception that Airflow raises in the caller's thread
    disturbs nobody else, and coroutines can wait for it too. The thread never calls Airflow.

    :param started: when the first caller began to wait: ``max_wait`` counts from there.
    :param on_end: called in that thread before callers wake up.
    :param held: the token that is worth renewing, for ``Purpose.EARLY``.

    ``requests`` counts the token requests made so far.
    """

    def __init__(
        self,
        settings: ClientSettings,
        sharing: Sharing,
        started: Moment,
        on_end: Callable[[Flight], None],
        *,
        purpose: Purpose = Purpose.NEEDED,
        held: AccessToken | None = None,
    ) -> None:
        if purpose is Purpose.EARLY and held is not None:
            # One try, and not beyond the time from which the token held is no use any more.
            left = max(0.0, held.mandatory_at - started.wall)
            limits = RetrySettings(0, min(settings.retry.max_wait, left))
            settings = replace(settings, retry=limits)
        self.settings = settings
        self.started = started
        self.until = started.monotonic + settings.retry.max_wait
        self.token: AccessToken | None = None
        self.requests = 0
        self.error: BaseException | None = None
        self._sharing = sharing
        self._purpose = purpose
        self._held = held
        self._last_error: OAuthError | None = None
        self._on_end = on_end
        self._ended = threading.Event()
        self._stop = Stop()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="oauth2-acquisition", daemon=True).start()

    def wait(self, until: float, stop: Stop = NEVER) -> AccessToken | None:
        """Wait for the token.

        :param until: monotonic seconds at which this caller's budget ends.
        :param stop: ends the wait when the caller's task is being killed.
        :return: ``None`` only from an early renewal that brought none.
        :raises OAuthError: a copy of the flight's error for this caller.
        """
        try:
            ended = stop.wait_for(self._ended, until + GRACE)
        except TaskStoppedError:
            # This process is about to end: what the flight holds must not outlive it.
            self._stop.stop()
            self._ended.wait(1.0)
            raise
        if not ended:
            raise _own_copy(self._last_error) if self._last_error else self._out_of_time()
        if isinstance(self.error, OAuthError):
            raise _own_copy(self.error)
        if self.error is not None:
            raise RuntimeError("the acquisition failed for a reason of its own") from self.error
        return self.token

    def _out_of_time(self) -> TransportError:
        host = self.settings.token_url.origin
        return TransportError(
            f"no token from {host.host}:{host.port} within {self.settings.retry.max_wait:g} s (max_wait)",
            host=f"{host.host}:{host.port}",
            elapsed=time.monotonic() - self.started.monotonic,
        )

    def _run(self) -> None:
        try:
            self.token = self._found()
        except BaseException as error:  # handed to the callers, whatever it is: they wait for it
            self.error = error
        try:
            self._on_end(self)
        finally:
            self._ended.set()

    def _found(self) -> AccessToken | None:
        search = Search(
            Entries(self.settings, self._sharing),
            self.started,
            self.until,
            self._purpose,
            held=self._held,
            fetch=self.fetch,
            sleep=self._stop.sleep,
        )
        return search.run()

    def fetch(self) -> AccessToken:
        """Ask the token endpoint.

        :raises OAuthError: when it does not grant a token in time.
        """
        began = this_moment()
        flow = acquisition(self.settings, began, random=random.random, entropy=os.urandom, ends_at=self.until)
        granted = self._drive(flow)
        self._report(granted, time.monotonic() - began.monotonic)
        return granted.token

    def _drive(self, flow: Acquisition) -> Granted:
        """Carry out what the flow asks for until it returns."""
        effect = next(flow)
        while True:
            result: Answer | Failure | Granted | OAuthError | None = None
            self.requests += not isinstance(effect, Sleep)
            if isinstance(effect, Send):
                result = token_endpoint.send(
                    effect.request, self.settings.network, deadline_at=effect.deadline, stop=self._stop
                )
                self._stop.check()
            elif isinstance(effect, Call):
                result = _call_provider(self.settings)
            else:
                self._pause(effect)
            try:
                effect = flow.send(Outcome(this_moment(), result))
            except StopIteration as end:
                granted: Granted = end.value
                return granted

    def _pause(self, sleep: Sleep) -> None:
        self._last_error = sleep.reason
        log.warning("%s. Trying again in %.1f s", sleep.reason.message, sleep.seconds)
        self._stop.sleep(max(0.0, sleep.seconds))

    def _report(self, granted: Granted, seconds: float) -> None:
        token, host = granted.token, self.settings.token_url.origin.authority
        # The line for everybody is the caller's, who knows which connection it is.
        log.debug(
            "Access token acquired from %s for client %s: valid for %.0f s, scopes: %s (%.2f s)",
            host,
            self.settings.client_id,
            token.lifetime,
            scopes_text(token) or "not said",
            seconds,
        )
        for note in granted.notes:
            log.info("%s: %s", host, note)
        for warning in granted.warnings:
            log.warning("%s: %s", host, warning)


def _own_copy(error: OAuthError) -> OAuthError:
    """Return a copy without traceback: one exception raised in several threads mixes theirs up."""
    return error.for_connection(error.conn_id or "")


def _call_provider(settings: ClientSettings) -> Granted | OAuthError:
    custom = settings.custom
    if custom is None:
        raise ValueError("auth_method custom needs a provider")
    try:
        return Granted(check_custom_token(settings, custom.function(settings)))
    except OAuthError as error:
        return error
    except BaseException as error:  # foreign code, even sys.exit(); its text may hold a secret
        return TokenResponseError(
            f'the custom provider "{custom.name}" ([oauth2] custom_providers) raised {type(error).__name__}'
        )
