"""A loopback server that answers exactly as told, byte by byte if need be.

Every answer is written by hand onto the socket, so that a test can have answers no HTTP library
would send. The server counts requests and connections itself: that is what tests assert on.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, Self
from urllib.parse import parse_qs

_STEP = 0.05


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it came in; *connection* counts from 1.

    :param certificate: DER of the one that the client has presented, if it has.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    received_at: float
    certificate: bytes | None = None

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return values[0] if values else None

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True)


class ScriptedResponse(Protocol):
    """What the server does with a request; true means that the connection stays open."""

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool: ...


@dataclass(frozen=True)
class Raw:
    data: bytes
    keep_open: bool = False

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(self.data)
        return self.keep_open


@dataclass(frozen=True)
class Text:
    status: int = 200
    body: str | bytes = ""
    content_type: str = "text/plain"
    headers: Sequence[tuple[str, str]] = ()

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        lines = [f"HTTP/1.1 {self.status} Scripted", f"Content-Length: {len(body)}"]
        lines += [f"Content-Type: {self.content_type}"] if self.content_type else []
        lines += [f"{name}: {value}" for name, value in self.headers]
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return True


def Json(obj: Any, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> Text:  # noqa: N802
    """ScriptedResponse with a JSON document."""
    return Text(status, json.dumps(obj), "application/json", headers)


def Redirect(location: str, status: int = 302) -> Text:  # noqa: N802
    """ScriptedResponse with a redirect."""
    return Text(status, "", "text/plain", [("Location", location)])


def token_json(value: str = "tok-1", **more: Any) -> Text:
    """ScriptedResponse with a token; ``None`` leaves a member out."""
    members = {"access_token": value, "token_type": "Bearer", "expires_in": 3600, **more}
    return Json({name: content for name, content in members.items() if content is not None})


@dataclass(frozen=True)
class Drip:
    """One byte every *interval* seconds."""

    data: bytes
    interval: float

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        for byte in self.data:
            connection.sendall(bytes([byte]))
            if stopped.wait(self.interval):
                break
        return False


@dataclass(frozen=True)
class Endless:
    """*prefix* once, then *chunk* for ever."""

    prefix: bytes
    chunk: bytes

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(self.prefix)
        while not stopped.is_set():
            connection.sendall(self.chunk)
        return False


@dataclass(frozen=True)
class Reset:
    """A TCP reset, after *data*."""

    data: bytes = b""

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        connection.sendall(self.data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False


@dataclass(frozen=True)
class CloseNow:
    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        return False


@dataclass(frozen=True)
class Silent:
    """Never answer."""

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        stopped.wait()
        return False


@dataclass(frozen=True)
class Delay:
    seconds: float
    response: ScriptedResponse

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        stopped.wait(self.seconds)
        return self.response.play(connection, stopped)


@dataclass(frozen=True)
class Held:
    """Respond when *released* is set, or true: a state instead of a time."""

    released: threading.Event | Callable[[], object]
    response: ScriptedResponse

    def play(self, connection: socket.socket, stopped: threading.Event) -> bool:
        released = self.released
        if isinstance(released, threading.Event):
            while not released.wait(_STEP) and not stopped.is_set():
                pass
        else:
            while not released() and not stopped.wait(_STEP):
                pass
        return self.response.play(connection, stopped)


Script = ScriptedResponse | Callable[[RecordedRequest], ScriptedResponse]


@dataclass
class ScriptedServer:
    """A server on a port of its own, with a thread for each connection.

    :param context: TLS context; ``None`` for plain HTTP.
    :param stall_handshake: accept connections and never say anything.
    """

    context: ssl.SSLContext | None = None
    stall_handshake: bool = False
    host: str = "127.0.0.1"
    requests: list[RecordedRequest] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._responses: list[Script] = [token_json()]
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((self.host, 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://{self.host}:{self.port}"

    def script(self, *responses: Script) -> None:
        """Set the responses: one a request, the last for ever."""
        with self._lock:
            self._responses = list(responses)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with suppress(OSError):  # wakes accept()
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.add(connection)
            self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self.stall_handshake:
                self._stopped.wait()
                return
            if self.context:
                connection = self._encrypted(connection, self.context)
            with connection.makefile("rb") as reader:
                certificate = _certificate_of(connection)
                while request := self._read(reader, number, certificate):
                    if not self._next(request).play(connection, self._stopped):
                        return
        except (OSError, ValueError):  # the peer has gone, or does not like our certificate
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            with suppress(OSError):
                connection.close()

    def _encrypted(self, connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Begin TLS; the socket that is closed at the end is another one then."""
        encrypted = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.discard(connection)
            self._open.add(encrypted)
        try:
            encrypted.do_handshake()
        except OSError:
            _close_gently(encrypted)
            with self._lock:
                self._open.discard(encrypted)
            raise
        return encrypted

    def _read(self, reader: Any, number: int, certificate: bytes | None) -> RecordedRequest | None:
        line = reader.readline()
        if not line:
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while (line := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
        body = _read_chunks(reader) if chunked else reader.read(length)
        request = RecordedRequest(method, target, headers, body, number, time.monotonic(), certificate)
        with self._lock:
            self.requests.append(request)
        return request

    def _next(self, request: RecordedRequest) -> ScriptedResponse:
        with self._lock:
            response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        return response(request) if callable(response) and not hasattr(response, "play") else response


def _certificate_of(connection: socket.socket) -> bytes | None:
    return connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None


def _close_gently(connection: ssl.SSLSocket) -> None:
    """Close after an alert: with a request still unread TCP would reset, and the peer never see the alert."""
    connection.settimeout(1.0)
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    connection.close()


def _read_chunks(reader: Any) -> bytes:
    data = b""
    while size := int(reader.readline(), 16):
        data += reader.read(size)
        reader.readline()
    reader.readline()
    return data
