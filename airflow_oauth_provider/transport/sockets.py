"""Sockets that keep a deadline, and refuse addresses a token must not reach.

The timeouts of ``requests`` and urllib3 count from one received byte to the next: a server that
drips a byte now and then holds a caller for ever. Here every single read is given only what is
left of the whole call, so the sum is bounded too, in plain sockets and in TLS alike, without a
second thread that would have to shut the socket down.
"""

from __future__ import annotations

import errno
import http.client
import os
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.response import HTTPResponse

from airflow_oauth_provider.protocol.urls import acceptable
from airflow_oauth_provider.transport.deadlines import earlier, left, limits, within
from airflow_oauth_provider.transport.response_parser import StrictBody, StrictResponse
from airflow_oauth_provider.transport.steps import Step, StepName, observer, recording
from airflow_oauth_provider.transport.stopping import GLANCE, Stop
from airflow_oauth_provider.transport.tls_facts import chain_ends_at, tls_version
from airflow_oauth_provider.transport.tunnels import TunnelError, TunnelResponse

CONNECT_TIMEOUT = 5.0
_SMALL = 16 * 1024
"""Characters or bytes of a body that is copied behind its head."""


class AddressRefusedError(OSError):
    """The host resolved to addresses only that no server has, or its name to another machine."""


class _BoundedMixin:
    """Give each operation only what is left of the call, and look now and then whether to stop."""

    def _patiently(self, operation: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Carry out an operation that can be repeated after it has timed out."""
        sock: Any = self
        at, stop = limits()
        own = sock.gettimeout()
        if own == 0:
            return self._looked_for(operation, args, kwargs)
        until = earlier(at, None if own is None else time.monotonic() + own)
        try:
            while True:
                stop.check()
                remaining = left(until)
                sock.settimeout(GLANCE if remaining is None else min(remaining, GLANCE))
                try:
                    return operation(*args, **kwargs)
                except TimeoutError:
                    continue
        finally:
            if sock.fileno() >= 0:
                sock.settimeout(own)

    def _looked_for(self, operation: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Look what a peer that has gone has left behind, as ``ssl`` does before a handshake."""
        try:
            return operation(*args, **kwargs)
        except ConnectionError:
            self.close()  # type: ignore[attr-defined]  # ssl would leave it open
            raise

    def recv(self, *args: Any, **kwargs: Any) -> Any:
        return self._patiently(super().recv, args, kwargs)  # type: ignore[misc]

    def recv_into(self, *args: Any, **kwargs: Any) -> Any:
        return self._patiently(super().recv_into, args, kwargs)  # type: ignore[misc]

    def sendall(self, *args: Any, **kwargs: Any) -> Any:
        """Send; cannot be repeated, since part of it may have gone."""
        at, stop = limits()
        stop.check()
        remaining = left(at)
        if remaining is not None:
            self.settimeout(remaining)  # type: ignore[attr-defined]
        return super().sendall(*args, **kwargs)  # type: ignore[misc]


class BoundedSocket(_BoundedMixin, socket.socket):
    """A TCP socket within the thread's bounds."""


class BoundedSSLSocket(_BoundedMixin, ssl.SSLSocket):
    """A TLS socket within the thread's bounds."""

    def do_handshake(self, *args: Any, **kwargs: Any) -> None:
        """Shake hands."""
        with recording(StepName.TLS, self.server_hostname) as step:
            self._patiently(super().do_handshake, args, kwargs)
            if step.observed:
                step.text, step.chain_ends_at = tls_version(self), chain_ends_at(self)


if TYPE_CHECKING:  # to the type checker the mixin is a connection; at run time it stands before one
    _Base = HTTPConnection
else:
    _Base = object


class _GuardedMixin(_Base):
    """Open the socket ourselves: deadline, address check, one budget over all addresses."""

    response_class: Any = StrictResponse
    any_address = False
    _pieces: list[bytes] | None = None
    """Of a request that is being put together; ``None`` while none is."""

    def request(self, method: str, url: str, body: Any = None, *arguments: Any, **options: Any) -> None:
        """Send a request; one whose body is small and at hand in one piece, as urllib3 would not.

        The head on its own is another call of the system and another packet (``benchmarks.new_token``).
        """
        if not isinstance(body, bytes | str) or len(body) > _SMALL:
            super().request(method, url, body, *arguments, **options)
            return
        pieces: list[bytes] = []
        self._pieces = pieces
        try:
            super().request(method, url, body, *arguments, **options)
        finally:
            self._pieces = None
        self.send(b"".join(pieces))

    def send(self, data: Any) -> None:
        """Send this, or keep it until the request is complete."""
        if self._pieces is None:
            super().send(data)
        else:
            self._pieces.append(data)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        """Get the response, with a body that is read more carefully."""
        response = super().getresponse()
        response.__class__ = StrictBody
        return response

    def _tunnel(self) -> None:
        """Ask the proxy for a tunnel.

        :raises TunnelError: when there is none.
        """
        self.response_class = TunnelResponse
        seconds: float | None = self.sock.gettimeout() if self.sock else None
        try:
            # All of the response within the seconds that a single byte of it may take.
            with recording(StepName.TUNNEL, self._tunnel_host), within(seconds):
                super()._tunnel()
        except TunnelError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise TunnelError(None) from error
        finally:
            del self.response_class

    def _new_conn(self) -> socket.socket:
        host: str = self._dns_host
        port: int = self.port
        timeout = self.timeout if isinstance(self.timeout, int | float) else CONNECT_TIMEOUT
        with recording(StepName.RESOLVE, host) as step:
            try:
                addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
            except (socket.gaierror, UnicodeError) as error:
                reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
                raise NameResolutionError(self.host, self, reason) from error
            step.resolved(str(entry[4][0]) for entry in addresses)
            addresses = self._accepted(addresses)
        try:
            with recording(StepName.CONNECT, f"{host}:{port}") as step:
                sock = _connect(addresses, timeout, self.socket_options)
                if step.observed:
                    step.resolved([str(sock.getpeername()[0])])
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"connecting to {host} took too long") from error
        except OSError as error:
            raise NewConnectionError(self, f"connecting failed: {error}") from error
        sys.audit("http.client.connect", self, host, port)
        return sock

    def _accepted(self, addresses: list[Any]) -> list[Any]:
        # Behind a proxy the peer is the proxy, which the deployment has chosen.
        anywhere = self.any_address or getattr(self, "proxy", None) is not None
        host = self._dns_host.strip("[]")
        accepted = [entry for entry in addresses if acceptable(host, str(entry[4][0]), any_address=anywhere)]
        if not accepted:
            raise AddressRefusedError("the host resolves to no address that it may have")
        return accepted


