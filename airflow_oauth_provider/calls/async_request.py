"""A call on its way to aiohttp, encoded as ``requests`` does it: the same bytes on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from airflow_oauth_provider.calls.body import can_replay, rewind
from airflow_oauth_provider.calls.session import DEFAULT_TIMEOUT

_CHUNK = 64 * 1024


class Outgoing:
    """A call, encoded as ``requests`` does it.

    :param headers: of this call.
    """

    __slots__ = ("_encoded", "_stream", "headers", "options", "url")

    def __init__(self, url: str, headers: dict[str, Any], timeout: aiohttp.ClientTimeout) -> None:
        self.url = url
        self.headers = headers
        self.options: dict[str, Any] = {"timeout": timeout}
        self._encoded: PreparedRequest | None = None
        self._stream: Any = None

    def encode_params(self, params: Any) -> None:
        """Add query parameters."""
        self.url = encoded(self.url, params)

    def encode_body(self, data: Any, json: Any, files: Any) -> None:
        """Set the body, and the headers that tell of it."""
        if hasattr(data, "__aiter__"):
            self._stream = data
            return
        encoder = self._encoded = PreparedRequest()
        encoder.headers = CaseInsensitiveDict(self.headers)
        encoder.prepare_body(data, files, json)
        self.headers = dict(encoder.headers)
        # aiohttp divides into chunks by itself.
        self.headers.pop("Transfer-Encoding", None)
        self.name_no_type()

    def name_no_type(self) -> None:
        """Leave out the type that aiohttp would make up; said where it would only, since it costs."""
        self.options["skip_auto_headers"] = ("Content-Type",)

    @property
    def replayable(self) -> bool:
        """Whether the body can be sent again."""
        return self._stream is None and (self._encoded is None or can_replay(self._encoded))

    def body(self, *, again: bool) -> Any:
        """Return the body in a form that aiohttp sends as it is.

        :param again: it has been sent before.
        """
        if self._encoded is None:
            return self._stream
        if again:
            rewind(self._encoded)
        body: Any = self._encoded.body
        if isinstance(body, str):
            return body.encode()
        return body if body is None or isinstance(body, bytes) else _pieces(body)


def encoded(url: str, params: Any = None) -> str:
    """Return *url* with *params*, encoded as ``requests`` does it."""
    encoder = PreparedRequest()
    encoder.prepare_url(url, params)
    return encoder.url or url


def read_timeout(value: Any) -> aiohttp.ClientTimeout:
    """Read a timeout as ``requests`` does: for connecting, and between two received bytes."""
    if value is None:
        return _DEFAULT_TIMEOUT
    connect, read = value if isinstance(value, tuple) else (value, value)
    return aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=read)


_DEFAULT_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=DEFAULT_TIMEOUT, sock_read=DEFAULT_TIMEOUT)


async def _pieces(body: Any) -> AsyncIterator[bytes]:
    """Yield a file or an iterable piece by piece; reading a local file holds the loop up for moments only."""
    pieces = iter(lambda: body.read(_CHUNK), body.read(0)) if hasattr(body, "read") else body
    for piece in pieces:
        yield piece.encode() if isinstance(piece, str) else piece
