"""What a proxy answers to CONNECT."""

from __future__ import annotations

import http.client

import pytest

from airflow_oauth_provider.transport.response_parser import MalformedHeadError
from airflow_oauth_provider.transport.tunnels import TunnelError, TunnelResponse
from tests.support.received import received


def response(data: bytes) -> TunnelResponse:
    return TunnelResponse(received(data), method="CONNECT")


@pytest.mark.parametrize(
    "head, seconds",
    [
        pytest.param(b"Retry-After: 7", 7.0, id="seconds"),
        pytest.param(b"X-Retry-After: 7", 7.0, id="named-otherwise"),
        pytest.param(
            b"Date: Fri, 31 Dec 1999 23:59:49 GMT\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT",
            10.0,
            id="date",
        ),
        pytest.param(b"Retry-After: soon", None, id="unreadable"),
        pytest.param(b"X: y", None, id="none"),
    ],
)
def test_a_refusal_with_what_it_asks_for(head: bytes, seconds: float | None) -> None:
    with pytest.raises(TunnelError) as caught:
        response(b"HTTP/1.1 429 Too Many\r\n" + head + b"\r\n\r\n")._read_status()
    assert (caught.value.status, caught.value.retry_after) == (429, seconds)


def test_informational_responses_before_it() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 403 No\r\n\r\n"
    with pytest.raises(TunnelError) as caught:
        response(data)._read_status()
    assert caught.value.status == 403


def test_of_a_tunnel_that_is_open_nothing_is_left_to_be_read() -> None:
    """The standard library reads the headers by itself then."""
    tunnel = response(b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n")
    assert tunnel._read_status() == ("HTTP/1.1", 200, "Connection established")
    assert tunnel.fp.readline() == b"\r\n"
    assert tunnel.headers["Via"] == "x"
    tunnel.close()


@pytest.mark.parametrize(
    "data, error",
    [
        (b"", http.client.RemoteDisconnected),
        (b"HTTP/1.1 200 OK\r\nVia: x", http.client.IncompleteRead),
        (b"HTTP/1.1 403 No\r\n", http.client.IncompleteRead),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", MalformedHeadError),
        (b"garbage\r\n\r\n", http.client.BadStatusLine),
    ],
)
def test_what_is_no_answer(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        response(data)._read_status()


def test_an_error_without_a_status_asks_for_nothing() -> None:
    assert (TunnelError(None).status, TunnelError(None).retry_after) == (None, None)
