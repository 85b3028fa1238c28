from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_oauth_provider.calls import keep_alive
from airflow_oauth_provider.calls.keep_alive import KeepAliveSession
from tests.support.waiting import auntil


class Session:
    """Counts how often it is closed."""

    outdated = False
    before_opening: Callable[[], Awaitable[Any]]

    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


def kept(session: Session, before: KeepAliveSession | None = None) -> KeepAliveSession:
    given: Any = session
    return KeepAliveSession(given, before)


def test_it_closes_itself_when_no_calls_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_alive, "IDLE", 0.05)

    async def main() -> None:
        session = Session()
        given = kept(session)
        given.enter()
        await asyncio.sleep(0.2)
        assert session.closed == 0, "a call is under way"
        assert given.leave() is False
        await auntil(lambda: session.closed, "it closes itself")
        assert session.closed == 1

    asyncio.run(main())


@pytest.mark.fault("F13")
@pytest.mark.parametrize("turns", [1, 2, 5])
def test_closed_at_once_it_is_closed_once(turns: int) -> None:
    async def main() -> int:
        session = Session()
        given = kept(session)
        given.enter()
        given.leave()
        for _ in range(turns):
            await asyncio.sleep(0)
        await given.close()
        await given.close()
        return session.closed

    assert asyncio.run(main()) == 1


@pytest.mark.fault("F13")
def test_no_session_is_opened_before_its_closer_runs() -> None:
    async def main() -> None:
        session = Session()
        given = kept(session)
        given.enter()
        opening = asyncio.ensure_future(session.before_opening())
        assert not opening.done()
        await opening
        given.leave()
        await given.close()
        assert session.closed == 1

    asyncio.run(main())


def test_a_call_that_outlives_it_closes_last() -> None:
    async def main() -> None:
        session = Session()
        given = kept(session)
        for _ in range(2):
            given.enter()
        await asyncio.sleep(0)
        await given.close()
        assert given.is_closed
        assert [given.leave(), given.leave()] == [False, True]

    asyncio.run(main())


def test_the_end_of_the_loop_closes_it() -> None:
    session = Session()

    async def main() -> None:
        given = kept(session)
        given.enter()
        given.leave()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert session.closed == 1
