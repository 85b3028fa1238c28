"""Coroutines and event loops: one request, and a loop that is never blocked."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_oauth_provider.client import masking
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import InvalidClientError, TransportError
from airflow_oauth_provider.hooks.oauth2 import OAuth2Hook
from airflow_oauth_provider.tokens import async_single_flight, background, single_flight
from airflow_oauth_provider.tokens.async_single_flight import AsyncSingleFlight
from airflow_oauth_provider.tokens.cached_token import Slot
from airflow_oauth_provider.tokens.worker_threads import run_in_thread
from tests.support.servers.scripted import Delay, Held, Json, token_json
from tests.support.service import Service
from tests.support.waiting import auntil, until


def client(service: Service, **changes: Any) -> OAuth2Client:
    return OAuth2Client("my_api", service.connection(**changes))


@pytest.mark.fault("P03")
def test_a_cold_start_of_500_makes_one_request(service: Service) -> None:
    turned = threading.Event()
    service.token = lambda _: Held(turned, token_json("the-token"))

    async def all_at_once() -> tuple[set[str], int]:
        clients = [client(service) for _ in range(500)]

        async def watch() -> None:
            """See that the loop goes on while the server takes its time."""
            await auntil(lambda: service.token_requests, "the request")
            for _ in range(10):
                await asyncio.sleep(0.005)
            turned.set()

        watching = asyncio.create_task(watch())
        tokens = await asyncio.gather(*(given.aget_token() for given in clients))
        threads = threading.active_count()
        await watching
        return {token.value for token in tokens}, threads

    before = threading.active_count()
    values, threads = asyncio.run(all_at_once())
    assert values == {"the-token"}
    assert len(service.token_requests) == 1
    assert threads - before <= 3


def test_an_acquisition_of_coroutines_uses_one_thread(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def counted(work: Callable[[], object], name: str) -> None:
        begun.append(name)
        run_in_thread(work, name)

    for module in (single_flight, async_single_flight, background):
        monkeypatch.setattr(module, "run_in_thread", counted)

    async def several() -> None:
        await asyncio.gather(*(client(service).aget_token() for _ in range(20)))

    asyncio.run(several())
    assert begun == ["oauth2-acquisition"]


def test_from_memory_nothing_is_awaited(service: Service) -> None:
    given = client(service)
    given.get_token()

    async def call() -> str:
        coroutine = given.aget_token()
        try:
            coroutine.send(None)
        except StopIteration as end:
            return str(end.value.value)
        raise AssertionError("it awaited something")

    assert asyncio.run(call()) == "tok-1"


def test_threads_and_two_loops_share_one_request(service: Service) -> None:
    service.token = lambda _: Delay(0.3, token_json("the-token"))

    def loop(_: int) -> set[str]:
        async def several() -> set[str]:
            return {
                token.value
                for token in await asyncio.gather(*(client(service).aget_token() for _ in range(20)))
            }

        return asyncio.run(several())

    with ThreadPoolExecutor(4) as pool:
        loops = [pool.submit(loop, number) for number in range(2)]
        threads = [pool.submit(client(service).get_token) for _ in range(2)]
        assert {frozenset(result.result()) for result in loops} == {frozenset({"the-token"})}
        assert {result.result().value for result in threads} == {"the-token"}
    assert len(service.token_requests) == 1


@pytest.mark.fault("P16")
def test_a_cancelled_coroutine_disturbs_nobody(service: Service) -> None:
    cancelled = threading.Event()
    service.token = lambda _: Held(cancelled, token_json("the-token"))

    async def main() -> str:
        first = asyncio.create_task(client(service).aget_token())
        second = asyncio.create_task(client(service).aget_token())
        await auntil(lambda: service.token_requests, "the request")
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        cancelled.set()
        return (await second).value

    assert asyncio.run(main()) == "the-token"
    assert len(service.token_requests) == 1


def test_a_loop_that_ends_meanwhile_leaves_no_trace(service: Service) -> None:
    """Warnings are errors here: nothing may be left pending or unlooked at."""
    over = threading.Event()
    service.token = lambda _: Held(over, Json({"error": "invalid_client"}, 401))

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client(service).aget_token(), 0.1)

    asyncio.run(impatient())
    over.set()
    until(lambda: "oauth2-acquisition" not in {thread.name for thread in threading.enumerate()}, "its end")


def test_each_waiter_has_an_error_of_its_own(service: Service) -> None:
    service.token = lambda _: Delay(0.2, Json({"error": "invalid_client"}, 401))

    async def main() -> list[Any]:
        return await asyncio.gather(
            *(client(service).aget_token() for _ in range(10)), return_exceptions=True
        )

    errors = asyncio.run(main())
    assert {type(error) for error in errors} == {InvalidClientError}
    assert len({id(error) for error in errors}) == 10
    assert {error.conn_id for error in errors} == {"my_api"}
    assert len(service.token_requests) == 1


@pytest.mark.fault("H10")
def test_a_rotated_secret_is_read_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def token(request: Any) -> Any:
        old = b"client_secret=old" in request.body
        return Json({"error": "invalid_client"}, 401) if old else token_json("rotated")

    service.token = token

    def secret(value: str) -> None:
        monkeypatch.setenv(
            "AIRFLOW_CONN_ROTATING", service.environment(password=value, auth_method="client_secret_post")
        )

    async def main() -> str:
        hook = OAuth2Hook("rotating")
        secret("old-secret-value")
        await hook._client.reader.aread()
        secret("new-secret-value")
        return (await hook.aget_token()).value

    assert asyncio.run(main()) == "rotated"


def test_what_a_loop_registers_for_masking_is_short(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str] = []

    async def mask(value: str) -> None:
        masked.append(value)

    monkeypatch.setattr(masking, "_amask", mask)
    monkeypatch.setattr(masking, "_counts", Counter())  # whatever other tests registered
    service.token = lambda _: token_json("a-very-long-token-" * 10)
    given = client(service, password="the-secret-in-a-loop")
    asyncio.run(given.aget_token())
    assert "the-secret-in-a-loop" in masked
    assert masked[-1] == ("a-very-long-token-" * 10)[-16:]


def test_a_token_that_somebody_else_has_got_meanwhile(service: Service) -> None:
    """Between the look into memory and the next step another thread may have filled it."""
    for given in (client(service), client(service)):
        token = given.get_token()
        given._slot = Slot("as it was before")
        assert given.get_token() is token
        given._slot = Slot("as it was before")
        assert asyncio.run(given.aget_token()) is token
    assert len(service.token_requests) == 1


class UncopyableError(Exception):
    """As some of cloud libraries are, which secrets backends raise."""

    def __init__(self, response: dict[str, str], operation: str) -> None:
        super().__init__(f"{operation}: {response}")


@pytest.mark.parametrize("error", [UncopyableError({"a": "b"}, "Get"), TransportError("m")])
def test_all_who_wait_hear_of_an_error(error: Exception) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    async def wait() -> list[Any]:
        flights: AsyncSingleFlight[None] = AsyncSingleFlight()
        waiting = (flights.do("it", fail) for _ in range(3))
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)

    raised = asyncio.run(wait())
    assert [type(error_) for error_ in raised] == [type(error)] * 3
    if isinstance(error, TransportError):
        assert len({id(error_) for error_ in raised}) == 3, "a traceback of one's own"


def test_the_work_ends_with_the_last_who_waits_and_begins_anew_for_the_next() -> None:
    begun: list[str] = []
    ended: list[str] = []

    async def work(name: str) -> str:
        begun.append(name)
        try:
            await asyncio.sleep(0.01 if name == "second" else 60)
        except asyncio.CancelledError:
            ended.append(name)
            raise
        return name

    async def wait() -> str:
        flights: AsyncSingleFlight[str] = AsyncSingleFlight()

        async def waiter(name: str) -> str:
            return await flights.do("it", work, name)

        first = [asyncio.create_task(waiter("first")) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in first[:2]:
            task.cancel()
        await asyncio.wait(first[:2])
        assert ended == [], "one still waits"
        first[2].cancel()
        await asyncio.wait(first)
        assert all(task.cancelled() for task in first)
        return await waiter("second")

    assert asyncio.run(wait()) == "second"
    assert (begun, ended) == (["first", "second"], ["first"])
