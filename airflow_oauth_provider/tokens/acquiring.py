"""How a caller gets a token: the one flow that threads and coroutines drive.

It yields what may take a while (:class:`WaitFor`, :class:`Work`), and is sent the outcome. So nothing
that decides is written twice, and a coroutine needs no thread of its own to wait in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from airflow_oauth_provider.exceptions import OAuthError, TransportError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.tokens.search_cost import SearchCost
from airflow_oauth_provider.tokens.single_flight import Flight
from airflow_oauth_provider.transport.stopping import Stop, TaskStoppedError


@dataclass(frozen=True)
class WaitFor:
    """Wait for a flight; the outcome is its token.

    :param until: monotonic seconds at which to give up.
    """

    flight: Flight
    until: float
    stop: Stop


@dataclass(frozen=True)
class Work:
    """Carry out what may block; the outcome is its result."""

    function: Callable[[], Any]


Acquiring = Generator[WaitFor | Work, Any, AccessToken]


def carry_out(effect: WaitFor | Work) -> Any:
    """Do in this thread what a flow of this module asks for."""
    return effect.function() if isinstance(effect, Work) else effect.flight.wait(effect.until, effect.stop)


def joined(
    begin: Callable[[], tuple[AccessToken | None, Flight | None]],
    serves: Callable[[AccessToken, Flight], bool],
    budget: Budget,
    *,
    early_wait: float,
    stop: Stop,
    cost: SearchCost,
) -> Acquiring:
    """Take the token that is there, or that a flight brings.

    :param begin: returns a token, or a flight to wait for, or both where the token is worth renewing.
    :param serves: whether what a flight brought is what this caller needs.
    :param early_wait: seconds to wait for a renewal while the token held is good.
    :raises OAuthError: when none can be acquired within the budget.
    """
    while True:
        token, flight = begin()
        if flight is None:
            if token is None:
                raise AssertionError("neither token nor flight")
            return token
        until = budget.until if token is None else time.monotonic() + early_wait
        try:
            brought = yield WaitFor(flight, until, stop)
        except OAuthError as error:
            if token is not None:
                stop.check()
                cost.kept = True
                return token
            if not _goes_on(error, flight, budget, stop):
                raise
            brought = None
        finally:
            own = flight.budget.started is budget.started
            cost.searched(flight.requests, own=own, asked=flight.asked)
        if token is not None:
            cost.kept = brought is None
            cost.renewed = brought is not None and cost.requests > 0
            return brought or token  # what is held is good, whether the renewal worked or not
        if brought is not None and serves(brought, flight):
            granted: AccessToken = brought
            return granted
        # The flight was another caller's, and what came of it is not what this one needs: begin again.
        if budget.left(time.monotonic()) <= 0:
            raise TransportError("no token in time (max_wait): what came was of no use any more")


def _goes_on(error: OAuthError, flight: Flight, budget: Budget, stop: Stop) -> bool:
    """Whether a caller whose flight has failed has a reason to begin another."""
    if stop.stopped:
        return False
    if isinstance(error, TaskStoppedError):
        return True  # another caller's task was killed, and its flight with it
    # Somebody else's flight may have had less time than this caller has.
    return error.retryable and flight.budget.until < budget.until - 1
