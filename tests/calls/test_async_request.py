from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import create_autospec

import pytest
import requests

from airflow_oauth_provider.calls.arguments import timeouts
from airflow_oauth_provider.calls.async_request import AsyncRequest, client_timeout
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.transport.async_responses import HeadTimer

URL = "https://api.example/x"
TIMER: Any = create_autospec(HeadTimer, instance=True)


def request_with(**body: Any) -> AsyncRequest:
    request = AsyncRequest("POST", URL, {}, timeouts())
    request.encode_body(body.get("data"), body.get("json"), body.get("files"))
    return request


async def joined(body: Any) -> bytes:
    return b"".join([piece async for piece in body]) if hasattr(body, "__aiter__") else body or b""


def sent(request: AsyncRequest, *, again: bool = False) -> bytes:
    return asyncio.run(joined(request.body(TIMER, again=again)))


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"a": "b c", "d": ["1", "2"]}},
        {"data": "tëxt"},
        {"data": b"bytes"},
        {"data": b"z" * 300_000},
        {"json": {"a": "ä"}},
        {"json": []},
        {"data": {}, "json": {"a": 1}},
    ],
)
def test_the_same_bytes_and_headers_as_requests(body: dict[str, Any]) -> None:
    expected = requests.Request("POST", URL, **body).prepare()
    request = request_with(**body)
    same = expected.body.encode() if isinstance(expected.body, str) else expected.body
    assert sent(request) == same
    assert {**request.headers} == {**expected.headers}


def test_a_file_is_sent_piece_by_piece_and_once_more() -> None:
    request = request_with(data=io.BytesIO(b"y" * 200_000))
    assert request.replayable
    for again in (False, True):
        assert sent(request, again=again) == b"y" * 200_000


def test_what_comes_piece_by_piece_is_sent_once() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    assert not request_with(data=pieces()).replayable
    assert sent(request_with(data=pieces())) == b"ab"
    assert not request_with(data=iter([b"a", b"b"])).replayable
    assert sent(request_with(data=iter([b"a", b"b"]))) == b"ab"


def test_what_the_callers_iterable_raises_is_an_error_of_that_argument() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("the-secret")

    with pytest.raises(ConfigurationError) as caught:
        sent(request_with(data=pieces()))
    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "total", "connect", "read"), [(5, None, 5, 5), ((1, 2), None, 1, 2), (5, 60, 5, 5)]
)
def test_timeouts_mean_what_they_mean_to_requests(value: Any, total: Any, connect: Any, read: Any) -> None:
    limits = timeouts(value, total)
    given = client_timeout(limits, body=True)
    assert (given.sock_connect, given.sock_read) == (connect, read)
    assert given.total == limits.total
    assert client_timeout(limits, body=False).sock_read is None
