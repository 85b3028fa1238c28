"""Responses as ``requests`` has them, whichever library received them: what reads them is written once."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import requests.utils
from requests import Request, Response
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from airflow_oauth_provider.calls.call_flow import Credential
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.dpop.server_hints import NONCE_HEADER
from airflow_oauth_provider.protocol.http import HttpResponse
from airflow_oauth_provider.protocol.token.retry import retry_after
from airflow_oauth_provider.transport.async_faults import NO_RESPONSE
from airflow_oauth_provider.transport.async_responses import read_beginning, read_body

MAX_INTERMEDIATE = 64 * 1024
"""Bytes of a response on the way to the last one (a 401, a redirect) that are read."""
MAX_REFUSAL = 1024 * 1024
"""Bytes that are kept of a refusal of which an error is to be made."""
DRAIN_TIME = 5.0
"""Seconds for which one is read: a new connection takes less."""
_CHUNK = 16 * 1024


class ReadResponse(Response):
    """A response that has been read and closed.

    What few ask for (headers, encoding, cookies) is made when somebody does: making all of it would
    cost a call of a coroutine a tenth of its time.

    :param method: of the request; ``None`` where it is not known.
    :param headers: a name that comes several times is joined by commas (RFC 9110 §5.3).
    :param content: ``None`` for a body that was not kept.
    """

    # In place of the base class's constructor, which makes all of it.
    _content_consumed = True
    _next = None
    raw = request = connection = None  # type: ignore[assignment]
    seconds = 0.0
    """Until its head was there."""

    def __init__(
        self,
        status: int,
        reason: str | None,
        url: str,
        headers: Iterable[tuple[str, str]],
        content: bytes | None,
        method: str | None = None,
    ) -> None:
        self._content = content
        self.status_code = status
        self.reason = reason or ""
        self.url = url
        self.method = method
        self._pairs = headers

    @cached_property
    def history(self) -> list[Response]:  # type: ignore[override]
        """The responses before, oldest first."""
        return []

    @cached_property
    def elapsed(self) -> timedelta:  # type: ignore[override]
        """The time until its head was there."""
        return timedelta(seconds=self.seconds)

    @cached_property
    def headers(self) -> CaseInsensitiveDict[str]:  # type: ignore[override]
        """The headers."""
        joined: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for name, value in self._pairs:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined

    @cached_property
    def encoding(self) -> str | None:  # type: ignore[override]
        """The encoding that the headers name."""
        return requests.utils.get_encoding_from_headers(self.headers)

    @cached_property
    def cookies(self) -> RequestsCookieJar:  # type: ignore[override]
        """Those that it sets; the session keeps its own."""
        jar, message = RequestsCookieJar(), http.client.HTTPMessage()
        for name, value in self._pairs:
            message.add_header(name, value)
        received: Any = SimpleNamespace(_original_response=SimpleNamespace(msg=message))
        extract_cookies_to_jar(jar, Request("GET", self.url), received)  # type: ignore[no-untyped-call]
        return jar


def response_of(response: Any, call: SendCall, content: bytes | None) -> ReadResponse:
    """Return an aiohttp response as one of ``requests``.

    :param call: the call it belongs to.
    :param content: its body; ``None`` when it was not kept.
    """
    return ReadResponse(
        response.status, response.reason, call.url, response.headers.items(), content, call.method
    )


def note_credential(response: Response, credential: Credential) -> None:
    """Note beside a response which token its request carried, for :func:`credential_of`."""
    vars(response)["_oauth2_credential"] = credential


def credential_of(response: Response) -> Credential | None:
    """Return what was noted; ``None`` for a response that is not of this package's."""
    return vars(response).get("_oauth2_credential")


def head_of(response: Response) -> ResponseHead:
    """Reduce a response of ``requests`` to what the flow of a call needs."""
    nonces = nonces_of(response)
    if response.status_code < 300:
        return ResponseHead(response.status_code, nonces=nonces)
    headers = response.headers
    challenges = challenges_of(response)
    return ResponseHead(
        response.status_code,
        headers.get("Location"),
        challenges,
        nonces,
        headers.get("Date"),
        retry_after=seconds_to_stay_away(response.status_code, headers),
    )