def _connect(addresses: list[Any], timeout: float, options: Any) -> socket.socket:
    """Try the addresses in turn, all within *timeout* seconds, each with its fair share."""
    at, stop = limits()
    ends_at = time.monotonic() + timeout
    last: OSError = OSError("no address")
    for index, (family, kind, proto, _, address) in enumerate(addresses):
        left(at)
        share = time.monotonic() + (ends_at - time.monotonic()) / (len(addresses) - index)
        sock = BoundedSocket(family, kind, proto)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            _connect_one(sock, address, earlier(at, share), stop)
            # For what follows, first of all the handshake of TLS.
            sock.settimeout(timeout if at is None else max(0.001, at - time.monotonic()))
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise last


def _connect_one(sock: socket.socket, address: Any, until: float | None, stop: Stop) -> None:
    sock.setblocking(False)
    code = sock.connect_ex(address)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while code in {errno.EINPROGRESS, errno.EWOULDBLOCK}:
        stop.check()
        remaining = left(until)
        if poll.poll(1000 * (GLANCE if remaining is None else min(remaining, GLANCE))):
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


class GuardedHTTPConnection(_GuardedMixin, HTTPConnection):
    """Plain HTTP."""


class GuardedHTTPSConnection(_GuardedMixin, HTTPSConnection):
    """HTTP over TLS."""

    def connect(self) -> None:
        """Connect; TLS within the TLS of a proxy has no socket of ours that could record it."""
        super().connect()
        trace = observer()
        if trace is not None and not isinstance(self.sock, ssl.SSLSocket):
            trace.add(Step(StepName.TLS, host=self._dns_host, text=tls_version(self.sock)))


class _TrustingHTTPConnection(GuardedHTTPConnection):
    any_address = True


class _TrustingHTTPSConnection(GuardedHTTPSConnection):
    any_address = True


AnyAddress = Callable[[str, int], bool]
"""Whether any address of a host and port is meant, since just that host is allow-listed."""
PORTS = {"http": 80, "https": 443}
_CONNECTION_CLASSES = {
    ("http", False): GuardedHTTPConnection,
    ("http", True): _TrustingHTTPConnection,
    ("https", False): GuardedHTTPSConnection,
    ("https", True): _TrustingHTTPSConnection,
}


def connection_class(scheme: str, host: str, port: int | None, any_address: AnyAddress) -> Any:
    """Return the class of connections to a host and port."""
    return _CONNECTION_CLASSES[scheme, any_address(host, port or PORTS[scheme])]


class _HTTPPool(HTTPConnectionPool):
    def __init__(self, any_address: AnyAddress, host: str, port: int | None = None, **options: Any) -> None:
        super().__init__(host, port, **options)
        self.ConnectionCls = connection_class("http", self.host, self.port, any_address)


class _HTTPSPool(HTTPSConnectionPool):
    def __init__(self, any_address: AnyAddress, host: str, port: int | None = None, **options: Any) -> None:
        super().__init__(host, port, **options)
        self.ConnectionCls = connection_class("https", self.host, self.port, any_address)


def pool_classes(any_address: AnyAddress) -> dict[str, Callable[..., HTTPConnectionPool]]:
    """Return what makes the pool of one host and port, for each scheme."""
    return {"http": partial(_HTTPPool, any_address), "https": partial(_HTTPSPool, any_address)}
