"""The engine against a server that misbehaves for real: what comes back, and when."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.settings import NetworkSettings
from airflow_oauth_provider.protocol.token.request import TokenRequest
from airflow_oauth_provider.transport import authorization_server
from tests.support.servers.scripted import (
    CloseNow,
    Drip,
    Endless,
    Json,
    Raw,
    Redirect,
    Reset,
    ScriptedServer,
    Silent,
    Text,
    token_json,
)
from tests.support.stopwatch import Stopwatch

OK = b'{"access_token":"tok-1","token_type":"Bearer","expires_in":60}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(OK) + OK


def send(server: ScriptedServer, *, within: float = 5.0, **network: Any) -> HttpResponse | Failure:
    request = TokenRequest(f"{server.url}/token", (("Accept-Encoding", "identity"),), b"grant_type=x")
    return authorization_server.post(
        request, NetworkSettings(**network), deadline_at=time.monotonic() + within
    )


def raw(body: bytes) -> Raw:
    return Raw(body)


@pytest.mark.parametrize(
    "response, fault",
    [
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-T"), Fault.CUT, id="cut-in-headers[N03]"),
        pytest.param(Reset(), Fault.CUT, id="reset[N03]"),
        pytest.param(CloseNow(), Fault.CUT, id="closed-without-answer[N03]"),
        pytest.param(
            raw(HEAD + b"Content-Length: 500\r\n\r\n" + OK), Fault.CUT, id="cut-body-that-parses[N04][H44]"
        ),
        pytest.param(
            raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e\r\n" + OK), Fault.CUT, id="cut-chunk[N04]"
        ),
        pytest.param(
            raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + OK), Fault.CUT, id="broken-chunk[N04]"
        ),
        pytest.param(
            raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000_000), Fault.MALFORMED, id="10-MB-header-line[N36]"
        ),
        pytest.param(
            raw(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 100_000), Fault.MALFORMED, id="too-many-headers[N36]"
        ),
        pytest.param(raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"), Fault.MALFORMED, id="http2-only[N37]"),
        pytest.param(
            raw(HEAD + b"Content-Length: 300000\r\n\r\n" + b"a" * 300_000),
            Fault.MALFORMED,
            id="300-KB[T08+F64]",
        ),
        pytest.param(
            Endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"a" * 4096 + b"\r\n"),
            Fault.MALFORMED,
            id="endless-chunks[H43+F64]",
        ),
        pytest.param(
            raw(HEAD + b"Content-Length: 10000000000\r\n\r\n" + b"a" * 300_000),
            Fault.MALFORMED,
            id="10-GB[H43]",
        ),
    ],
)
def test_no_usable_answer(scripted: ScriptedServer, response: Any, fault: Fault) -> None:
    scripted.script(response)
    result = send(scripted)
    assert isinstance(result, Failure)
    assert result.fault is fault
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Silent(), id="silent[N06]"),
        pytest.param(Drip(WHOLE, 0.3), id="drips-status-line[N07]"),
        pytest.param(Drip(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 60, 0.1), id="drips-headers[N08]"),
        pytest.param(
            Endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"), id="one-byte-chunks[N09]"
        ),
        pytest.param(Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="endless-100[N10]"),
    ],
)
def test_the_deadline_holds(scripted: ScriptedServer, response: Any) -> None:
    scripted.script(response)
    watch = Stopwatch()
    result = send(scripted, within=1.0)
    assert watch.seconds < 1.25, "hard limit + 0.25 s"
    assert isinstance(result, Failure)
    assert result.fault in {Fault.TIMEOUT, Fault.MALFORMED}


def test_a_dripping_body_ends_at_the_deadline(scripted: ScriptedServer) -> None:
    def head_then_drip(_: object) -> Any:
        return Drip(WHOLE, 0.02)

    scripted.script(head_then_drip)
    watch = Stopwatch()
    result = send(scripted, within=1.5)
    assert watch.seconds < 1.75
    assert isinstance(result, Failure)
    assert result.fault is Fault.TIMEOUT


@pytest.mark.parametrize(
    "response, status",
    [
        pytest.param(Redirect("http://127.0.0.1:9/other", 307), 307, id="307"),
        pytest.param(Redirect("/other", 303), 303, id="303-same-origin[H01]"),
        pytest.param(
            raw(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + WHOLE),
            200,
            id="informational-first[H32]",
        ),
        pytest.param(raw(b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE), 200, id="100-first[H32]"),
        pytest.param(
            raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
            101,
            id="h2c-upgrade[N37]",
        ),
        pytest.param(
            raw(HEAD + b"Content-Length: 10\r\n\r\n" + b"0123456789trailing"), 200, id="more-than-length[H45]"
        ),
    ],
)
def test_answers_are_handed_up_as_they_are(scripted: ScriptedServer, response: Any, status: int) -> None:
    scripted.script(response)
    result = send(scripted)
    assert isinstance(result, HttpResponse)
    assert result.status == status
    assert len(scripted.requests) == 1, "nothing is followed"


def test_a_shorter_content_length_cuts_the_body(scripted: ScriptedServer) -> None:
    scripted.script(raw(HEAD + b"Content-Length: 10\r\n\r\n" + b"0123456789trailing"))
    result = send(scripted)
    assert isinstance(result, HttpResponse)
    assert result.body == b"0123456789"


@pytest.mark.parametrize("encoding", ["gzip", "br"], ids=["gzip-bomb[H40]", "other[H42]"])
def test_a_compressed_body_is_never_decoded(scripted: ScriptedServer, encoding: str) -> None:
    import gzip

    bomb = gzip.compress(b"\0" * 50_000_000)
    scripted.script(
        raw(
            HEAD
            + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(bomb))
            + bomb
        )
    )
    result = send(scripted)
    assert isinstance(result, HttpResponse)
    assert result.body == bomb
    assert scripted.requests[0].header("Accept-Encoding") == "identity"


CHUNKED = HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.fault("F64")
@pytest.mark.parametrize(
    "size", [b"-1", b"-5", b"+5", b"0x5", b"1_0", b" 5", b"", b"zz", b"-0", b"f" * 17], ids=repr
)
def test_a_size_of_a_chunk_that_is_none(scripted: ScriptedServer, size: bytes) -> None:
    scripted.script(Endless(CHUNKED + size + b"\r\n", b"x" * 65536))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = send(scripted)
    assert isinstance(result, Failure)
    assert result.fault is Fault.CUT
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20 * 1024, "the limit of 256 KiB holds"


@pytest.mark.fault("F64")
@pytest.mark.parametrize("size", [b"5", b"05", b"5 ", b"5;name=value", b"5\t"], ids=repr)
def test_a_size_of_a_chunk_in_every_form(scripted: ScriptedServer, size: bytes) -> None:
    scripted.script(raw(CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n"))
    result = send(scripted)
    assert isinstance(result, HttpResponse)
    assert result.body == b"hello"


@pytest.mark.fault("F61")
def test_a_request_that_cannot_be_prepared_is_dull(scripted: ScriptedServer) -> None:
    request = TokenRequest(f"{scripted.url}/token", (("X-Key", " a-secret-value"),), b"")
    result = authorization_server.post(request, NetworkSettings(), deadline_at=time.monotonic() + 5)
    assert isinstance(result, Failure)
    assert result.fault is Fault.INTERNAL
    assert not result.fault.retryable
    assert "InvalidHeader" in result.detail
    assert "a-secret-value" not in result.detail
    assert scripted.requests == []


@pytest.mark.fault("F26")
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "169.254.169.254"])
def test_a_name_of_this_machine_is_loopback(
    monkeypatch: pytest.MonkeyPatch, address: str, listed: bool
) -> None:
    import socket

    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))]
    )
    request = TokenRequest("http://x.localhost/token", (), b"")
    network = NetworkSettings(token_host_listed=listed)
    result = authorization_server.post(request, network, deadline_at=time.monotonic() + 5)
    assert isinstance(result, Failure)
    assert result.fault is Fault.ADDRESS_REFUSED


@pytest.mark.fault("F26")
def test_of_several_addresses_those_of_this_machine_are_used(
    monkeypatch: pytest.MonkeyPatch, scripted: ScriptedServer
) -> None:
    import socket

    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, scripted.port))
        for address in ("192.0.2.1", "127.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    request = TokenRequest(f"http://x.localhost:{scripted.port}/token", (), b"")
    result = authorization_server.post(request, NetworkSettings(), deadline_at=time.monotonic() + 5)
    assert isinstance(result, HttpResponse)


def test_refused(unused_port: int) -> None:
    request = TokenRequest(f"http://127.0.0.1:{unused_port}/token", (), b"")
    result = authorization_server.post(request, NetworkSettings(), deadline_at=time.monotonic() + 5)
    assert isinstance(result, Failure)
    assert result.fault is Fault.UNREACHABLE
    assert "refused" in result.detail


def test_unknown_name() -> None:
    request = TokenRequest("https://no-such-host.invalid/token", (), b"")
    result = authorization_server.post(request, NetworkSettings(), deadline_at=time.monotonic() + 20)
    assert isinstance(result, Failure)
    assert result.fault is Fault.DNS


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("169.254.169.254", id="metadata[C40]"),
        pytest.param("fd00:ec2::254", id="metadata-ipv6[C40]"),
        pytest.param("0.0.0.0", id="unspecified[C40]"),
        pytest.param("::ffff:169.254.169.254", id="mapped[C40]"),
    ],
)
def test_the_peer_address_is_checked_before_connecting(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    import socket

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    )
    request = TokenRequest("https://idp.example/token", (), b"")
    result = authorization_server.post(request, NetworkSettings(), deadline_at=time.monotonic() + 5)
    assert isinstance(result, Failure)
    assert result.fault is Fault.ADDRESS_REFUSED


def test_an_allow_listed_host_may_have_any_address(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    import socket

    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("0.0.0.0", unused_port))],
    )
    request = TokenRequest("https://idp.example/token", (), b"")
    network = NetworkSettings(token_host_listed=True)
    result = authorization_server.post(request, network, deadline_at=time.monotonic() + 5)
    assert isinstance(result, Failure)
    assert result.fault is Fault.UNREACHABLE, "it was tried"


@pytest.mark.fault("N40")
def test_exhausted_descriptors_and_no_leak(
    monkeypatch: pytest.MonkeyPatch, scripted: ScriptedServer, unused_port: int
) -> None:
    import errno

    request = TokenRequest(f"http://127.0.0.1:{unused_port}/token", (), b"")
    before = open_descriptors()
    for _ in range(300):
        authorization_server.post(request, NetworkSettings(), deadline_at=time.monotonic() + 5)
    assert open_descriptors() <= before + 2

    def exhausted(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("airflow_oauth_provider.transport.sockets.BoundedSocket", exhausted)
    result = send(scripted)
    assert isinstance(result, Failure)
    assert result.fault is Fault.LOCAL
    assert result.fault.retryable


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_each_attempt_has_its_own_connection(scripted: ScriptedServer) -> None:
    scripted.script(Json({}, 503), token_json())
    send(scripted)
    send(scripted)
    assert scripted.connections == 2


def test_a_html_page_is_an_answer_like_any(scripted: ScriptedServer) -> None:
    scripted.script(Text(200, "<html>", "text/html"))
    result = send(scripted)
    assert isinstance(result, HttpResponse)
    assert result.header("content-type") == "text/html"
