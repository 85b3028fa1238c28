"""What a proxy answers to CONNECT (RFC 9110 §9.3.6): ``http.client`` and aiohttp have words of their own."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterable
from typing import Any

from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.token.retry import retry_after
from airflow_oauth_provider.transport.response_parser import EmptyRest, StrictResponse


class TunnelError(OSError):
    """The proxy has not opened a tunnel.

    :param status: of its response to CONNECT; ``None`` when it gave none that can be read.
    :param headers: of that response.
    """

    def __init__(self, status: int | None, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__("no tunnel through the proxy")
        self.status = status
        self.retry_after: float | None = None
        """Seconds that the proxy asks to wait; ``None`` when it does not ask."""
        if status is not None:
            named = tuple((name.lower(), value) for name, value in headers)
            self.retry_after = retry_after(HttpResponse(status, named), now=time.time())


class TunnelResponse(StrictResponse):
    """The response to CONNECT.

    The standard library reads no header of a refusal, takes a 200 that is cut off for a whole one, and an
    informational response for a refusal.
    """

    _has_begun = False

    def _read_status(self) -> tuple[str, int, str]:
        """Read the whole head, and let none of it to be read.

        :raises TunnelError: for a refusal.
        """
        if self._has_begun:
            return super()._read_status()
        self._has_begun = True
        self.begin()
        if self.status != http.client.OK:
            raise TunnelError(self.status, self.headers.items())
        rest: Any = EmptyRest(self.fp)
        self.fp = rest
        return "HTTP/1.1", self.status, self.reason
