from __future__ import annotations

import asyncio
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
