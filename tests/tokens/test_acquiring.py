from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError, TransportError
from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.flows import drive
from airflow_oauth_provider.protocol.moments import Budget, Moment
from airflow_oauth_provider.tokens.acquiring import Acquiring, WaitFor, Work, carry_out, joined
from airflow_oauth_provider.tokens.search_cost import SearchCost, Source
from airflow_oauth_provider.transport.stopping import Stop, TaskStoppedError

HELD = AccessToken("held", "Bearer", 2e9, 1e9)
BROUGHT = AccessToken("brought", "Bearer", 2e9, 1e9)


def budget(seconds: float = 60.0) -> Budget:
    return Budget.of(Moment(time.time(), time.monotonic()), seconds)


class Ended:
    """A flight that has ended: with a token, an error, or neither."""

    def __init__(self, result: AccessToken | OAuthError | None, given: Budget, requests: int = 1) -> None:
        self._result, self.budget, self.requests = result, given, requests

    asked = True

    def wait(self, until: float, stop: Stop) -> AccessToken | None:
        if isinstance(self._result, OAuthError):
            raise self._result
        return self._result


def acquiring(
    *begun: tuple[AccessToken | None, Any],
    given: Budget,
    serves: bool = True,
    stop: Stop | None = None,
    cost: SearchCost | None = None,
) -> Acquiring:
    beginnings = iter(begun)
    return joined(
        lambda: next(beginnings),
        lambda *_: serves,
        given,
        early_wait=2.0,
        stop=stop or Stop(),
        cost=cost or SearchCost(),
    )


def test_a_token_that_is_there_is_taken_without_waiting() -> None:
    assert drive(acquiring((HELD, None), given=budget()), carry_out) is HELD


def test_what_a_flight_brings() -> None:
    given, cost = budget(), SearchCost()
    assert drive(acquiring((None, Ended(BROUGHT, given)), given=given, cost=cost), carry_out) is BROUGHT
    assert (cost.source, cost.requests) == (Source.REQUEST, 1)
    anothers = SearchCost()
    drive(acquiring((None, Ended(BROUGHT, budget())), given=given, cost=anothers), carry_out)
    assert (anothers.source, anothers.requests) == (Source.FLIGHT, 0)


@pytest.mark.parametrize(
    ("brings", "token", "kept"),
    [(BROUGHT, BROUGHT, False), (None, HELD, True), (TransportError("x"), HELD, True)],
)
def test_a_renewal_before_its_time_never_costs_the_token_held(
    brings: AccessToken | OAuthError | None, token: AccessToken, kept: bool
) -> None:
    given, cost = budget(), SearchCost()
    assert drive(acquiring((HELD, Ended(brings, given)), given=given, cost=cost), carry_out) is token
    assert cost.kept is kept


def test_an_error_of_ones_own_flight_is_raised() -> None:
    given = budget()
    with pytest.raises(ConfigurationError):
        drive(acquiring((None, Ended(ConfigurationError("x"), given)), given=given), carry_out)


@pytest.mark.parametrize("error", [TaskStoppedError("x"), TransportError("x")])
def test_who_has_more_time_begins_another_flight(error: OAuthError) -> None:
    given = budget()
    first = Ended(error, budget(5))
    assert drive(acquiring((None, first), (None, Ended(BROUGHT, given)), given=given), carry_out) is BROUGHT


def test_who_is_stopped_begins_none() -> None:
    given, stop = budget(), Stop()
    stop.stop()
    with pytest.raises(TransportError):
        drive(acquiring((None, Ended(TransportError("x"), budget(5))), given=given, stop=stop), carry_out)


@pytest.mark.fault("F05")
def test_tokens_that_do_not_serve_end_with_the_budget() -> None:
    over = budget(-1)
    with pytest.raises(TransportError, match="of no use any more"):
        drive(acquiring((None, Ended(BROUGHT, over)), given=over, serves=False), carry_out)


@pytest.mark.fault("F12")
def test_flights_that_fail_end_with_the_budget_too() -> None:
    """One that is dead, and stays in its place, is no reason to begin again for ever."""
    over = budget(-1)
    dead = Ended(TransportError("x"), budget(-5))
    with pytest.raises(TransportError, match="of no use any more"):
        drive(acquiring((None, dead), given=over), carry_out)


def test_the_driver_carries_out_work_and_throws_errors_into_the_flow() -> None:
    def flow() -> Generator[WaitFor | Work, Any, str]:
        one = yield Work(lambda: 1)
        try:
            yield Work(lambda: (_ for _ in ()).throw(ConfigurationError("x")))
        except ConfigurationError:
            return f"{one}, then an error"
        return "no error"

    assert drive(flow(), carry_out) == "1, then an error"
    with pytest.raises(ZeroDivisionError):
        drive(iter_work(lambda: 1 // 0), carry_out)


def iter_work(function: Any) -> Generator[WaitFor | Work, Any, None]:
    yield Work(function)
