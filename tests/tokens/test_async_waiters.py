"""Who waits for the work of another coroutine, or for a thread: what reaches whom, and when the work ends."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import TransportError
from airflow_oauth_provider.protocol.moments import Budget
from airflow_oauth_provider.tokens import async_single_flight
from airflow_oauth_provider.tokens.acquiring import WaitFor, Work
from airflow_oauth_provider.tokens.async_single_flight import AsyncSingleFlight, acarry_out
from airflow_oauth_provider.tokens.clocks import this_moment
from airflow_oauth_provider.tokens.sharing import ALONE
from airflow_oauth_provider.tokens.single_flight import GRACE, Flight
from airflow_oauth_provider.transport.stopping import NEVER
from tests.support.servers.scripted import Held, token_json
from tests.support.service import Service


@pytest.fixture
def flights() -> AsyncSingleFlight[str]:
    return AsyncSingleFlight()


async def turns() -> None:
    """Let everything happen that is ready to."""
    for _ in range(9):
        await asyncio.sleep(0)


def test_who_comes_right_after_the_last_has_left_begins_anew(flights: AsyncSingleFlight[str]) -> None:
    """And later ones join that: the end of the first is none of theirs."""
    ended: list[str] = []

    async def main() -> list[str]:
        go_on = asyncio.Event()

        async def work(name: str) -> str:
            try:
                await go_on.wait()
            finally:
                ended.append(name)
            return name

        first = flights.do("it", work, "first")
        await turns()
        first.cancel()
        second = flights.do("it", work, "second")
        await turns()
        assert ended == ["first"], "nobody needs it"
        third = flights.do("it", work, "third")
        go_on.set()
        return [await second, await third]

    assert asyncio.run(main()) == ["second", "second"]


def test_one_that_is_cancelled_twice_counts_once(flights: AsyncSingleFlight[str]) -> None:
    async def main() -> str:
        async def work() -> str:
            await turns()
            return "done"

        first, second = (flights.do("it", work) for _ in range(2))
        assert [first.cancel("why"), first.cancel()] == [True, False]
        with pytest.raises(asyncio.CancelledError, match="why"):
            await first
        return await second

    assert asyncio.run(main()) == "done"


def test_work_that_is_cancelled_itself_is_so_for_all_who_wait(flights: AsyncSingleFlight[str]) -> None:
    async def main() -> None:
        async def work() -> str:
            raise asyncio.CancelledError

        for waiting in [flights.do("it", work) for _ in range(2)]:
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(waiting, 5)

    asyncio.run(main())


def test_two_loops_have_work_of_their_own(flights: AsyncSingleFlight[str]) -> None:
    """What one of them does is no future of the other."""
    both = threading.Barrier(2)

    async def work() -> str:
        await asyncio.to_thread(both.wait, 10)
        return "done"

    async def main() -> str:
        return await flights.do("it", work)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: asyncio.run(main()), range(2))) == ["done"] * 2


class TestInAThread:
    """What may block, for one coroutine."""

    def test_it_is_not_the_loops(self) -> None:
        assert asyncio.run(acarry_out(Work(threading.get_ident))) != threading.get_ident()

    @pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3)], ids=["error", "exit"])
    def test_whatever_it_raises_is_the_coroutines(self, error: BaseException) -> None:
        def fail() -> None:
            raise error

        with pytest.raises(type(error)):
            asyncio.run(asyncio.wait_for(async_single_flight.in_thread(fail), 5))

    def test_who_has_been_cancelled_is_told_nothing(self) -> None:
        problems: list[Any] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, problem: problems.append(problem))
            future: asyncio.Future[None] = loop.create_future()
            future.cancel()
            async_single_flight._deliver(loop, future, None, None)
            await turns()

        asyncio.run(main())
        assert problems == []


def test_who_waits_for_a_flight_gives_up_with_its_own_budget(service: Service) -> None:
    """A moment later: in that the flight may say what went wrong."""
    late = threading.Event()
    service.token = lambda _: Held(late, token_json("late"))
    flight = Flight(service.settings(), ALONE, Budget.of(this_moment(), 60), lambda _: None)
    flight.start()
    try:
        until = time.monotonic() + 0.01
        with pytest.raises(TransportError, match="max_wait"):
            asyncio.run(acarry_out(WaitFor(flight, until, NEVER)))
        assert time.monotonic() - until >= 0.9 * GRACE
        with pytest.raises(TransportError, match="max_wait"):
            asyncio.run(acarry_out(WaitFor(flight, until - 60, NEVER)))
    finally:
        late.set()
    assert flight.wait(time.monotonic() + 30) is not None
