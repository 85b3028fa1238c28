"""Sockets that keep a deadline, and refuse addresses a token must not reach.

The timeouts of ``requests`` and urllib3 count from one received byte to the next: a server that
drips a byte now and then holds a caller for ever. Here every single read is given only what is
left of the whole call, so the sum is bounded too, in plain sockets and in TLS alike, without a
second thread that would have to shut the socket down.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from airflow_oauth_provider.protocol.urls import is_forbidden_address

CONNECT_TIMEOUT = 5.0
_local = threading.local()


class AddressRefusedError(OSError):
    """The host resolved to a link-local, unspecified or metadata address only."""


@contextmanager
def deadline(at: float) -> Iterator[None]:
    """Bound all socket operations of this thread.

    :param at: monotonic seconds; from then on each raises ``TimeoutError``.
    """
    before = getattr(_local, "deadline", None)
    _local.deadline = at
    try:
        yield
    finally:
        _local.deadline = before


def _remaining() -> float | None:
    """Seconds left for this thread's call; ``None`` when it has no deadline."""
    at = getattr(_local, "deadline", None)
    if at is None:
        return None
    left: float = at - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline reached")
    return left


class _DeadlineMixin:
    """Give each operation only what is left of the call."""

    def _arm(self) -> None:
        left = _remaining()
        if left is not None:
            self.settimeout(left)  # type: ignore[attr-defined]

    def recv(self, *args: Any, **kwargs: Any) -> Any:
        self._arm()
        return super().recv(*args, **kwargs)  # type: ignore[misc]

    def recv_into(self, *args: Any, **kwargs: Any) -> Any:
        self._arm()
        return super().recv_into(*args, **kwargs)  # type: ignore[misc]

    def sendall(self, *args: Any, **kwargs: Any) -> Any:
        self._arm()
        return super().sendall(*args, **kwargs)  # type: ignore[misc]


class DeadlineSocket(_DeadlineMixin, socket.socket):
    """A TCP socket under the thread's deadline."""


class DeadlineSSLSocket(_DeadlineMixin, ssl.SSLSocket):
    """A TLS socket under the thread's deadline."""

    def do_handshake(self, *args: Any, **kwargs: Any) -> None:
        """Shake hands; OpenSSL bounds the handshake as a whole by the timeout set here."""
        self._arm()
        super().do_handshake(*args, **kwargs)


if TYPE_CHECKING:  # to the type checker the mixin is a connection; at run time it stands before one
    _Base = HTTPConnection
else:
    _Base = object


class _Lines:
    """Pass lines on, and remember the last one."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._reader.readline(limit)
        return self.last

    def close(self) -> None:
        self._reader.close()


class _Response(http.client.HTTPResponse):
    """The head of an answer, read more carefully than the standard library does.

    It skips no informational answer but 100 (RFC 9110 §15.2), and takes a connection that is cut
    within the headers for their end.
    """

    def begin(self) -> None:
        """Read status line and headers.

        :raises http.client.IncompleteRead: when the connection ends before the headers do.
        """
        reader = self.fp
        lines: Any = _Lines(reader)
        self.fp = lines
        try:
            super().begin()
        finally:
            if self.fp is lines:
                self.fp = reader
        if not lines.last:
            raise http.client.IncompleteRead(b"")

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 102 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _GuardedMixin(_Base):
    """Open the socket ourselves: deadline, address check, one budget over all addresses."""

    response_class = _Response
    refuses_addresses = True

    def _new_conn(self) -> socket.socket:
        host: str = self._dns_host
        port: int = self.port
        timeout = self.timeout if isinstance(self.timeout, int | float) else CONNECT_TIMEOUT
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, reason) from error
        try:
            sock = _connect(self._accepted(found), timeout, self.socket_options)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"connecting to {host} took too long") from error
        except AddressRefusedError:
            raise
        except OSError as error:
            raise NewConnectionError(self, f"connecting failed: {error}") from error
        sys.audit("http.client.connect", self, host, port)
        return sock

    def _accepted(self, found: list[Any]) -> list[Any]:
        # Behind a proxy the peer is the proxy, which the deployment has chosen.
        if not self.refuses_addresses or getattr(self, "proxy", None) is not None:
            return found
        accepted = [entry for entry in found if not is_forbidden_address(str(entry[4][0]))]
        if not accepted:
            raise AddressRefusedError("the host resolves to a link-local or metadata address")
        return accepted


def _connect(found: list[Any], timeout: float, options: Any) -> socket.socket:
    """Try the addresses in turn, all within *timeout* seconds, each with its fair share."""
    ends_at = time.monotonic() + timeout
    last: OSError = OSError("no address")
    for index, (family, kind, proto, _, address) in enumerate(found):
        left = _remaining()
        share = (ends_at - time.monotonic()) / (len(found) - index)
        sock = DeadlineSocket(family, kind, proto)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(max(0.001, share if left is None else min(share, left)))
            sock.connect(address)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    raise last


class GuardedHTTPConnection(_GuardedMixin, HTTPConnection):
    """Plain HTTP."""


class GuardedHTTPSConnection(_GuardedMixin, HTTPSConnection):
    """HTTP over TLS."""


class _TrustingHTTPConnection(GuardedHTTPConnection):
    refuses_addresses = False


class _TrustingHTTPSConnection(GuardedHTTPSConnection):
    refuses_addresses = False


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = GuardedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = GuardedHTTPSConnection


class _TrustingHTTPPool(HTTPConnectionPool):
    ConnectionCls = _TrustingHTTPConnection


class _TrustingHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TrustingHTTPSConnection


def pool_classes(*, any_address: bool) -> dict[str, type[HTTPConnectionPool]]:
    """Return the pool class of each scheme.

    :param any_address: the host is allow-listed, so link-local addresses are meant.
    """
    if any_address:
        return {"http": _TrustingHTTPPool, "https": _TrustingHTTPSPool}
    return {"http": _HTTPPool, "https": _HTTPSPool}
