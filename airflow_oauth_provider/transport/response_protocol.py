"""What aiohttp makes of the bytes of a response, whichever pieces of it arrive together.

The counterpart of :mod:`airflow_oauth_provider.transport.response_parser`. aiohttp gives up all that has
arrived with a byte that it cannot read: the head of a response, where the body that came with it is not
chunked as it says, or where more follows than the head announces. And where the head came before, nobody
tells the reader of the body. A thread reads the head first, and then the body.

Rules:

* A head that can be read is a response. What is wrong behind it concerns its body, if that is not complete.
* A call that succeeds pays nothing for it: what has arrived is taken from the frame of the error.
* Where aiohttp's own parts are other ones than those known here, its error stays what it is.
"""

from __future__ import annotations

import re
from inspect import signature
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpResponseParser
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD

from airflow_oauth_provider.transport.response_parser import MalformedChunkError

MAX_HEADER = 64 * 1024
"""Bytes of the longest header of a response, as ``http.client`` has it."""
MAX_HEADERS = 99
"""Headers of a response, as ``http.client`` has it."""
HEAD_LIMITS: dict[str, Any] = {"max_line_size": MAX_HEADER, "max_field_size": MAX_HEADER}
"""Of the head of a response, as arguments for aiohttp."""
if "max_headers" in signature(aiohttp.ClientSession).parameters:  # older versions have no such limit
    HEAD_LIMITS["max_headers"] = MAX_HEADERS
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_WITHOUT_BODY = frozenset({204, 304})


class ResponseProtocol(ResponseHandler):
    """A connection of aiohttp's whose responses are read as far as they can be."""

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """End the responses that are waited for, unless one can be read of what has arrived."""
        if isinstance(exc, HttpProcessingError) and self._keep_what_is_read(_arrived(exc_cause)):
            return
        super().set_exception(exc, *(() if exc_cause is None else (exc_cause,)))

    def connection_lost(self, exc: BaseException | None) -> None:
        """End what is waited for; a body that has failed keeps the reason why."""
        body: Any = self._payload
        if body is not None and body.exception() is not None:
            self._payload = None
        super().connection_lost(exc)

    def _keep_what_is_read(self, data: bytes) -> bool:
        """Hand over what can be read in spite of an error behind it; the connection is being closed.

        :param data: what has arrived.
        """
        self._should_close = True
        body: Any = self._payload
        if body is not None and not body.is_eof():
            self._parser = None
            _break_off(body)
            return True
        try:
            return self._read_anew(data)
        except Exception:  # the head itself is malformed, or aiohttp has changed
            return False

    def _read_anew(self, data: bytes) -> bool:
        """Parse what has arrived once more: first its head, then what follows."""
        parser: Any = HttpResponseParser(
            self,
            self._loop,
            self._read_bufsize,
            payload_exception=aiohttp.ClientPayloadError,
            response_with_body=not self._skip_payload,
            auto_decompress=not self._skip_payload,
            read_until_eof=True,
            **HEAD_LIMITS,
        )
        at = 0
        for end in _END_OF_HEAD.finditer(data):
            for message, body in parser.feed_data(data[at : end.end()])[0]:
                has_body = not self._skip_payload and message.code not in _WITHOUT_BODY
                self._payload = body if has_body else EMPTY_PAYLOAD
                self.feed_data((message, self._payload), 0)
                if message.code >= 200:
                    self._parser = None
                    _end(parser, self._payload, data[end.end() :])
                    return True
            at = end.end()
        return False


def _arrived(error: BaseException | None) -> bytes:
    """Return what aiohttp was parsing when an error came up; nothing where it does not show."""
    traceback = error.__traceback__ if error is not None else None
    data = traceback.tb_frame.f_locals.get("data") if traceback is not None else None
    return bytes(data) if isinstance(data, bytes | bytearray) else b""


def _end(parser: Any, body: Any, rest: bytes) -> None:
    """Read of a body what there is, and say that no more will come."""
    try:
        parser.feed_data(rest)
        parser.feed_eof()
    except Exception:
        if not body.is_eof():
            _break_off(body)


def _break_off(body: Any) -> None:
    error = aiohttp.ClientPayloadError("the chunks of the response are malformed")
    error.__cause__ = MalformedChunkError("a chunk")  # aiohttp keeps it for those only who wait already
    body.set_exception(error)
