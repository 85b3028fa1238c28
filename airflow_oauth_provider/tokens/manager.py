"""Who gets which token: from memory, from a flight under way, or from a new one.

Between memory and the token endpoint lies the place of a store shared by processes and hosts; it
would be asked by the flight, so that callers need not know of it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from typing import Any

from airflow_oauth_provider.exceptions import OAuthError, TokenEndpointError, TransportError
from airflow_oauth_provider.protocol.acquisition import Moment
from airflow_oauth_provider.protocol.fingerprint import token_key
from airflow_oauth_provider.protocol.retry import LEAST_ATTEMPT
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token import AccessToken
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.flight import Flight
from airflow_oauth_provider.tokens.refusals import Refusals
from airflow_oauth_provider.tokens.slot import Slot

MAX_SLOTS = 256


class TokenManager:
    """The tokens of this process; one request per key, however many threads ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, Slot] = OrderedDict()
        self.refusals = Refusals()

    def slot(self, settings: ClientSettings) -> Slot:
        """Return the place of these settings' token; the least recently asked for go first."""
        key = token_key(settings)
        with self._lock:
            slot = self._slots.get(key) or Slot(key)
            self._slots[key] = slot
            self._slots.move_to_end(key)
            while len(self._slots) > MAX_SLOTS:
                self._slots.popitem(last=False)
            return slot

    def acquire(self, settings: ClientSettings, *, force: bool = False) -> AccessToken:
        """Return a token that may be used now.

        :param force: a new token, whatever is held; remembered refusals hold all the same.
        :raises OAuthError: when there is none to be had within ``max_wait`` seconds.
        """
        started = this_moment()
        until = started.monotonic + settings.retry.max_wait
        slot = self.slot(settings)
        while True:
            found = self._token_or_flight(slot, settings, started, force=force)
            if isinstance(found, AccessToken):
                return found
            if isinstance(found, Flight):
                return found.wait(until)
            error, seconds = found
            if seconds == 0 or time.monotonic() + seconds + LEAST_ATTEMPT > until:
                raise _in_force(error, seconds)
            time.sleep(seconds)

    def authorize(self, settings: ClientSettings) -> AccessToken:
        """Ask for a new token now, whatever is remembered; only a success is kept.

        For a person who has just changed something and wants to see whether it works.

        :raises OAuthError: when the server does not grant one.
        """
        started = this_moment()
        slot = self.slot(settings)

        def keep(flight: Flight) -> None:
            if flight.token is not None:
                self._keep(slot, flight.settings, flight.token)

        flight = Flight(settings, started, keep)
        flight.start()
        return flight.wait(started.monotonic + settings.retry.max_wait)

    def reset_after_fork(self) -> None:
        """Leave behind what belongs to the parent's threads; tokens stay good."""
        self._lock = threading.Lock()
        self.refusals.clear()
        for slot in self._slots.values():
            slot.lock = threading.Lock()
            slot.flight = None

    def clear(self) -> None:
        """Forget all tokens and refusals."""
        with self._lock:
            self._slots.clear()
        self.refusals.clear()

    def _token_or_flight(
        self, slot: Slot, settings: ClientSettings, started: Moment, *, force: bool
    ) -> AccessToken | Flight | tuple[OAuthError, float]:
        with slot.lock:
            token = None if force else slot.current()
            if token is not None:
                return token
            if slot.flight is not None:
                return slot.flight
            standing = self.refusals.standing(settings)
            if standing is not None:
                return standing
            flight = slot.flight = Flight(settings, started, lambda ended: self._land(slot, ended))
            try:
                flight.start()
            except BaseException:
                slot.flight = None
                raise
            return flight

    def _land(self, slot: Slot, flight: Flight) -> None:
        with slot.lock:
            if flight.token is not None:
                self._keep(slot, flight.settings, flight.token)
            elif flight.error is not None:
                self.refusals.remember(flight.settings, flight.error)
            slot.flight = None

    def _keep(self, slot: Slot, settings: ClientSettings, token: AccessToken) -> None:
        slot.put(token)
        self.refusals.forget(settings)


def _in_force(error: OAuthError, seconds: float) -> OAuthError:
    """Return the remembered error, with what is left of its waiting time."""
    current: Any = error.for_connection(error.conn_id or "")
    if seconds and isinstance(current, TokenEndpointError | TransportError):
        current.retry_after = seconds
    return current  # type: ignore[no-any-return]


shared = TokenManager()
"""The one manager of this process."""

os.register_at_fork(after_in_child=shared.reset_after_fork)
