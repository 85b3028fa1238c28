"""Bodies of requests: whether they can be sent again, and what their reading raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import requests.utils
from requests import PreparedRequest

from airflow_oauth_provider.calls.arguments import encoded

CHUNK = 64 * 1024


def can_replay(request: PreparedRequest) -> bool:
    """Whether the body can be sent again: none, bytes, text, or a file whose start is known."""
    return not is_stream(request.body) or isinstance(getattr(request, "_body_position", None), int)


def rewind(request: PreparedRequest) -> None:
    """Rewind a file body to where it began; nothing to do for any other, nor where a redirect left it out."""
    if is_stream(request.body) and isinstance(getattr(request, "_body_position", None), int):
        encoded("data", requests.utils.rewind_body, request)


def is_stream(body: Any) -> bool:
    """Whether a body is read while it is sent."""
    return not (body is None or isinstance(body, bytes | str))


class GuardedBody:
    """A file or an iterable of the caller's; what its reading raises is an error of that argument.

    Else an HTTP library would take the failure of a file for one of the network.

    :param body: as ``requests`` has prepared it.
    """

    def __init__(self, body: Any) -> None:
        self._body = body

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._body, name)
        return _guarded(attribute) if name == "read" else attribute

    def __iter__(self) -> Iterator[bytes]:
        pieces = encoded("data", iter, self._body)
        while (piece := encoded("data", next, pieces, None)) is not None:
            yield piece

    def chunks(self) -> Iterator[bytes]:
        """Yield the body piece by piece, a file as well as an iterable."""
        pieces = iter(self._read, b"") if hasattr(self._body, "read") else iter(self)
        for piece in pieces:
            yield piece.encode() if isinstance(piece, str) else piece

    def _read(self) -> Any:
        return encoded("data", self._body.read, CHUNK) or b""


def _guarded(read: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: encoded("data", read, *arguments)
