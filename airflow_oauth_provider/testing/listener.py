"""HTTP on a free port of loopback, with all of the standard library's own."""

from __future__ import annotations

import itertools
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, cast

from airflow_oauth_provider.testing.endpoints import Request, Response

LOOPBACK = "127.0.0.1"


class Listener(ThreadingTCPServer):
    """One thread accepts connections, and each connection has one of its own.

    :param respond: makes the response to a request.
    """

    allow_reuse_address = True
    request_queue_size = 128
    timeout = 1.0
    """Seconds until it sees that it was stopped, if no connection can wake it."""

    def __init__(self, respond: Callable[[Request], Response]) -> None:
        super().__init__((LOOPBACK, 0), _Exchange)
        self.respond = respond
        self.stopped = threading.Event()
        self.numbers = itertools.count(1)
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """The port that the system has chosen."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Accept connections."""
        self._thread.start()

    def stop(self) -> None:
        """End all connections, and wait for all threads."""
        self.stopped.set()
        with suppress(OSError):  # wakes what waits for a connection
            socket.create_connection((LOOPBACK, self.port)).close()
        self._thread.join()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def _accept(self) -> None:
        """Serve until the end; ``serve_forever`` would see that one only at its next look."""
        while not self.stopped.is_set():
            self.handle_request()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and remember it."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection, and end it."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what a route of the test raises; that a client has gone is nothing to report."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Give the connection its number."""
        super().setup()
        self._listener = cast("Listener", self.server)
        self._number = next(self._listener.numbers)

    def _respond(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self._body(headers), self._number)
        response = self._listener.respond(request)
        if self._listener.stopped.wait(response.delay) or response.dropped:
            self.close_connection = True
        else:
            self._send(response)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _respond  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: ``requests`` of an endpoint have all."""

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return self.rfile.read(int(headers.get("content-length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if response.cut_after is not None:
            self.close_connection = True
        body = response.body[: response.cut_after]
        if response.interval:
            self._drip(body, response.interval)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes, interval: float) -> None:
        for byte in body:
            self.wfile.write(bytes([byte]))
            if self._listener.stopped.wait(interval):
                return
