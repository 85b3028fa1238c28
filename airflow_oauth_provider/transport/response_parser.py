"""Reading of responses, where the standard library and urllib3 are too lenient.

Rules:

* A response means the same to a thread as to a coroutine: what aiohttp's parser refuses is refused here, too
  (RFC 9112 §5, §6.3, §7.1). The standard library drops all headers behind a malformed line, the length of
  the body among them, and has its own idea of numbers: ``-1`` as the size of a chunk is a body that is read
  to the end of the connection, past every limit.
* Two equal lengths, and a length beside chunks, which override it, have one meaning (RFC 9112 §6.3). Servers
  and gateways send them: a thread reads such a response, as all callers of the standard library do. aiohttp
  refuses it. It also takes a line with a blank before it for the first header, or for the end of all. What
  differs stands in ``docs/hook.md``.
* The connection that ends within a response has cut it; what is wrong in itself is malformed.
* What every call pays for it is a search in the bytes of the head.
"""

from __future__ import annotations

import http.client
import re
import socket
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    InvalidHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from typing import Any

from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from airflow_oauth_provider.transport.deadlines import within

MAX_TRAILER = 64 * 1024
"""Bytes of what follows the last chunk of a body."""
MAX_LINE = 64 * 1024
"""Bytes of a status line, as ``http.client`` has it."""
_STATUS_LINE = re.compile(rb"HTTP/(0\.9|1\.[01]|2\.0) ([1-9][0-9]{2})(?: ([^\r\n]*))?\r?\n")
_CHUNK_SIZE = re.compile(rb"0*[0-9A-Fa-f]{1,16}[ \t]*[;\r\n]")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0\r]*\r?\n")
_BLANK = (b"\r\n", b"\n")
_LENGTH, _CODING = b"\ncontent-length:", b"\ntransfer-encoding:"
_MOST_DIGITS = 19
"""Of a length in 64 bits."""
_NOT_ASKED_FOR = frozenset({"br", "zstd"})
"""Encodings that are asked for where their decoders are installed."""
_DEFECTS = (FirstHeaderLineIsContinuationDefect, InvalidHeaderDefect, MissingHeaderBodySeparatorDefect)
"""What the parser of mail says of lines that are no headers; others are of a body, which it has not seen."""


class MalformedHeadError(http.client.HTTPException):
    """The headers of a response are malformed, or contradict each other about the length of its body."""


class MalformedChunkError(ValueError):
    """A body is not chunked as RFC 9112 §7.1 says; ``http.client`` expects a ``ValueError``."""


