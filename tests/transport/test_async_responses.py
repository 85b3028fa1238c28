from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from airflow_oauth_provider.transport.async_responses import HeadTimer, read_body
from tests.servers.scripted import Endless, ScriptedServer, Text


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
    "answer",
    [
        Text(200, b"x" * 1001),
        Endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nxx\r\n"),
    ],
    ids=["announced", "endless"],
)
def test_of_a_larger_one_nothing_is_kept(scripted: ScriptedServer, answer: Any) -> None:
    scripted.script(answer)
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


def test_the_timer_of_a_head_ends_what_waits_for_it_and_can_be_stopped() -> None:
    errors: list[BaseException] = []
    protocol = SimpleNamespace(set_exception=errors.append)

    async def main() -> None:
        late = HeadTimer(0.01)
        late.sent(protocol)
        stopped = HeadTimer(0.01)
        stopped.sent(protocol)
        stopped.stop()
        HeadTimer(None).sent(protocol)
        await asyncio.sleep(0.2)

    asyncio.run(main())
    assert [type(error) for error in errors] == [aiohttp.ServerTimeoutError]


def test_each_piece_that_is_sent_begins_the_count_anew() -> None:
    errors: list[BaseException] = []

    async def main() -> None:
        timer = HeadTimer(0.5)
        timer.sent(SimpleNamespace(set_exception=errors.append))
        for _ in range(10):
            timer.sending()
            await asyncio.sleep(0.1)
        timer.stop()

    asyncio.run(main())
    assert errors == []
