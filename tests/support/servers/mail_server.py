"""A mail server that keeps what it is sent."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

_REPLIES = {b"DATA": b"354 go on", b"QUIT": b"221 bye"}


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say(b"220 here")
        for line in self.rfile:
            command = line[:4].upper()
            self._say(_REPLIES.get(command, b"250 ok"))
            if command == b"QUIT":
                return
            if command == b"DATA":
                self._take()

    def _take(self) -> None:
        lines = iter(self.rfile.readline, b".\r\n")
        server: Any = self.server
        server.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self._say(b"250 kept")

    def _say(self, text: bytes) -> None:
        self.wfile.write(text + b"\r\n")


class MailServer(socketserver.ThreadingTCPServer):
    """Listens on loopback; ``mails`` are those it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.mails: list[EmailMessage] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def connection(self) -> dict[str, Any]:
        """Return an Airflow connection to it."""
        extra = {"disable_ssl": True, "disable_tls": True}
        return {"conn_type": "smtp", "host": "127.0.0.1", "port": self.server_address[1], "extra": extra}
