from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from airflow_oauth_provider.transport.async_responses import HeadTimers, read_body
from tests.support.servers.scripted import Endless, ScriptedServer, Text
from tests.support.waiting import auntil


def read(server: ScriptedServer, *, limit: int | None, seconds: float | None = None) -> Any:
    async def main() -> tuple[bytes | None, bool]:
        async with aiohttp.ClientSession() as session, session.get(server.url) as response:
            body = await read_body(response, limit=limit, seconds=seconds)
            return body, response.closed

    return asyncio.run(main())


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_a_body_within_its_limit_is_whole(scripted: ScriptedServer, size: int) -> None:
    scripted.script(Text(200, b"x" * size))
    assert read(scripted, limit=size) == (b"x" * size, True)
    assert read(scripted, limit=None) == (b"x" * size, True)


@pytest.mark.fault("F03")
@pytest.mark.parametrize(
    "response",
    [
        Text(200, b"x" * 1001),
        Endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nxx\r\n"),
    ],
    ids=["announced", "endless"],
)
def test_of_a_larger_one_nothing_is_kept(scripted: ScriptedServer, response: Any) -> None:
    scripted.script(response)
    assert read(scripted, limit=1000) == (None, True)


def test_a_body_that_stops_coming(scripted: ScriptedServer) -> None:
    class Half:
        def play(self, connection: Any, stopped: Any) -> bool:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            stopped.wait()
            return False

    scripted.script(Half())
    with pytest.raises(TimeoutError):
        read(scripted, limit=1000, seconds=0.1)


class Protocol:
    """Takes the error that ends the wait for a head."""

    def __init__(self, errors: list[str], name: str) -> None:
        self._errors = errors
        self._name = name

    def set_exception(self, error: BaseException) -> None:
        assert isinstance(error, TimeoutError)
        assert isinstance(error, aiohttp.ServerTimeoutError)
        self._errors.append(self._name)


@pytest.fixture
def ended() -> list[str]:
    return []


def test_the_timer_of_a_head_ends_what_waits_for_it_and_can_be_stopped(ended: list[str]) -> None:
    async def main() -> None:
        timers = HeadTimers()
        timers.begin(0.01).sent(Protocol(ended, "late"))
        stopped = timers.begin(0.01)
        stopped.sent(Protocol(ended, "stopped"))
        stopped.stop()
        timers.begin(None).sent(Protocol(ended, "without a limit"))
        timers.begin(0.01)  # nothing has been sent yet
        await auntil(lambda: ended, "the end of its time")
        await asyncio.sleep(0.05)

    asyncio.run(main())
    assert ended == ["late"]


def test_each_piece_that_is_sent_begins_the_count_anew(
    ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        loop, now = asyncio.get_running_loop(), 1000.0
        monkeypatch.setattr(loop, "time", lambda: now)
        timers = HeadTimers()
        timer = timers.begin(0.5)
        timer.sent(Protocol(ended, "sending"))
        for _ in range(10):
            timer.sending()
            now += 0.4
            for _ in range(3):
                await asyncio.sleep(0)
        timer.stop()

    asyncio.run(main())
    assert ended == []


def test_a_body_that_has_been_sent_is_waited_for_as_any_other(ended: list[str]) -> None:
    async def main() -> None:
        timer = HeadTimers().begin(0.05)
        timer.sending()
        timer.sent(Protocol(ended, "sent"))
        await auntil(lambda: ended, "the end of its time")

    asyncio.run(main())
    assert ended == ["sent"]


def test_one_timer_of_the_loop_serves_all_calls_of_a_duration(ended: list[str]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        timers = HeadTimers()
        for number in range(100):
            timers.begin(0.05).sent(Protocol(ended, f"short {number}"))
            timers.begin(30).sent(Protocol(ended, f"long {number}"))
        assert sum(not handle.cancelled() for handle in loop._scheduled) == 2  # type: ignore[attr-defined]
        await auntil(lambda: len(ended) == 100, "the end of their time")
        timers.close()
        assert not [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]

    asyncio.run(main())
    assert ended == [f"short {number}" for number in range(100)]


def test_calls_that_have_ended_are_not_kept(ended: list[str]) -> None:
    async def main() -> None:
        timers = HeadTimers()
        for _ in range(1000):
            timer = timers.begin(60)
            timer.sent(Protocol(ended, "ended"))
            timer.stop()
        (queue,) = timers._queues.values()
        assert len(queue._entries) == 1
        timers.close()

    asyncio.run(main())
