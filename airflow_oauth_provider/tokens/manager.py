"""Who gets which token: from memory, from a flight under way, or from a new one."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict

from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.acquisition import Moment
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.tokens.cached_token import Slot
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.search_cost import Source, Trace
from airflow_oauth_provider.tokens.shared_acquisition import EARLY_PAUSE, Purpose
from airflow_oauth_provider.tokens.sharing import ALONE, Sharing
from airflow_oauth_provider.tokens.single_flight import Flight
from airflow_oauth_provider.tokens.stores.choice import memory
from airflow_oauth_provider.transport.stopping import NEVER, Stop

MAX_SLOTS = 256
EARLY_WAIT = 2.0
"""Seconds the one caller that renews a token before its time waits for it.

A task may end at any moment, and the renewal with it: so it waits a little, and not for ever.
"""


class TokenManager:
    """The tokens of this process; one request per key, however many threads ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, Slot] = OrderedDict()

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

    def acquire(
        self,
        settings: ClientSettings,
        sharing: Sharing = ALONE,
        *,
        force: bool = False,
        stop: Stop = NEVER,
        trace: Trace | None = None,
    ) -> AccessToken:
        """Return a token that may be used now.

        :param force: a new token, whatever is held; remembered refusals hold all the same.
        :param trace: is told what it cost.
        :raises OAuthError: when there is none to be had within ``max_wait`` seconds.
        """
        started = this_moment()
        until = started.monotonic + settings.retry.max_wait
        trace = trace or Trace()
        slot = self.slot(settings)
        if not force and slot.current() is None and slot.flight is None:
            self._look_up(slot, settings, sharing, trace)
        while True:
            token, flight = self._token_or_flight(slot, settings, sharing, started, force=force)
            if flight is None and token is not None:
                return token
            if flight is None:
                raise AssertionError("neither token nor flight")
            try:
                if token is not None:
                    renewed = self._renewed_or(token, flight, stop)
                    trace.kept = renewed is token
                    return renewed
                found = flight.wait(until, stop)
            except OAuthError as error:
                # Somebody else's flight may have had less time than this caller has.
                if error.retryable and flight.until < until - 1 and not stop.stopped:
                    continue
                raise
            finally:
                trace.searched(flight.requests, own=flight.started is started)
            if found is not None and (not force or found.issued_at >= started.wall):
                return found

    def authorize(
        self, settings: ClientSettings, sharing: Sharing = ALONE, *, trace: Trace | None = None
    ) -> AccessToken:
        """Ask for a new token now, whatever is remembered; only a success is kept.

        For a person who has just changed something and wants to see whether it works.

        :raises OAuthError: when the server does not grant one.
        """
        started = this_moment()
        slot = self.slot(settings)

        def share(flight: Flight) -> None:
            if flight.token is not None:
                slot.put(flight.token)
                Entries(settings, sharing).granted(flight.token)

        flight = _Direct(settings, sharing, started, share)
        flight.start()
        try:
            token = flight.wait(started.monotonic + settings.retry.max_wait)
        finally:
            (trace or Trace()).searched(flight.requests, own=True)
        if token is None:
            raise AssertionError("a direct flight ends with a token or an error")
        return token

    def refuse(self, settings: ClientSettings, sharing: Sharing, refused: AccessToken) -> None:
        """Take a token out of use that an API did not accept; a newer one stays."""
        self.slot(settings).drop(refused)
        Entries(settings, sharing).drop_token(refused)

    def forget(self, settings: ClientSettings, sharing: Sharing) -> None:
        """Forget the token and what is known of it, here and in the store."""
        with self._lock:
            self._slots.pop(token_key(settings), None)
        Entries(settings, sharing).forget()

    def reset_after_fork(self) -> None:
        """Leave behind what belongs to the parent's threads; tokens stay good."""
        self._lock = threading.Lock()
        for slot in self._slots.values():
            slot.lock = threading.Lock()
            slot.flight = None

    def clear(self) -> None:
        """Forget all that this process knows."""
        with self._lock:
            self._slots.clear()
        memory.clear()

    def _token_or_flight(
        self, slot: Slot, settings: ClientSettings, sharing: Sharing, started: Moment, *, force: bool
    ) -> tuple[AccessToken | None, Flight | None]:
        """Return a token, or a flight to wait for, or both where the token is worth renewing."""
        with slot.lock:
            token = None if force else slot.current()
            if token is not None and (slot.flight is not None or slot.fresh() is not None):
                return token, None
            flight = slot.flight
            if flight is not None:
                return None, flight
            purpose = Purpose.EARLY if token else Purpose.FORCED if force else Purpose.NEEDED
            flight = Flight(
                settings,
                sharing,
                started,
                lambda ended: self._land(slot, ended),
                purpose=purpose,
                held=token,
            )
            slot.flight = flight
            if token is not None:
                slot.pause(EARLY_PAUSE)
            try:
                flight.start()
            except BaseException:
                slot.flight = None
                raise
            return token, flight

    def _land(self, slot: Slot, flight: Flight) -> None:
        with slot.lock:
            if flight.token is not None:
                slot.put(flight.token)
            slot.flight = None

    def _look_up(self, slot: Slot, settings: ClientSettings, sharing: Sharing, trace: Trace) -> None:
        """Take a token over that lies in the store: the usual case of a task, worth no thread."""
        token = Entries(settings, sharing).token()
        if token is not None:
            trace.source = Source.STORE
            with slot.lock:
                slot.put(token)

    def _renewed_or(self, token: AccessToken, flight: Flight, stop: Stop) -> AccessToken:
        """Return the token that *flight* brings soon, else the one held, which is good for a while yet."""
        try:
            return flight.wait(time.monotonic() + EARLY_WAIT, stop) or token
        except OAuthError:
            stop.check()
            return token


class _Direct(Flight):
    """Asks the token endpoint at once: no store, no lease, nothing remembered."""

    def _found(self) -> AccessToken:
        return self.fetch()


shared = TokenManager()
"""The one manager of this process."""

os.register_at_fork(after_in_child=shared.reset_after_fork)
