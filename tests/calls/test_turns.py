"""Whose turn it is among the calls of a session: two are under way here, where there are a hundred."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.calls import async_session, current_request
from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.arguments import Timeouts
from airflow_oauth_provider.calls.async_request import client_timeout
from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
from airflow_oauth_provider.calls.options import LONGEST
from airflow_oauth_provider.calls.turns import Turns, _let_go, after_waiting
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.deployment.policy import forget_policy
from airflow_oauth_provider.exceptions import (
    ConfigurationError,
    InvalidClientError,
    OAuthError,
    ResourceError,
    TransportError,
)
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens import cool_downs
from airflow_oauth_provider.transport import connectors
from airflow_oauth_provider.transport.network_options import NetworkOptions
from airflow_oauth_provider.transport.tls import tls_context
from tests.support.servers.scripted import Held, Json, ScriptedServer
from tests.support.service import Service, echo
from tests.support.waiting import auntil

MOST = 2
Main = Callable[[OAuth2AsyncSession], Awaitable[Any]]


@pytest.fixture(autouse=True)
def few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (async_session, connectors):
        monkeypatch.setattr(module, "CONNECTIONS_PER_HOST", MOST)


def run(service: Service, main: Main, *, deferred: bool = False, **extra: Any) -> Any:
    async def within() -> Any:
        client = OAuth2Client("my_api", service.connection(**extra))
        network = NetworkOptions(tls_context(service.settings().network), service.settings().api.listed_hosts)
        async with OAuth2AsyncSession(BearerAuth(client), lambda: network, deferred=deferred) as session:
            return await main(session)

    return asyncio.run(within())


def fetch(session: OAuth2AsyncSession, endpoint: str, **arguments: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(session.fetch("GET", endpoint, arguments))


@asynccontextmanager
async def held(service: Service, session: OAuth2AsyncSession) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Make as many calls as there are turns; their responses come when the block ends."""
    released = threading.Event()
    service.api = lambda request: Held(released, echo(request)) if "held" in request.target else echo(request)
    tasks = [fetch(session, "held") for _ in range(MOST)]
    await auntil(lambda: len(service.calls) == MOST, "all turns are taken")
    try:
        yield tasks
    finally:
        released.set()
        await asyncio.gather(*tasks)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.fault("F81")
def test_who_has_waited_carries_the_token_of_the_moment(service: Service) -> None:
    service.dead = {"tok-1"}

    async def main(session: OAuth2AsyncSession) -> list[Any]:
        return await asyncio.gather(*(fetch(session, f"{number}") for number in range(10)))

    responses = run(service, main)
    assert {response.json()["authorization"] for response in responses} == {"Bearer tok-2"}
    carried = [request.header("Authorization") for request in service.calls]
    assert carried.count("Bearer tok-1") == MOST  # a queue at the connector carries it ten times
    assert len(service.token_requests) == 2


@pytest.mark.fault("F80")
def test_one_failed_token_request_is_the_end_of_all_who_wait(service: Service) -> None:
    service.token = lambda _: Json({"error": "invalid_client"}, 401)

    async def main(session: OAuth2AsyncSession) -> list[Any]:
        calls = [fetch(session, f"{number}") for number in range(10)]
        return await asyncio.gather(*calls, return_exceptions=True)

    errors = run(service, main)
    assert {type(error) for error in errors} == {InvalidClientError}
    assert len({id(error) for error in errors}) == len(errors), "each has a copy of its own"
    assert len(service.token_requests) == 1


def test_a_foreign_error_of_the_token_is_told_to_all(service: Service) -> None:
    asked: list[None] = []

    async def main(session: OAuth2AsyncSession) -> list[Any]:
        async def afirst_token(_: Any) -> Any:
            asked.append(None)
            await asyncio.sleep(0)
            raise KeyError("foreign")

        session.auth.client.afirst_token = afirst_token  # type: ignore[method-assign, assignment]
        calls = [fetch(session, f"{number}") for number in range(5)]
        return await asyncio.gather(*calls, return_exceptions=True)

    assert [type(error) for error in run(service, main)] == [KeyError] * 5
    assert len(asked) == MOST, "who waits for a turn asks for nothing"


