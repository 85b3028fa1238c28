"""Who gets which token: from memory, from a flight under way, or from a new one.

Rules:

* A key has one slot, and a slot at most one flight. Only the thread that begins a flight and the flight
  itself change ``slot.flight``, and both hold ``slot.lock``; no thread waits for anything while holding it.
* ``acquire`` returns a token that may be used now, or raises within the caller's own budget (``max_wait``).
  A caller that joins a flight waits as long as one that begins it.
* ``force`` means a token that was asked for after the call began; remembered refusals hold all the same.
* A refused token is taken out of memory before it is taken out of the store: in the other order another
  thread could bring it back in between.
* After a fork the child keeps the tokens, and none of the parent's locks and flights.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from airflow_oauth_provider.protocol.access_token import AccessToken, TokenState
from airflow_oauth_provider.protocol.flows import drive
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.token.key import token_key
from airflow_oauth_provider.protocol.urls import Origin
from airflow_oauth_provider.tokens import cool_downs, endpoint_refusals, own_records
from airflow_oauth_provider.tokens.acquiring import Acquiring, WaitFor, Work, carry_out, joined
from airflow_oauth_provider.tokens.cached_token import Slot
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.entries import Entries
from airflow_oauth_provider.tokens.proof_hints import hints
from airflow_oauth_provider.tokens.sealed_entries import refusals
from airflow_oauth_provider.tokens.search_cost import SearchCost, Source
from airflow_oauth_provider.tokens.shared_acquisition import EARLY_PAUSE, Purpose
from airflow_oauth_provider.tokens.sharing import ALONE, Sharing
from airflow_oauth_provider.tokens.single_flight import DirectFlight, Flight
from airflow_oauth_provider.tokens.slots import Slots
from airflow_oauth_provider.tokens.stores.choice import memory
from airflow_oauth_provider.transport.stopping import NEVER, Stop

EARLY_WAIT = 2.0
"""Seconds the one caller that renews a token before its time waits for it.

