from __future__ import annotations

import io
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_oauth_provider.transport.deadlines import bounded
from airflow_oauth_provider.transport.sockets import BoundedSocket, pool_classes
from airflow_oauth_provider.transport.stopping import Stop, TaskStoppedError
from tests.support.stopwatch import Stopwatch


@pytest.fixture
def silent() -> Iterator[BoundedSocket]:
    """A socket whose peer says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server, BoundedSocket() as sock:
        sock.connect(server.getsockname())
        yield sock


@pytest.mark.parametrize("operation", ["recv", "recv_into"])
def test_a_read_ends_with_the_bound(silent: BoundedSocket, operation: str) -> None:
    watch = Stopwatch()
    with bounded(time.monotonic() + 0.2), pytest.raises(TimeoutError):
        getattr(silent, operation)(1 if operation == "recv" else bytearray(1))
    assert watch.wall >= 0.2
    assert watch.seconds < 0.7
    assert silent.gettimeout() is None, "the socket's own timeout is as before"


def test_a_bound_that_is_past_sends_nothing(silent: BoundedSocket) -> None:
    with bounded(time.monotonic() - 1), pytest.raises(TimeoutError):
        silent.sendall(b"x")


def test_a_bound_is_the_threads_own_and_ends(silent: BoundedSocket) -> None:
    with bounded(time.monotonic() - 1):
        with bounded(None):
            silent.sendall(b"x")
        with pytest.raises(TimeoutError):
            silent.sendall(b"x")
        elsewhere = threading.Thread(target=silent.sendall, args=(b"x",))
        elsewhere.start()
        elsewhere.join(30)
    silent.sendall(b"x")


def test_a_stop_ends_a_read(silent: BoundedSocket) -> None:
    stop = Stop()
    threading.Timer(0.1, stop.stop).start()
    watch = Stopwatch()
    with bounded(None, stop), pytest.raises(TaskStoppedError):
        silent.recv(1)
    assert watch.seconds < 2


def test_the_earlier_of_bound_and_timeout_counts(silent: BoundedSocket) -> None:
    silent.settimeout(0.1)
    watch = Stopwatch()
    with bounded(time.monotonic() + 60), pytest.raises(TimeoutError):
        silent.recv(1)
    assert watch.seconds < 2


def test_a_look_at_what_is_there_waits_for_nothing(silent: BoundedSocket) -> None:
    """``ssl`` looks so before a handshake: what the peer has done is no timeout then."""
    silent.setblocking(False)
    with bounded(time.monotonic() + 60), pytest.raises(BlockingIOError):
        silent.recv(1)


def test_a_look_at_a_peer_that_is_gone_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = BoundedSocket()
        sock.connect(server.getsockname())
        peer, _ = server.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        select.select([sock], [], [], 30)
        sock.setblocking(False)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert sock.fileno() < 0


@pytest.mark.fault("F23")
def test_an_allow_listed_host_opens_its_own_pool_and_no_other() -> None:
    pools = pool_classes(lambda host, port: (host, port) == ("listed.example", 443))
    at = (("listed.example",), ("listed.example", 8443), ("other.example", 443))
    made: list[Any] = [pools["https"](*arguments) for arguments in at]
    assert [pool.ConnectionCls.any_address for pool in made] == [True, False, False]
    plain: Any = pools["http"]("listed.example")
    assert plain.ConnectionCls.any_address is False


class Sent:
    """A socket that remembers what is sent at once."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.pieces.append(data)

    def settimeout(self, _: float | None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("body", [b"grant_type=client_credentials", "grant_type=client_credentials"])
def test_head_and_body_of_a_small_request_are_sent_at_once(body: bytes | str) -> None:
    connection, sent = small_request_connection(), Sent()
    connection.sock = sent
    for _ in range(2):
        connection.request("POST", "/token", body, {"Accept": "*/*"})
        connection._HTTPConnection__state = "Idle"
    assert len(sent.pieces) == 2
    head, _, rest = sent.pieces[1].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /token HTTP/1.1\r\n")
    assert b"Content-Length: 29" in head
    assert rest == b"grant_type=client_credentials"


@pytest.mark.parametrize("body", [b"x" * 20_000, iter([b"a", b"b"]), io.BytesIO(b"x"), None])
def test_other_bodies_are_sent_as_urllib3_does(body: Any) -> None:
    connection, sent = small_request_connection(), Sent()
    connection.sock = sent
    connection.request("POST", "/token", body)
    assert sent.pieces[0].endswith(b"\r\n\r\n")


def test_a_request_that_cannot_be_put_together_sends_nothing() -> None:
    connection, sent = small_request_connection(), Sent()
    connection.sock = sent
    with pytest.raises(ValueError, match="Invalid header value"):
        connection.request("POST", "/token", b"x", {"X-A": "a\r\nb"})
    assert sent.pieces == []
    connection.send(b"y")
    assert sent.pieces == [b"y"]


def small_request_connection() -> Any:
    pool: Any = pool_classes(lambda _host, _port: False)["http"]("127.0.0.1", 80)
    return pool._new_conn()