def test_first_come_first_served() -> None:
    async def main() -> list[int]:
        turns, served = Turns(1), []
        assert turns.take()

        async def call(number: int) -> None:
            await turns.wait()
            served.append(number)
            turns.give_back()

        calls = [asyncio.create_task(call(number)) for number in range(6)]
        await settled()
        assert served == []
        turns.give_back()
        await asyncio.gather(*calls)
        return served

    assert asyncio.run(main()) == list(range(6))


def test_there_are_no_more_connections_than_turns(service: Service) -> None:
    async def main(session: OAuth2AsyncSession) -> None:
        async with held(service, session):
            later = [fetch(session, f"later-{number}") for number in range(6)]
            await settled()
            assert len(service.calls) == MOST
        await asyncio.gather(*later)

    run(service, main)
    assert len({request.connection for request in service.calls}) == MOST
    assert len(service.calls) == MOST + 6


def test_a_turn_is_passed_on_whatever_its_call_ends_with(service: Service) -> None:
    def api(request: Any) -> Any:
        return Json({}, 500) if "500" in request.target else echo(request)

    service.api = api

    async def main(session: OAuth2AsyncSession) -> None:
        for _ in range(2 * MOST):
            with pytest.raises(OAuthError):
                await session.fetch("GET", "x", {"unknown": 1})
            assert (await session.fetch("GET", "500", {})).status_code == 500
            call = fetch(session, "x")
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
        async with session.get("x") as response:  # its caller reads; the turn ends before
            assert response.status == 200
        assert session.turns._free == MOST

    run(service, main)


def test_who_is_cancelled_while_waiting_leaves_the_turn_to_the_next(service: Service) -> None:
    async def main(session: OAuth2AsyncSession) -> None:
        async with held(service, session):
            gone, stays = fetch(session, "gone"), fetch(session, "stays")
            await settled()
            gone.cancel()
            await asyncio.wait([gone])
        assert (await stays).status_code == 200
        assert session.turns._free == MOST

    run(service, main)
    assert not [request for request in service.calls if "gone" in request.target]


def test_cancelled_at_the_moment_of_the_turn_it_is_the_next_ones() -> None:
    async def main() -> None:
        turns = Turns(1)
        assert turns.take()
        first, second = (asyncio.create_task(turns.wait()) for _ in range(2))
        await settled()
        turns.give_back()
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        assert await second
        turns.give_back()
        assert turns.take()
        assert not turns.take()

    asyncio.run(main())


def test_cancelled_at_the_moment_of_the_error_it_hears_nothing() -> None:
    async def main() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        turns = Turns(1)
        assert turns.take()
        waiting = asyncio.create_task(turns.wait())
        await settled()
        turns.fail(ValueError("no token"))
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        del waiting
        turns.give_back()
        assert turns.take()
        return told

    assert asyncio.run(main()) == []


def left_waiting(turns: Turns) -> tuple[asyncio.AbstractEventLoop, Coroutine[Any, Any, bool]]:
    """Return a loop that has stopped, and a coroutine of it that waits for a turn."""
    loop, left = asyncio.new_event_loop(), turns.wait()
    loop.call_soon(left.send, None)
    loop.run_until_complete(asyncio.sleep(0))
    return loop, left


@pytest.mark.parametrize("ends", [Turns.give_back, lambda turns: turns.fail(ValueError("no token"))])
def test_what_a_closed_loop_has_left_gets_nothing(ends: Callable[[Turns], None]) -> None:
    turns = Turns(1)
    assert turns.take()
    loop, left = left_waiting(turns)
    loop.close()
    ends(turns)
    turns.give_back()
    assert turns.take()
    left.close()


@pytest.mark.parametrize("ends", [Turns.give_back, lambda turns: turns.fail(ValueError("no token"))])
def test_nor_is_a_task_of_its_woken(ends: Callable[[Turns], None]) -> None:
    turns, loop = Turns(1), asyncio.new_event_loop()
    assert turns.take()
    task: Any = loop.create_task(turns.wait())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    ends(turns)
    turns.give_back()
    assert turns.take()
    task._log_destroy_pending = False
    task.get_coro().close()


