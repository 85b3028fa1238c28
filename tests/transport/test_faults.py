from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest
import requests
from urllib3.exceptions import HTTPError, ProtocolError, ProxyError

from airflow_oauth_provider.protocol.http import Fault
from airflow_oauth_provider.transport.faults import CUT, classify, tunnel_failure
from airflow_oauth_provider.transport.proxies import Proxy
from airflow_oauth_provider.transport.response_parser import MalformedChunkError, MalformedHeadError
from airflow_oauth_provider.transport.sockets import AddressRefusedError
from airflow_oauth_provider.transport.tunnels import TunnelError

PROXY = Proxy("http://user:the-password@proxy.example:3128", "HTTPS_PROXY", "proxy.example", 3128)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (socket.gaierror(-2, "x"), Fault.DNS),
        (TimeoutError("x"), Fault.TIMEOUT),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Fault.UNREACHABLE),
        (ConnectionResetError(errno.ECONNRESET, "x"), Fault.CUT),
        (http.client.RemoteDisconnected("x"), Fault.CUT),
        (http.client.IncompleteRead(b"x"), Fault.CUT),
        (ProtocolError("x"), Fault.CUT),
        (http.client.BadStatusLine("x"), Fault.MALFORMED),
        (http.client.LineTooLong("x"), Fault.MALFORMED),
        (OSError(errno.EMFILE, "x"), Fault.LOCAL),
        (AddressRefusedError("x"), Fault.ADDRESS_REFUSED),
        (ssl.SSLEOFError("x"), Fault.CUT),
        (MalformedChunkError("x"), Fault.CUT),
        (MalformedHeadError("x"), Fault.MALFORMED),
        (http.client.HTTPException("got more than 100 headers"), Fault.MALFORMED),
    ],
)
def test_by_type_however_deep_in_the_chain(error: Exception, fault: Fault) -> None:
    within = requests.ConnectionError(ProtocolError("connection broken", error))
    caused = RuntimeError("outer")
    caused.__cause__ = error
    for given in (error, within, caused):
        failure = classify(given)
        assert failure is not None
        assert failure.fault is fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [(HTTPError("x"), Fault.MALFORMED), (OSError(errno.ENETUNREACH, "x"), Fault.UNREACHABLE)],
)
def test_what_says_little_counts_last(error: Exception, fault: Fault) -> None:
    failure = classify(error)
    assert failure is not None
    assert failure.fault is fault


def test_a_defect_of_ours_is_none_of_the_networks() -> None:
    assert classify(KeyError("x")) is None
    assert classify(KeyError("x"), PROXY) is None


def test_a_chain_that_leads_back_to_itself_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert classify(one) is None


@pytest.mark.fault("F63")
def test_the_proxy_is_named_without_its_password() -> None:
    through, at_fault = classify(TimeoutError("x"), PROXY), classify(ProxyError("x", OSError("y")), PROXY)
    assert through is not None
    assert at_fault is not None
    assert through.detail.endswith("(through the proxy proxy.example:3128 (HTTPS_PROXY))")
    assert through.field is None
    assert at_fault.detail.startswith("the proxy proxy.example:3128 (HTTPS_PROXY) failed")
    assert at_fault.field == "HTTPS_PROXY"
    assert "the-password" not in through.detail + at_fault.detail


def test_what_asyncio_leaves_behind_says_nothing() -> None:
    """A handshake that a reset ends has wanted to read, which is no refusal of TLS."""
    for waiting in (ssl.SSLWantReadError(2, "x"), ssl.SSLWantWriteError(3, "x")):
        error = ConnectionResetError(errno.ECONNRESET, "x")
        error.__context__ = waiting
        assert classify(error) == CUT


@pytest.mark.parametrize(
    ("status", "fault", "advice"),
    [
        (407, Fault.PROXY_REFUSED, "credentials"),
        (401, Fault.PROXY_REFUSED, "credentials"),
        (403, Fault.PROXY_REFUSED, "rules"),
        (429, Fault.UNREACHABLE, "refused to connect (HTTP status 429)"),
        (408, Fault.UNREACHABLE, "refused to connect"),
        (502, Fault.UNREACHABLE, "could not connect"),
        (503, Fault.UNREACHABLE, "could not connect"),
        (504, Fault.UNREACHABLE, "could not connect"),
    ],
)
def test_what_a_proxy_answers_to_connect(status: int, fault: Fault, advice: str) -> None:
    failure = tunnel_failure(status, PROXY)
    assert failure.fault is fault
    assert advice in f"{failure.detail}: {failure.advice}"
    assert classify(TunnelError(status), PROXY) == failure
    assert "the proxy refused" in tunnel_failure(403, None).detail


def test_a_server_without_tls_is_called_so() -> None:
    """What OpenSSL says of it, "wrong version number", sends people to look for TLS versions."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(ssl.SSLError) as caught:
            ssl.create_default_context().wrap_socket(ours, server_hostname="idp.example")
    failure = classify(caught.value)
    assert failure is not None
    assert failure.fault is Fault.TLS
    assert "does not speak TLS" in failure.detail
    assert "check the port" in (failure.advice or "")
