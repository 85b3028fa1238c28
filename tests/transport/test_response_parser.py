from __future__ import annotations

import http.client
import tracemalloc

import pytest
from urllib3.exceptions import ProtocolError

from airflow_oauth_provider.transport.response_parser import MalformedHeadError, StrictBody, StrictResponse
from tests.support.received import received


def head(data: bytes) -> StrictResponse:
    response = StrictResponse(received(data))
    response.begin()
    return response


def streamed(data: bytes) -> StrictBody:
    return StrictBody(head(data), headers={"Transfer-Encoding": "chunked"}, preload_content=False)


OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("informational", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
def test_informational_answers_are_skipped(informational: bytes) -> None:
    response = head(informational * 3 + b"HTTP/1.1 204 No Content\r\n\r\n")
    assert response.status == 204


@pytest.mark.fault("F15")
@pytest.mark.parametrize(
    "before", [b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n", b"HTTP/1.1 100 Go on\r\n\r\n", b"\r\n"]
)
def test_what_comes_before_it_is_not_kept(before: bytes) -> None:
    """There may be no end to it: only the time is limited."""
    response = StrictResponse(received(before * 20_000 + b"HTTP/1.1 204 No Content\r\n\r\n"))
    tracemalloc.start()
    try:
        response.begin()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.status == 204
    assert most < 200_000


def test_switching_protocols_is_an_answer() -> None:
    assert head(b"HTTP/1.1 101 Switching\r\n\r\n").status == 101


@pytest.mark.parametrize("cut", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"])
def test_headers_that_are_cut_off_are_no_answer(cut: bytes) -> None:
    with pytest.raises(http.client.IncompleteRead):
        head(cut)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(b"3", id="digits"),
        pytest.param(b"003;x=y", id="extension"),
        pytest.param(b"0" * 20 + b"3 ", id="zeros-and-blank"),
    ],
)
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
        (b"f" * 17, 3),
    ],
    ids=repr,
)
def test_sizes_that_are_none(size: bytes, lenient: int) -> None:
    """Though Python reads most of them, and what follows is as long as it says then."""
    data = OK + size + b"\r\n" + b"x" * lenient + b"\r\n0\r\n\r\n"
    with pytest.raises((http.client.HTTPException, ValueError)):
        head(data).read()
    with pytest.raises(ProtocolError):
        list(streamed(data).stream(1024))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"3\r\nabcdef\r\n0\r\n\r\n", id="longer-than-it-says"),
        pytest.param(b"3\r\nabcXX0\r\n\r\n", id="no-end"),
        pytest.param(b"3\r\nabc\r\n0\r\nno trailer\r\n\r\n", id="trailer"),
        pytest.param(b"3\r\nabc\r\n0\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", id="long-trailer"),
    ],
)
@pytest.mark.fault("F64")
def test_chunks_that_are_malformed(data: bytes) -> None:
    with pytest.raises((http.client.HTTPException, ValueError)):
        head(OK + data).read()
    for amount in (1, 2, 1024):
        with pytest.raises(ProtocolError):
            list(streamed(OK + data).stream(amount))


@pytest.mark.parametrize("rest", [b"0\r\n", b"0\r\nX: y\r\n", b"0\r\nX: y", b"0", b""])
def test_the_end_of_a_body_may_be_cut_off_too(rest: bytes) -> None:
    with pytest.raises(http.client.IncompleteRead):
        head(OK + b"3\r\nabc\r\n" + rest).read()
    with pytest.raises(ProtocolError):
        list(streamed(OK + b"3\r\nabc\r\n" + rest).stream(1024))


@pytest.mark.parametrize("amount", [1, 2, 3, 1024])
def test_chunks_in_pieces(amount: int) -> None:
    data = OK + b"2\r\nab\r\n3\r\ncde\r\n0\r\nX-Trailer: y\r\n\r\n"
    assert b"".join(streamed(data).stream(amount)) == b"abcde"
    response = head(data)
    assert b"".join(iter(lambda: response.read(amount), b"")) == b"abcde"


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"<html>",
        b"HTTP/9.9 200 OK",
        b"HTTP/1.1x 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 abc",
        b"HTTP/1.1 +200 OK",
        b"HTTP/1.1 20_0 OK",
        b"HTTP/1.1 99 OK",
        b"HTTP/1.1 1000 OK",
        b"ICY 200 OK",
    ],
    ids=repr,
)
def test_a_first_line_that_is_none(line: bytes) -> None:
    with pytest.raises(http.client.BadStatusLine):
        head(line + b"\r\n\r\n")


@pytest.mark.parametrize(
    "data, error",
    [
        (b"", http.client.RemoteDisconnected),
        (b"HT", http.client.IncompleteRead),
        (b"HTTP/1.1 2", http.client.IncompleteRead),
        (b"garbage", http.client.BadStatusLine),
        (b"HTTP/1.1 200 " + b"x" * 70_000, http.client.LineTooLong),
    ],
)
def test_a_first_line_without_an_end(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        head(data)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "line", [b"\r\nHTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/2.0 200 OK", b"HTTP/1.0 200 \xe4\0"], ids=repr
)
def test_a_first_line_as_some_servers_have_it(line: bytes) -> None:
    response = head(line + b"\r\nContent-Length: 2\r\n\r\nab")
    assert (response.status, response.read()) == (200, b"ab")


@pytest.mark.parametrize(
    "lines",
    [
        b"no colon",
        b"X-A : blank before the colon",
        b": no name",
        b"X A: blank in the name",
        b"X-\xe4: b",
        b"X-A: \0",
        b"X-A: a\rContent-Length: 2",
        b"Content-Length: abc",
        b"Content-Length: -1",
        b"Content-Length: +2",
        b"Content-Length: 0_2",
        b"Content-Length:",
        b"Content-Length: 2, 2",
        b"Content-Length: " + b"9" * 20,
        b"Content-Length: 2\r\ncontent-length: 3",
        b"Content-Length: 2\r\nContent-Length: 2\r\nContent-Length: 3",
        b"Content-Length: -2\r\nTransfer-Encoding: chunked",
        b"transfer-encoding: identity\r\ncontent-length: 2",
    ],
    ids=lambda lines: repr(lines[:40]),
)
def test_headers_that_are_malformed(lines: bytes) -> None:
    """The standard library drops those behind such a line, or reads on to the end of the connection."""
    with pytest.raises(MalformedHeadError):
        head(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\nX-Last: y\r\n\r\nab")


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length:2",
        b"CONTENT-LENGTH: 002 ",
        b"Access-Control-Expose-Headers: Content-Length, Content-Length\r\nContent-Length: 2",
        b"X-A: a\r\n b\r\nContent-Length: 2",
        b"X-A: \xe4\r\nContent-Length: 2",
        b"Content-Type: multipart/form-data\r\nContent-Length: 2",
        b'Content-Type: multipart/mixed; boundary="x"\r\nContent-Length: 2',
        b"Content-Transfer-Encoding: base64\r\nContent-Length: 2",
        b"Content-Type: message/rfc822\r\nContent-Length: 2",
    ],
    ids=lambda lines: repr(lines[:40]),
)
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early\r\nContent-Length: 7\r\n\r\n"])
def test_headers_that_are_not(before: bytes, lines: bytes) -> None:
    response = head(before + b"HTTP/1.1 200 OK\r\n" + lines + b"\r\nX-Last: y\r\n\r\nab")
    assert (response.read(), response.headers["X-Last"]) == (b"ab", "y")
