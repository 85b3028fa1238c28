"""Reading of responses, where the standard library and urllib3 are too lenient.

Both read the size of a chunk by ``int(line, 16)``, which takes ``-1`` for a number: a body that is read to
the end of the connection then, past every limit.
"""

from __future__ import annotations

import http.client
import re
import socket
from typing import Any

from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from airflow_oauth_provider.transport.deadlines import within

MAX_TRAILER = 64 * 1024
"""Bytes of what follows the last chunk of a body."""
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}[ \t]*[;\r\n]")


class _Lines:
    """Pass lines on, and remember the last one."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._reader.readline(limit)
        return self.last

    def flush(self) -> None:
        """Do nothing: ``http.client`` calls it when a response is closed, and nothing is written here."""

    def close(self) -> None:
        self._reader.close()


class _ChunkSizes(_Lines):
    """Pass on lines that give the size of a chunk; any other becomes one that nobody can read."""

    def readline(self, limit: int = -1) -> bytes:
        line = super().readline(limit)
        return line if not line or _CHUNK_SIZE.match(line) else b"-\r\n"


class StrictResponse(http.client.HTTPResponse):
    """The head of a response, read more carefully than by the standard library.

    That one skips no informational response but 100 (RFC 9110 §15.2), takes a connection that is cut
    within the headers for their end, and a size of a chunk with a sign, underscore or prefix for a number.
    """

    received_status: int | None = None
    """The status, once it has been read."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._seconds = sock.gettimeout()

    def begin(self) -> None:
        """Read status line and headers, all within the seconds that a single byte may take.

        :raises http.client.IncompleteRead: when the connection ends before the headers do.
        """
        reader = self.fp
        lines: Any = _Lines(reader)
        self.fp = lines
        try:
            with within(self._seconds):
                super().begin()
        finally:
            if self.fp is lines:
                self.fp = reader
        if not lines.last:
            raise http.client.IncompleteRead(b"")

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            self.received_status = status
            if not 102 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)

    def _read_next_chunk_size(self) -> int:
        """Read the size of the next chunk (RFC 9112 §7.1).

        :raises ValueError: for anything but hexadecimal digits.
        """
        lines: Any = _ChunkSizes(self.fp)
        self.fp, reader = lines, self.fp
        try:
            with within(self._seconds):
                return int(super()._read_next_chunk_size())  # type: ignore[misc]
        finally:
            if self.fp is lines:
                self.fp = reader

    def end(self) -> None:
        """Read what follows the last chunk (RFC 9112 §7.1.2), within the seconds that a single byte may take.

        :raises http.client.LineTooLong: when it is longer than what stands before a body may be.
        """
        size = 0
        with within(self._seconds):
            while line := self.fp.readline(MAX_TRAILER):
                size += len(line)
                if size >= MAX_TRAILER:
                    raise http.client.LineTooLong("trailer section")
                if line in {b"\r\n", b"\n"}:
                    return

    _read_and_discard_trailer = end


class _End:
    """The last line of a body whose end has been read."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readline(self, _limit: int = -1) -> bytes:
        return b"\r\n"

    def flush(self) -> None:
        """Do nothing, as above."""

    def close(self) -> None:
        self._reader.close()


class StrictBody(HTTPResponse):
    """The body of a response: where it is streamed, urllib3 reads its chunks past the standard library."""

    def _update_chunk_length(self) -> None:
        if self.chunk_left is not None:
            return
        head: Any = self._fp
        try:
            self.chunk_left = head._read_next_chunk_size()  # noqa: SLF001
            if self.chunk_left == 0:
                head.end()
                head.fp = _End(head.fp)  # urllib3 would read on without a limit
        except ValueError:
            self.close()
            raise ProtocolError("the size of a chunk is malformed") from None
