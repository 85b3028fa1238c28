"""A Kafka broker that knows no more than who may connect: SASL/OAUTHBEARER (RFC 7628), and empty metadata."""

from __future__ import annotations

import socketserver
import struct
import threading
from typing import Self

METADATA, HANDSHAKE, API_VERSIONS, AUTHENTICATE = 3, 17, 18, 36
UNSUPPORTED_VERSION = 35
_VERSIONS = {METADATA: (0, 1), HANDSHAKE: (0, 1), API_VERSIONS: (0, 0), AUTHENTICATE: (0, 1)}


class KafkaBroker(socketserver.ThreadingTCPServer):
    """A broker on a port of its own.

    :param session: milliseconds after which a client must authenticate again (KIP-368).

    ``tokens`` are those that clients have brought, in order, ``extensions`` what came with them.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, session: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.session = session
        self.tokens: list[str] = []
        self.extensions: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Conversation(socketserver.StreamRequestHandler):
    server: KafkaBroker

    def handle(self) -> None:
        try:
            while size := self.rfile.read(4):
                request = self.rfile.read(struct.unpack(">i", size)[0])
                api, version, correlation, client = struct.unpack(">hhih", request[:10])
                body = request[10 + max(client, 0) :]
                response = struct.pack(">i", correlation) + self._response(api, version, body)
                self.wfile.write(struct.pack(">i", len(response)) + response)
        except ConnectionError:
            pass

    def _response(self, api: int, version: int, body: bytes) -> bytes:
        if api == API_VERSIONS:
            known = [struct.pack(">hhh", key, *versions) for key, versions in _VERSIONS.items()]
            error = UNSUPPORTED_VERSION if version else 0
            return struct.pack(">hi", error, len(known)) + b"".join(known)
        if api == HANDSHAKE:
            return struct.pack(">hi", 0, 1) + _string("OAUTHBEARER")
        if api == AUTHENTICATE:
            return self._authenticated(version, body)
        host, port = self.server.server_address[:2]
        broker = struct.pack(">ii", 1, 1) + _string(str(host)) + struct.pack(">i", port) + _string(None)
        return broker + struct.pack(">ii", 1, 0)

    def _authenticated(self, version: int, body: bytes) -> bytes:
        pairs = [pair.partition("=") for pair in body[4:].decode().split("\x01")[1:] if pair]
        given = {name: value for name, _, value in pairs}
        token = given.pop("auth").removeprefix("Bearer ")
        self.server.tokens.append(token)
        self.server.extensions.append(given)
        lifetime = struct.pack(">q", self.server.session) if version else b""
        return struct.pack(">h", 0) + _string(None) + struct.pack(">i", 0) + lifetime


def _string(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">h", -1)
    return struct.pack(">h", len(text)) + text.encode()