@pytest.mark.parametrize("ends", [Turns.give_back, lambda turns: turns.fail(ValueError("no token"))])
def test_who_has_just_been_cancelled_is_passed_by(ends: Callable[[Turns], None]) -> None:
    async def main() -> None:
        turns = Turns(1)
        assert turns.take()
        gone, stays = (asyncio.create_task(turns.wait()) for _ in range(2))
        await settled()
        gone.cancel()
        ends(turns)  # before the loop goes on
        results = await asyncio.gather(gone, stays, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[1] is True or str(results[1]) == "no token"

    asyncio.run(main())


def test_cancelled_at_the_moment_when_time_is_up_it_gives_no_turn_back() -> None:
    async def main() -> None:
        turns = Turns(1)
        assert turns.take()
        waiting = asyncio.create_task(turns.wait(600.0))
        await settled()
        _let_go(next(iter(turns._waiting)))
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert not turns.take()

    asyncio.run(main())


def test_no_timer_is_left() -> None:
    async def main() -> list[bool]:
        loop, timers = asyncio.get_running_loop(), []
        given = loop.call_later

        def call_later(*arguments: Any, **options: Any) -> asyncio.TimerHandle:
            timers.append(given(*arguments, **options))
            return timers[-1]

        loop.call_later = call_later  # type: ignore[method-assign, assignment]
        turns = Turns(1)
        assert turns.take()
        waiting = asyncio.create_task(turns.wait(600))
        await settled()
        turns.give_back()
        assert await waiting
        return [timer.cancelled() for timer in timers]

    assert asyncio.run(main()) == [True]


def test_a_limit_for_all_of_it_holds_for_the_wait_too(service: Service) -> None:
    async def main(session: OAuth2AsyncSession) -> None:
        async with held(service, session):
            with pytest.raises(TransportError, match="timed out"):
                await session.fetch("GET", "late", {"total_timeout": 1.2})
            with pytest.raises(TransportError, match="timed out"):  # too short to wait here at all
                await session.fetch("GET", "late", {"total_timeout": 0.1})
            with pytest.raises(ConfigurationError) as caught:
                await session.fetch("GET", "late", {"total_timeout": "long"})
            assert (caught.value.field, caught.value.conn_id) == ("total_timeout", "my_api")
        assert (await session.fetch("GET", "x", {"total_timeout": 5})).status_code == 200
        assert session.turns._free == MOST

    run(service, main)
    assert not [request for request in service.calls if "late" in request.target]


def test_the_seconds_of_the_wait_are_taken_off_the_limit(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[Timeouts] = []

    def noted(most: Timeouts, *, body: bool) -> Any:
        limits.append(most)
        return client_timeout(most, body=body)

    monkeypatch.setattr(current_request, "client_timeout", noted)

    async def main(session: OAuth2AsyncSession) -> None:
        async with held(service, session):
            limits.clear()
            later = fetch(session, "later", total_timeout=50)
            await asyncio.sleep(0.05)
        await later

    run(service, main)
    (most,) = limits
    assert most.total is not None
    assert 1.0 <= most.total <= 49.96


@pytest.mark.fault("F06")
def test_who_waits_for_a_cool_down_holds_up_nobody(service: Service) -> None:
    numbers = itertools.count()
    service.api = lambda request: (
        Json({}, 429, [("Retry-After", "1000")]) if next(numbers) == 0 else echo(request)
    )

    async def main(session: OAuth2AsyncSession) -> None:
        assert (await session.fetch("GET", "first", {})).status_code == 429
        patient = [fetch(session, "patient") for _ in range(3 * MOST)]
        await settled()
        with pytest.raises(ResourceError) as caught:
            await session.fetch("GET", "x", {"cool_down": "fail"})
        assert not caught.value.sent
        assert (await session.fetch("GET", "x", {"cool_down": "ignore"})).status_code == 200
        for task in patient:
            assert not task.done()
            task.cancel()
        await asyncio.wait(patient)
        assert session.turns._free == MOST

    run(service, main, deferred=True)
    assert not [request for request in service.calls if "patient" in request.target]


def test_a_call_to_another_host_waits_for_none_of_this(service: Service) -> None:
    with ScriptedServer() as other:
        other.script(echo)

        async def main(session: OAuth2AsyncSession) -> None:
            async with held(service, session):
                response = await session.fetch("GET", f"{other.url}/x", {})
                assert response.json()["authorization"] == "Bearer tok-1"

        run(service, main, allowed_origins=[other.url])


@pytest.fixture
def many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the server's own count tells of turns, and not of the connector."""
    monkeypatch.setattr(connectors, "CONNECTIONS_PER_HOST", 100)


@pytest.mark.usefixtures("many_connections")
def test_a_look_at_the_store_costs_nobody_the_turn(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A store of several processes is looked at once a second, by calls of which no API wants anything."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__OAUTH2__TOKEN_STORE", "file")
    forget_policy()

    async def main(session: OAuth2AsyncSession) -> None:
        async with held(service, session):
            assert not session.auth.cool_downs.board._alone
            session.auth.cool_downs.board.clear()  # as it is when the next look is due
            later = [fetch(session, "held") for _ in range(6)]
            await auntil(lambda: len(session.turns._waiting) == 6, "all wait")
            session.turns.give_back()  # one who has a turn looks, and nobody goes with it
            await auntil(lambda: len(service.calls) == MOST + 1, "one goes on")
            assert len(session.turns._waiting) == 5
            session.turns._free -= 1
        await asyncio.gather(*later)
        assert session.turns._free == MOST

    run(service, main)


@pytest.mark.fault("F06")
@pytest.mark.usefixtures("many_connections")
def test_after_a_cool_down_it_is_one_after_the_other(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cool_downs, "FIRST", 0.05)
    monkeypatch.setattr(cool_downs, "GLANCE", 0.01)
    released = threading.Event()
    service.api = lambda request: Held(released, echo(request))

    async def main(session: OAuth2AsyncSession) -> None:
        await session.auth.client.aget_token()
        session.auth.cool_downs.heard(parse_url(service.base_url).origin, 429, 0.05)
        patient = [fetch(session, f"{number}", total_timeout=30) for number in range(6)]
        await auntil(lambda: len(session.turns._waiting) == 4, "the others wait for their turn")
        assert len(service.calls) <= MOST
        released.set()
        await asyncio.gather(*patient)
        assert session.turns._free == MOST

    run(service, main)


def test_a_coroutine_that_is_thrown_away_takes_no_turn_with_it() -> None:
    turns = Turns(1)
    assert turns.take()
    loop, left = left_waiting(turns)
    turns.give_back()  # to one that never goes on
    loop.close()
    left.close()
    assert turns.take()


def test_who_is_cancelled_keeps_no_place_in_the_queue() -> None:
    async def main() -> None:
        turns = Turns(1)
        assert turns.take()
        waiting = [asyncio.create_task(turns.wait(seconds)) for seconds in (None, 600.0, 0.0) for _ in "ab"]
        await auntil(lambda: all(task.done() for task in waiting[4:]), "two have waited long enough")
        for task in waiting[:4]:
            task.cancel()
        await asyncio.wait(waiting)
        assert len(turns._waiting) == 0

    asyncio.run(main())


@pytest.mark.parametrize("endpoint", ["orders:batchGet", "orders?at=12:30", "{base_url}/next?page=2"])
@pytest.mark.usefixtures("many_connections")
def test_a_colon_is_no_other_host(service: Service, endpoint: str) -> None:
    async def main(session: OAuth2AsyncSession) -> None:
        async with held(service, session):
            later = fetch(session, endpoint.format(base_url=service.base_url))
            await auntil(lambda: len(session.turns._waiting) == 1, "it waits")
        assert (await later).status_code == 200

    run(service, main)


def test_no_wait_makes_a_limit_longer() -> None:
    assert after_waiting(Timeouts(60, 60, 0.3), 0.2).total == 0.3
    assert after_waiting(Timeouts(60, 60, 1.04), 0.0).total == 1.0
    assert after_waiting(Timeouts(60, 60, 5.0), 9.0).total == 1.0


def test_the_longest_limit_is_waited_with(service: Service) -> None:
    async def main(session: OAuth2AsyncSession) -> None:
        async with held(service, session):
            later = fetch(session, "late", total_timeout=LONGEST)
            await auntil(lambda: len(session.turns._waiting) == 1, "it waits")
        assert (await later).status_code == 200
        assert session.turns._free == MOST

    run(service, main)
