"""Bodies of responses of httpx: how much is read ahead, and when one on the way ends."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from itertools import count, islice
from typing import Any

import httpx
import pytest

from airflow_oauth_provider.calls import httpx_calls
from airflow_oauth_provider.calls.httpx_calls import HttpxBody
from airflow_oauth_provider.calls.response import DRAIN_TIME, MAX_INTERMEDIATE
from airflow_oauth_provider.protocol.call.dead_token import MAX_BODY

PIECE = b"x" * 1024


class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body without end, or one that breaks off after some pieces; it counts."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.pieces = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for self.pieces in count(1):
            if self.most is not None and self.pieces > self.most:
                raise httpx.ReadError("cut off")
            yield PIECE

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in iter(self):
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class Reading:
    """One body, read by threads or coroutines."""

    def __init__(self, *, coroutines: bool) -> None:
        self.coroutines = coroutines

    def body(self, stream: Any, headers: Any = None) -> HttpxBody:
        self.response = httpx.Response(401, headers=headers, stream=stream)
        return HttpxBody.of(self.response)

    def ahead(self, body: HttpxBody) -> None:
        asyncio.run(body.aread_ahead()) if self.coroutines else body.read_ahead()

    def whole(self, body: HttpxBody, most: int = 10_000, *, looked_into: bool = False) -> int:
        """Return the number of its bytes, of some pieces at the most."""

        async def pieces() -> list[bytes]:
            read: list[bytes] = []
            if looked_into:
                await body.aread_ahead()
            async for piece in body:
                read.append(piece)
                if len(read) == most:
                    break
            return read

        if looked_into and not self.coroutines:
            body.read_ahead()
        return sum(map(len, asyncio.run(pieces()) if self.coroutines else islice(body, most)))


@pytest.fixture(params=[False, True], ids=["thread", "coroutine"])
def reading(request: pytest.FixtureRequest) -> Reading:
    return Reading(coroutines=request.param)


@pytest.mark.fault("F03")
def test_no_more_is_read_ahead_than_is_looked_into(reading: Reading) -> None:
    stream = Stream()
    body = reading.body(stream)
    reading.ahead(body)
    assert stream.pieces == MAX_BODY // len(PIECE) + 1
    assert body.decoded() == PIECE * stream.pieces


@pytest.mark.fault("F03")
@pytest.mark.parametrize("looked_into", [False, True])
def test_one_on_the_way_ends_after_some_bytes(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, looked_into: bool
) -> None:
    monkeypatch.setattr(httpx_calls, "monotonic", lambda: 100.0)
    stream = Stream()
    body = reading.body(stream)
    body.end_early()
    size = reading.whole(body, looked_into=looked_into)
    assert MAX_INTERMEDIATE < size <= max(MAX_INTERMEDIATE, MAX_BODY) + 2 * len(PIECE)


@pytest.mark.fault("F03")
def test_or_after_some_seconds(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may send a byte now and then."""
    clock = count(100)
    monkeypatch.setattr(httpx_calls, "monotonic", lambda: float(next(clock)))
    body = reading.body(Stream())
    body.end_early()
    assert reading.whole(body) == (DRAIN_TIME + 1) * len(PIECE)


def test_one_that_is_the_result_has_no_end_of_ours(reading: Reading) -> None:
    assert reading.whole(reading.body(Stream()), 200) == 200 * len(PIECE)


@pytest.mark.parametrize("on_the_way", [False, True])
def test_one_that_breaks_off(reading: Reading, on_the_way: bool) -> None:
    """Of a result its reader hears of it; of one on the way nothing is missed."""
    body = reading.body(Stream(most=3))
    if on_the_way:
        body.end_early()
        assert reading.whole(body) == 3 * len(PIECE)
    else:
        with pytest.raises(httpx.ReadError):
            reading.whole(body)


@pytest.mark.fault("F03")
def test_a_compressed_one_on_the_way_stays_so() -> None:
    packed = gzip.compress(b"0" * 1_000_000)
    response = httpx.Response(401, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(packed))
    HttpxBody.of(response).end_early()
    assert response.read() == packed


def test_one_that_cannot_be_decoded_tells_nothing() -> None:
    stream = httpx.ByteStream(b"no such format")
    body = HttpxBody.of(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream))
    body.read_ahead()
    assert body.decoded() == b""


def test_its_connection_is_closed_with_it(reading: Reading) -> None:
    stream = Stream()
    body = reading.body(stream)
    assert HttpxBody.of(reading.response) is body
    asyncio.run(body.aclose()) if reading.coroutines else body.close()
    assert stream.closed
