"""Flows in a thread and in a coroutine: the same steps, results and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.flows import adrive, drive

Driver = Callable[[Generator[Any, Any, Any], Callable[[Any], Any]], Any]


def in_loop(flow: Generator[Any, Any, Any], carry_out: Callable[[Any], Any]) -> Any:
    async def step(effect: Any) -> Any:
        await asyncio.sleep(0)
        return carry_out(effect)

    return asyncio.run(adrive(flow, step))


@pytest.fixture(params=[drive, in_loop], ids=["thread", "coroutine"])
def driver(request: pytest.FixtureRequest) -> Driver:
    chosen: Driver = request.param
    return chosen


class Divisions:
    """A flow that wants numbers divided, and counts how it ended."""

    def __init__(self) -> None:
        self.closed = 0

    def flow(self, *divisors: int) -> Generator[int, Any, list[Any]]:
        results: list[Any] = []
        try:
            for divisor in divisors:
                try:
                    results.append((yield divisor))
                except OAuthError as error:
                    results.append(type(error))
        finally:
            self.closed += 1
        return results


def divide(divisor: int) -> float:
    if divisor < 0:
        raise ConfigurationError("is negative")
    return 12 / divisor


def test_a_flow_is_sent_the_result_of_each_step(driver: Driver) -> None:
    assert driver(Divisions().flow(2, 3), divide) == [6, 4]


def test_a_flow_without_steps_has_a_result(driver: Driver) -> None:
    assert driver(Divisions().flow(), divide) == []


def test_an_error_of_ours_is_raised_within_the_flow_which_may_go_on(driver: Driver) -> None:
    assert driver(Divisions().flow(-1, 2), divide) == [ConfigurationError, 6]


def test_what_the_flow_does_not_catch_leaves_it(driver: Driver) -> None:
    def flow() -> Generator[int, Any, None]:
        yield -1

    with pytest.raises(ConfigurationError, match="is negative"):
        driver(flow(), divide)


def test_any_other_exception_ends_the_flow_at_once(driver: Driver) -> None:
    divisions = Divisions()
    with pytest.raises(ZeroDivisionError):
        driver(divisions.flow(0, 2), divide)
    assert divisions.closed == 1


def test_a_cancelled_coroutine_closes_its_flow() -> None:
    divisions, begun = Divisions(), asyncio.Event()

    async def never(_: int) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.create_task(adrive(divisions.flow(1), never))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert divisions.closed == 1
