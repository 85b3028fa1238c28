from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from airflow_oauth_provider.client.first_token import FirstToken
from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.tokens import AccessToken

TOKEN = AccessToken("first", "Bearer", 2e9, 1e9, frozenset())


class Client:
    """Counts what it is asked for; *failure* is raised instead of a token."""

    def __init__(self, failure: Exception | None = None, *, token_decides: bool = False) -> None:
        self.reads = self.tokens = 0
        self.failure = failure
        self.first = FirstToken(self.read, self.get_token, lambda: token_decides)

    async def read(self) -> None:
        self.reads += 1
        await asyncio.sleep(0)

    async def get_token(self) -> AccessToken:
        self.tokens += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return TOKEN

    def run(self, *checks: Any) -> list[Any]:
        async def callers() -> list[Any]:
            waits = [asyncio.ensure_future(self.first.wait(check)) for check in checks]
            return await asyncio.gather(*waits, return_exceptions=True)

        return asyncio.run(callers())


def good() -> None:
    pass


def bad() -> None:
    raise ConfigurationError("no such endpoint")


def test_a_thousand_callers_wait_once() -> None:
    client = Client()
    assert client.run(*[good] * 1000) == [TOKEN] * 1000
    assert (client.reads, client.tokens) == (1, 1)


def test_no_token_is_asked_for_where_no_call_can_be_made() -> None:
    client = Client()
    assert client.run(bad, bad) == [None, None]
    assert (client.reads, client.tokens) == (1, 0)


def test_where_the_token_decides_a_failed_check_says_little() -> None:
    client = Client(token_decides=True)
    assert client.run(bad, bad) == [TOKEN, TOKEN]
    assert (client.reads, client.tokens) == (1, 1)


def test_one_call_that_can_be_made_is_enough() -> None:
    client = Client()
    assert client.run(bad, good) == [TOKEN, TOKEN]
    assert client.tokens == 1


def test_an_error_reaches_each_caller_and_the_next_one_asks_again() -> None:
    client = Client(TransportError("no response"))
    errors = client.run(good, good)
    assert [type(error) for error in errors] == [TransportError, TransportError]
    client.failure = None
    assert client.run(good) == [TOKEN]
    assert client.tokens == 2


def test_a_caller_that_is_cancelled_leaves_the_others_alone() -> None:
    client = Client()

    async def callers() -> AccessToken | None:
        cancelled = asyncio.ensure_future(client.first.wait(bad))
        waiting = asyncio.ensure_future(client.first.wait(good))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        return await waiting

    assert asyncio.run(callers()) == TOKEN


def test_what_was_checked_for_one_wait_is_kept_for_no_other() -> None:
    client = Client()
    assert client.run(bad, good, good) == [TOKEN] * 3
    assert client.first._checks == {}


def test_two_loops_check_their_own_callers() -> None:
    """The one whose only call cannot be made asks for no token because the other has one that can."""
    both, ended = threading.Barrier(2), threading.Event()
    client = Client()

    async def read() -> None:
        await asyncio.to_thread(both.wait, 10)
        if threading.current_thread() is not first_thread:
            await asyncio.to_thread(ended.wait, 10)

    client.first._read = read
    results: dict[str, list[Any]] = {}

    def run(name: str, check: Any) -> None:
        results[name] = client.run(check)
        ended.set()

    first_thread = threading.Thread(target=run, args=("first", bad))
    second_thread = threading.Thread(target=run, args=("second", good))
    for thread in (first_thread, second_thread):
        thread.start()
    for thread in (first_thread, second_thread):
        thread.join(30)
    assert results == {"first": [None], "second": [TOKEN]}