def seconds_to_stay_away(status: int, headers: Mapping[str, str]) -> float | None:
    """Return for how long the ``Retry-After`` of a refusal asks; ``None`` where there is none that does."""
    if status < 400:
        return None
    named = tuple((name.lower(), value) for name, value in headers.items())
    return retry_after(HttpResponse(status, named), now=time.time())


def challenges_of(response: Response) -> tuple[str, ...]:
    """Return the ``WWW-Authenticate`` headers of a response of ``requests``."""
    return _lines(response, "WWW-Authenticate")


def nonces_of(response: Response) -> tuple[str, ...]:
    """Return the ``DPoP-Nonce`` headers of a response of ``requests``."""
    return _lines(response, NONCE_HEADER) if NONCE_HEADER in response.headers else ()


def _lines(response: Response, name: str) -> tuple[str, ...]:
    """Return the values of a header that may come several times."""
    raw: Any = getattr(response.raw, "headers", None)
    lines = raw.getlist(name) if hasattr(raw, "getlist") else []
    if not lines and name in response.headers:
        lines = [response.headers[name]]
    return tuple(lines)


def async_head_of(response: Any) -> ResponseHead:
    """Reduce an aiohttp response likewise."""
    headers, nonces = response.headers, async_nonces_of(response)
    if response.status < 300:
        return ResponseHead(response.status, nonces=nonces)
    challenges = tuple(headers.getall("WWW-Authenticate", ()))
    return ResponseHead(
        response.status,
        headers.get("Location"),
        challenges,
        nonces,
        headers.get("Date"),
        retry_after=seconds_to_stay_away(response.status, headers),
    )


def async_nonces_of(response: Any) -> tuple[str, ...]:
    """Return the ``DPoP-Nonce`` headers of an aiohttp response."""
    return tuple(response.headers.getall(NONCE_HEADER, ()))


def read_whole(response: Response) -> None:
    """Read a response now, as a session does."""
    response.content  # noqa: B018


def read_refusal(response: Response) -> None:
    """Read a refusal of which an error is to be made; of a large one the beginning."""
    body = bytearray()
    for piece in response.iter_content(_CHUNK):
        body += piece
        if len(body) > MAX_REFUSAL:
            response.close()
            break
    vars(response).update(_content=bytes(body[:MAX_REFUSAL]), _content_consumed=True)


def drain(response: Response) -> None:
    """Read what is left of an intermediate response, so that its connection can be used again.

    Of a large or slow one the connection is closed instead. The body stays in the response unless it is
    compressed: what a few bytes of it may grow to nobody knows.
    """
    raw, state = response.raw, vars(response)
    if state["_content"] is False and raw is not None:  # not read yet
        body = _whole(raw)
        if body is None:
            raw.close()
        encoded = response.headers.get("Content-Encoding", "identity").lower() != "identity"
        state.update(_content=b"" if body is None or encoded else body, _content_consumed=True)
    response.close()


def _whole(raw: Any) -> bytes | None:
    """Return the body as it came; ``None`` where it is large or slow, or is cut off.

    Not every session has sockets that keep a deadline: so no more is read at once than has arrived.
    """
    body, until = bytearray(), time.monotonic() + DRAIN_TIME
    read = getattr(raw, "read1", None) or raw.read
    try:
        while chunk := read(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > MAX_INTERMEDIATE or time.monotonic() > until:
                return None
    except (OSError, HTTPError, http.client.HTTPException):
        return None
    return bytes(body)


async def aread_refusal(response: Any, *, limit: int | None, seconds: float | None) -> bytes:
    """Do what :func:`read_refusal` does.

    :param limit: bytes, where fewer are wanted.
    :param seconds: as of :func:`read_body`.
    """
    most = MAX_REFUSAL if limit is None else min(limit, MAX_REFUSAL)
    return await read_beginning(response, limit=most, seconds=seconds)


async def adrain(response: Any) -> bytes:
    """Read an aiohttp response likewise; return its body, of a large or slow one nothing."""
    try:
        async with asyncio.timeout(DRAIN_TIME):
            return await read_body(response, limit=MAX_INTERMEDIATE, seconds=None) or b""
    except NO_RESPONSE:
        response.close()
        return b""