A task may end at any moment, and the renewal with it: so it waits a little, and not for ever.
"""


class TokenManager:
    """The tokens of this process; one request per key, however many threads ask.

    ``slots`` are their places.
    """

    def __init__(self) -> None:
        self.slots = Slots()

    def acquire(
        self,
        settings: ClientSettings,
        sharing: Sharing = ALONE,
        *,
        force: bool = False,
        stop: Stop = NEVER,
        cost: SearchCost | None = None,
    ) -> AccessToken:
        """Return a token that may be used now.

        :param force: a new token, whatever is held; remembered refusals hold all the same.
        :param cost: takes what it cost.
        :raises OAuthError: when none can be acquired within ``max_wait`` seconds.
        """
        return drive(self.acquiring(settings, sharing, force=force, stop=stop, cost=cost), carry_out)

    def acquiring(
        self,
        settings: ClientSettings,
        sharing: Sharing,
        *,
        force: bool = False,
        look_up: bool = True,
        stop: Stop = NEVER,
        cost: SearchCost | None = None,
        before_asking: Callable[[], object] | None = None,
    ) -> Acquiring:
        """Return the flow of :meth:`acquire`, for a driver.

        :param look_up: look into the store in the caller's own thread first, which may block it a little.
        :param before_asking: as of :class:`Flight`.
        """
        slot = self.slots.of(settings)
        cost = cost or SearchCost()
        budget = Budget.of(this_moment(), settings.retry.max_wait)
        if look_up and not force and slot.current() is None and slot.flight is None:
            self._look_up(slot, settings, sharing, cost)

        new_flight = partial(Flight, settings, sharing, budget, before_asking=before_asking)

        def serves(token: AccessToken, flight: Flight) -> bool:
            usable = slot.accepts(token, granted=flight.asked_at is not None)
            return usable and (not force or _came_after(flight, token, budget))

        return joined(
            partial(self._token_or_flight, slot, new_flight, force=force),
            serves,
            budget,
            early_wait=EARLY_WAIT,
            stop=stop,
            cost=cost,
        )

    def renewing(
        self,
        settings: ClientSettings,
        sharing: Sharing,
        refused: AccessToken,
        origin: Origin | None,
        *,
        stop: Stop = NEVER,
        cost: SearchCost | None = None,
        before_asking: Callable[[], object] | None = None,
    ) -> Generator[WaitFor | Work, Any, AccessToken | None]:
        """Take *refused* out of use, and acquire another token.

        :param origin: of the API that refused it; ``None`` for an API that is not known.
        :param before_asking: as of :class:`Flight`.
        :return: ``None`` when this API refuses tokens that were only just granted: another would not help.
        """
        slot = self.slots.of(settings)
        if not slot.has_refused(refused) and (
            yield Work(partial(self._is_hopeless, slot, settings, sharing, refused, origin))
        ):
            return None
        cost = cost or SearchCost()
        token = yield from self.acquiring(
            settings, sharing, look_up=False, stop=stop, cost=cost, before_asking=before_asking
        )
        cost.renewed = cost.requests > 0
        return token

    def refused_again(
        self, settings: ClientSettings, sharing: Sharing, token: AccessToken, origin: Origin
    ) -> None:
        """Remember for a minute that an API refuses a token that was only just granted."""
        Entries(settings, sharing).remember_bad_token(token, origin)

    def authorize(
        self, settings: ClientSettings, sharing: Sharing = ALONE, *, cost: SearchCost | None = None
    ) -> AccessToken:
        """Ask for a new token now, whatever is remembered; only a success is kept.

        For a person who has just changed something and wants to see whether it works.

        :raises OAuthError: when the server does not grant one.
        """
        budget = Budget.of(this_moment(), settings.retry.max_wait)
        slot = self.slots.of(settings)

        def share(flight: Flight) -> None:
            if flight.token is not None:
                with slot.lock:
                    slot.put(flight.token, granted=True)
                Entries(settings, sharing).granted(flight.token)

        flight = DirectFlight(settings, sharing, budget, share)
        flight.start()
        try:
            token = flight.wait(budget.until)
        finally:
            (cost or SearchCost()).searched(flight.requests, own=True, asked=True)
        if token is None:
            raise AssertionError("a direct flight ends with a token or an error")
        return token

    def refuse(self, settings: ClientSettings, sharing: Sharing, refused: AccessToken) -> None:
        """Take a token out of use that an API did not accept; a newer one stays."""
        slot = self.slots.of(settings)
        with slot.lock:
            slot.refuse(refused)  # first, so that nobody of this process takes it from the store again
        Entries(settings, sharing).drop_token(refused)

    def withdraw(self, settings: ClientSettings, sharing: Sharing, token: AccessToken) -> None:
        """Take a token out of use that is about to be revoked; a newer one stays."""
        self.refuse(settings, sharing, token)
        if token.issued_at > 0:  # else it is not one of ours
            Entries(settings, sharing).revoked(token)

    def kept(self, settings: ClientSettings, sharing: Sharing) -> tuple[AccessToken, ...]:
        """Return the tokens that memory and store keep and that have not ended; asks for none."""
        held = self.slots.of(settings).held[0]
        alive = held if held is not None and held.state(time.time()) is not TokenState.EXPIRED else None
        shared_token = Entries(settings, sharing).token()
        return tuple({token.value: token for token in (alive, shared_token) if token is not None}.values())

    def forget(self, settings: ClientSettings, sharing: Sharing) -> None:
        """Forget the token and what is known of it, here and in the store."""
        self.slots.drop(token_key(settings))
        Entries(settings, sharing).forget()

    def reset_after_fork(self) -> None:
        """Leave behind what belongs to the parent's threads; tokens stay good."""
        self.slots.reset_after_fork()

    def clear(self) -> None:
        """Forget all that this process knows."""
        self.slots.clear()
        memory.clear()
        refusals.clear()
        endpoint_refusals.clear()
        cool_downs.clear()
        hints.clear()
        own_records.clear()

    def _token_or_flight(
        self, slot: Slot, new_flight: Callable[..., Flight], *, force: bool
    ) -> tuple[AccessToken | None, Flight | None]:
        """Return a token, or a flight to wait for, or both where the token is worth renewing."""
        with slot.lock:
            token = None if force else slot.current()
            if token is not None and (slot.flight is not None or slot.fresh() is not None):
                return token, None
            if slot.flight is not None:
                return None, slot.flight
            slot.flight = flight = new_flight(
                partial(self._land, slot),
                accepts=slot.accepts,
                purpose=Purpose.EARLY if token else Purpose.FORCED if force else Purpose.NEEDED,
                held=token,
            )
            try:
                if token is not None:
                    slot.pause(EARLY_PAUSE)
                flight.start()
            except BaseException:
                slot.flight = None
                raise
            return token, flight

    def _land(self, slot: Slot, flight: Flight) -> None:
        with slot.lock:
            if slot.flight is flight:  # else its start was interrupted, and another has begun since
                slot.flight = None
            if flight.token is not None:
                slot.put(flight.token, granted=flight.asked_at is not None)

    def _look_up(self, slot: Slot, settings: ClientSettings, sharing: Sharing, cost: SearchCost) -> None:
        """Take a token over that lies in the store: the usual case of a task, worth no thread."""
        token = Entries(settings, sharing).token()
        if token is None:
            return
        with slot.lock:
            slot.put(token)
            if slot.current() is token:
                cost.source = Source.STORE

    def _is_hopeless(
        self,
        slot: Slot,
        settings: ClientSettings,
        sharing: Sharing,
        refused: AccessToken,
        origin: Origin | None,
    ) -> bool:
        """Take *refused* out of use, unless the API refuses every token."""
        if (
            origin is not None
            and not slot.was_accepted_by(origin, refused)
            and Entries(settings, sharing).is_bad_token(refused, origin)
        ):
            return True
        self.refuse(settings, sharing, refused)
        return False


def _came_after(flight: Flight, token: AccessToken, budget: Budget) -> bool:
    """Whether a token was asked for after a caller wanted a new one.

    Counted on the clock that never jumps, for what this process has asked for itself.
    """
    if flight.asked_at is not None:
        return flight.asked_at >= budget.started.monotonic
    return flight.purpose is Purpose.FORCED and token.issued_at >= budget.started.wall


shared = TokenManager()
"""The one manager of this process."""

os.register_at_fork(after_in_child=shared.reset_after_fork)
