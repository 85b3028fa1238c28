from __future__ import annotations

import http.client
import io
from typing import Any

import pytest
from urllib3.exceptions import ProtocolError

from airflow_oauth_provider.transport.response_parser import StrictBody, StrictResponse


class Received:
    """A socket that has received so many bytes, and then its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def gettimeout(self) -> None:
        """Without a limit."""

    def makefile(self, *_: object, **__: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def head(data: bytes) -> StrictResponse:
    received: Any = Received(data)
    response = StrictResponse(received)
    response.begin()
    return response


OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("informational", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
def test_informational_answers_are_skipped(informational: bytes) -> None:
    response = head(informational * 3 + b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (response.status, response.received_status) == (204, 204)


def test_switching_protocols_is_an_answer() -> None:
    assert head(b"HTTP/1.1 101 Switching\r\n\r\n").status == 101


@pytest.mark.parametrize("cut", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"])
def test_headers_that_are_cut_off_are_no_answer(cut: bytes) -> None:
    with pytest.raises(http.client.IncompleteRead):
        head(cut)


@pytest.mark.parametrize("size", [pytest.param(b"3", id="digits"), pytest.param(b"003;x=y", id="extension")])
def test_chunks(size: bytes) -> None:
    assert head(OK + size + b"\r\nabc\r\n0\r\n\r\n").read() == b"abc"


@pytest.mark.fault("F64")
@pytest.mark.parametrize(
    "size, lenient",
    [
        (b"-1", 300_000),
        (b"-5", 300_000),
        (b"+3", 3),
        (b"0x3", 3),
        (b"1_0", 16),
        (b" 3", 3),
        (b"", 0),
        (b"g", 0),
        (b"0" * 16 + b"3", 3),
    ],
    ids=repr,
)
def test_sizes_that_are_none(size: bytes, lenient: int) -> None:
    """Though Python reads most of them, and what follows is as long as it says then."""
    data = OK + size + b"\r\n" + b"x" * lenient + b"\r\n0\r\n\r\n"
    with pytest.raises((http.client.HTTPException, ValueError)):
        head(data).read()
    streamed = StrictBody(
        head(data),
        headers={"Transfer-Encoding": "chunked"},
        preload_content=False,
    )
    with pytest.raises(ProtocolError):
        list(streamed.stream(1024))