class _Lines:
    """Pass lines on, and remember them."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.passed: list[bytes] = []

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._reader.readline(limit)
        self.passed.append(line)
        return line

    def flush(self) -> None:
        """Do nothing: ``http.client`` calls it when a response is closed, and nothing is written here."""

    def close(self) -> None:
        self._reader.close()


class _ChunkSizes(_Lines):
    """Pass on lines that give the size of a chunk.

    :raises MalformedChunkError: for any other, unless the connection has ended.
    """

    def readline(self, limit: int = -1) -> bytes:
        line = super().readline(limit)
        if line.endswith(b"\n") and not _CHUNK_SIZE.match(line):
            raise MalformedChunkError("the size of a chunk")
        return line


class StrictResponse(http.client.HTTPResponse):
    """A response that is read more carefully than by the standard library.

    That one skips no informational response but 100 (RFC 9110 §15.2), and takes a connection that is cut
    within the headers for their end.
    """

    _tossed: bytes | None = None
    """What was read where a chunk ends."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._seconds = sock.gettimeout()

    def begin(self) -> None:
        """Read status line and headers, all within the seconds that a single byte may take.

        :raises http.client.IncompleteRead: when the connection ends before the headers do.
        :raises MalformedHeadError: when they are none.
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
        if not lines.passed[-1]:
            raise http.client.IncompleteRead(b"")
        self._check_head(b"".join(lines.passed))

    def _check_head(self, head: bytes) -> None:
        """Refuse what the standard library has read, but in its own way.

        :param head: of the last response, from its status line on.
        :raises MalformedHeadError: then.
        """
        if not self._fits(head) or head.find(b"\0", head.find(b"\n")) >= 0:
            raise MalformedHeadError("headers")
        if head.count(b"\r") != head.count(b"\r\n"):
            raise MalformedHeadError("headers")
        if self.msg.defects and any(isinstance(defect, _DEFECTS) for defect in self.msg.defects):
            raise MalformedHeadError("headers")

    def _fits(self, head: bytes) -> bool:
        """Whether the headers say of the body in one way only where it ends."""
        lowered = head.lower()
        at, length = lowered.find(_LENGTH), None
        while at >= 0:
            end = head.find(b"\n", at + 1)
            digits = head[at + len(_LENGTH) : end].strip()
            if not digits.isdigit() or len(digits) > _MOST_DIGITS or length not in {None, digits}:
                return False
            at, length = lowered.find(_LENGTH, end), digits
        return length is None or self.chunked or _CODING not in lowered

    def _read_status(self) -> tuple[str, int, str]:
        """Read a status line (RFC 9112 §4), past informational responses and empty lines before it.

        :raises http.client.BadStatusLine: for any other line.
        :raises http.client.IncompleteRead: when the connection ends within it.
        """
        while True:
            line = self.fp.readline(MAX_LINE + 1)
            if isinstance(self.fp, _Lines):
                self.fp.passed[:] = [line]  # those before would fill the memory, were there no end to them
            if line in _BLANK:  # behind the response before, from servers that miscount
                continue
            match = _STATUS_LINE.fullmatch(line)
            if match is None:
                raise _not_a_status(line)
            status = int(match[2])
            if not 102 <= status < 200:
                version = "HTTP/1.1" if match[1] == b"2.0" else f"HTTP/{match[1].decode()}"
                return version, status, (match[3] or b"").decode("latin-1")
            http.client.parse_headers(self.fp)

    def _safe_read(self, amt: int) -> bytes:
        data: bytes = super()._safe_read(amt)  # type: ignore[misc]
        self._tossed = data if amt == 2 else None
        return data

    def _read_next_chunk_size(self) -> int:
        """Read the size of the next chunk (RFC 9112 §7.1).

        :raises MalformedChunkError: when there is none, or the chunk before does not end where it says.
        """
        if self._tossed not in {None, b"\r\n"}:
            raise MalformedChunkError("the end of a chunk")
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

        :raises MalformedChunkError: when it is no list of headers, or longer than one may be.
        :raises http.client.IncompleteRead: when the connection ends before it does.
        """
        size = 0
        with within(self._seconds):
            while (line := self.fp.readline(MAX_TRAILER)) not in _BLANK:
                size += len(line)
                if not line.endswith(b"\n") and size < MAX_TRAILER:
                    raise http.client.IncompleteRead(b"")
                if size >= MAX_TRAILER or not _FIELD.fullmatch(line):
                    raise MalformedChunkError("trailers")

    _read_and_discard_trailer = end


def _not_a_status(line: bytes) -> http.client.HTTPException:
    """Return what is wrong with the first line of a response."""
    if not line:
        return http.client.RemoteDisconnected("the connection was closed without a response")
    if line[:5] != b"HTTP/"[: len(line)] or line.endswith(b"\n"):
        return http.client.BadStatusLine("")
    return http.client.LineTooLong("status line") if len(line) > MAX_LINE else http.client.IncompleteRead(b"")


class EmptyRest:
    """What is left to be read of a head or a body that has been read: the empty line at its end."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readline(self, _limit: int = -1) -> bytes:
        """Return that line."""
        return b"\r\n"

    def flush(self) -> None:
        """Do nothing, as above."""

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()


class _Undecodable:
    """Stands for a decoder that is not installed."""

    has_unconsumed_tail = False

    def decompress(self, data: bytes, **_: Any) -> bytes:
        """Refuse what it would have to decode; urllib3 expects an ``OSError``."""
        if data:
            raise OSError("a body that nobody asked for in this encoding")
        return b""

    def flush(self) -> bytes:
        """Return nothing."""
        return b""


class StrictBody(HTTPResponse):
    """The body of a response: where it is streamed, urllib3 reads its chunks past the standard library.

    In an encoding that nobody asked for it is none; urllib3 would pass it on as it is.
    """

    def _init_decoder(self) -> None:
        super()._init_decoder()
        if self._decoder is None and self.headers.get("content-encoding", "").lower() in _NOT_ASKED_FOR:
            decoder: Any = _Undecodable()
            self._decoder = decoder

    def _update_chunk_length(self) -> None:
        if self.chunk_left is not None:
            return
        head: Any = self._fp
        try:
            self.chunk_left = head._read_next_chunk_size()  # noqa: SLF001
            if self.chunk_left == 0:
                head.end()
                head.fp = EmptyRest(head.fp)  # urllib3 would read on without a limit
        except ValueError as error:
            self.close()
            raise ProtocolError("the chunks of a body are malformed", error) from None
