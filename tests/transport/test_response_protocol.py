"""What aiohttp makes of the pieces in which a response arrives."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp.http_exceptions import HttpProcessingError

from airflow_oauth_provider.transport import response_protocol
from airflow_oauth_provider.transport.response_parser import MalformedChunkError
from airflow_oauth_provider.transport.response_protocol import ResponseProtocol

HEAD = b"HTTP/1.1 401 No\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class Closing(asyncio.Transport):
    """A transport that is told to close."""

    def __init__(self, protocol: ResponseProtocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._closed = False

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return self._closed

    def pause_reading(self) -> None:
        """Nothing more comes."""

    def resume_reading(self) -> None:
        """Nothing more comes."""


def received(*pieces: bytes, skip_payload: bool = False) -> tuple[list[int], Any, bool]:
    """Let pieces arrive; return the statuses of what came, the last one's body or its error, and reuse."""

    async def main() -> tuple[list[int], Any, bool]:
        protocol = ResponseProtocol(asyncio.get_running_loop())
        protocol.connection_made(Closing(protocol))
        protocol.set_response_params(read_until_eof=True, skip_payload=skip_payload)
        for piece in pieces:
            protocol.data_received(piece)
        await asyncio.sleep(0)  # the connection is lost
        statuses: list[int] = []
        while not statuses or statuses[-1] < 200:
            message, body = await protocol.read()
            statuses.append(message.code)
        try:
            return statuses, await body.read(), protocol.should_close
        except aiohttp.ClientError as error:
            return statuses, error, protocol.should_close

    return asyncio.run(main())


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((HEAD + b"zz\r\n",), id="with-the-head"),
        pytest.param((HEAD, b"zz\r\n"), id="later"),
        pytest.param((HEAD[:30], HEAD[30:], b"2\r\nab\r\n", b"zz\r\n"), id="much-later"),
        pytest.param((HEAD + b"2\r\nab\r\n0\r\nno trailer\r\n\r\n",), id="trailer"),
        pytest.param((b"HTTP/1.1 103 Early\r\n\r\n" + HEAD + b"-1\r\n",), id="behind-an-informational-one"),
    ],
)
@pytest.mark.fault("F64")
def test_the_head_is_kept_and_the_body_says_what_is_wrong(pieces: tuple[bytes, ...]) -> None:
    statuses, error, closes = received(*pieces)
    assert statuses[-1] == 401
    assert isinstance(error, aiohttp.ClientPayloadError)
    assert isinstance(error.__cause__, MalformedChunkError)
    assert closes


@pytest.mark.parametrize(
    "data, status, body",
    [
        pytest.param(LENGTH + b"abcdef", 200, b"ab", id="more-than-announced"),
        pytest.param(b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n{}", 204, b"", id="204"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nabcdef", 200, b"ab", id="bare-newlines"),
    ],
)
def test_what_follows_a_response_takes_nothing_from_it(data: bytes, status: int, body: bytes) -> None:
    assert received(data) == ([status], body, True)


def test_a_response_to_head_has_no_body() -> None:
    assert received(LENGTH + b"ab", skip_payload=True) == ([200], b"", True)


def test_a_connection_in_order_is_used_again() -> None:
    assert received(LENGTH, b"ab") == ([200], b"ab", False)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"garbage\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"garbage\r\n\r\n"),
        (HEAD[:30], HEAD[30:] + b"zz\r\n"),
    ],
)
def test_a_head_that_cannot_be_read_is_no_response(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(HttpProcessingError):
        received(*pieces)


def test_a_body_that_is_read_on_says_what_is_wrong_too() -> None:
    """aiohttp parses what it has kept once the reader has made room, without any new byte."""

    async def main() -> BaseException:
        protocol = ResponseProtocol(asyncio.get_running_loop())
        protocol.connection_made(Closing(protocol))
        protocol.set_response_params(read_until_eof=True)
        protocol.data_received(HEAD)
        _, body = await protocol.read()
        protocol.set_exception(HttpProcessingError(code=400), ValueError("a chunk"))
        with pytest.raises(aiohttp.ClientPayloadError) as caught:
            await body.read()
        return caught.value

    assert isinstance(asyncio.run(main()).__cause__, MalformedChunkError)


def test_other_parts_of_aiohttp_leave_its_error_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*_: object, **__: object) -> None:
        raise TypeError("unexpected keyword argument")

    monkeypatch.setattr("airflow_oauth_provider.transport.response_protocol.HttpResponseParser", changed)
    with pytest.raises(HttpProcessingError):
        received(HEAD + b"zz\r\n")


def test_a_body_that_cannot_be_decoded_is_not_called_cut_off() -> None:
    """aiohttp would put another reason in the place of the first, when the connection is lost."""
    data = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nabc"
    _, error, _ = received(data, skip_payload=False)
    assert isinstance(error, aiohttp.ClientPayloadError)
    assert type(error.__cause__).__name__ == "ContentEncodingError"


@pytest.mark.fault("F64")
def test_where_aiohttp_knows_no_limit_of_headers_the_head_is_kept_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(response_protocol.HEAD_LIMITS, "max_headers", raising=False)
    module: Any = response_protocol
    parser = module.HttpResponseParser

    def older(*arguments: Any, **limits: Any) -> Any:
        assert "max_headers" not in limits
        return parser(*arguments, **limits)

    monkeypatch.setattr(module, "HttpResponseParser", older)
    statuses, error, closes = received(HEAD + b"zz\r\n")
    assert (statuses, closes) == ([401], True)
    assert isinstance(error, aiohttp.ClientPayloadError)
