"""A socket that has received something, for what reads one."""

from __future__ import annotations

import io
from typing import Any


class _Received:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def gettimeout(self) -> None:
        """Without a limit."""

    def makefile(self, *_: object, **__: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def received(data: bytes) -> Any:
    """Return a socket that has received so many bytes, and then its end."""
    return _Received(data)
