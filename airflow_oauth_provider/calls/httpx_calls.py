"""What httpx sends for one call, and what comes back.

httpx follows redirects by itself where its client is told to, and shows them to nobody before: they are
judged when its transport traces what it is about to send. The body of a response is read ahead where it
has to be looked into, and its end left out where it is not the caller's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import chain
from time import monotonic
from typing import Any

import httpx
from multidict import CIMultiDict

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.foreign_call import ForeignCall, Hop, head_from
from airflow_oauth_provider.calls.httpx_headers import HiddenHeaders, fields
from airflow_oauth_provider.calls.response import DRAIN_TIME, MAX_INTERMEDIATE
from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.dead_token import MAX_BODY
from airflow_oauth_provider.protocol.call.effects import ResponseHead

_FEED = 64
"""Bytes of a compressed body that are decoded at once: nobody knows to what a few of them may grow."""
_CONNECTS = ("connect_tcp.started", "connect_unix_socket.started")
"""Ends of the names of steps by which the transport of httpx connects, to an API or a proxy."""


class HttpxCall:
    """What httpx sends for one call, and what comes back.

    :param request: as the caller has made it; it is left as it is.
    """

    _call: ForeignCall

    def __init__(self, auth: BearerAuth, request: httpx.Request) -> None:
        self._auth = auth
        self._request = request
        self._own_trace = request.extensions.get("trace")
        self._head: ResponseHead | None = None  # of the response before, while httpx may follow it
        self._to_proxy = False

    def begin(self) -> httpx.Request:
        """Return what is sent first, with a token on it.

        :raises OAuthError: as :meth:`ForeignCall.begin` does.
        """
        self._call = ForeignCall.begin(self._auth, *self._begun())
        return self._prepared(self._request, self._trace)

    async def abegin(self) -> httpx.Request:
        """Do what :meth:`begin` does without blocking the event loop."""
        self._call = await ForeignCall.abegin(self._auth, *self._begun())
        return self._prepared(self._request, self._atrace)

    def next_request(self, response: httpx.Response) -> httpx.Request | None:
        """Return what is sent after a response; ``None`` for one that is the result.

        :raises OAuthError: when the call must not go on.
        """
        if self._looks_into(response):
            HttpxBody.of(response).read_ahead()
        if not self._call.goes_on(self._judged(response)):
            return None
        HttpxBody.of(response).end_early()
        return self._prepared(response.request, self._trace)

    async def anext_request(self, response: httpx.Response) -> httpx.Request | None:
        """Do what :meth:`next_request` does without blocking the event loop."""
        if self._looks_into(response):
            await HttpxBody.of(response).aread_ahead()
        if not await self._call.agoes_on(self._judged(response)):
            return None
        HttpxBody.of(response).end_early()
        return self._prepared(response.request, self._atrace)

    def _begun(self) -> tuple[str, str, CIMultiDict[bytes], Callable[[], bool]]:
        request = self._request
        return request.method, str(request.url), fields(request.headers), lambda: _replayable(request.stream)

    def _prepared(self, request: httpx.Request, trace: Any) -> httpx.Request:
        """Return a copy of a request, with the token on it."""
        self._head = None
        headers = httpx.Headers(request.headers)
        for name in self._auth.our_headers:
            headers.pop(name, None)
        headers.update(self._call.headers(request.method, str(request.url)))
        extensions = {**request.extensions, "trace": trace}
        stream = request.stream
        again = httpx.Request(
            request.method, request.url, headers=headers, stream=stream, extensions=extensions
        )
        again.headers = HiddenHeaders(again.headers, self._auth.our_headers)
        if isinstance(stream, httpx.ByteStream):
            again.read()
        return again

    def _looks_into(self, response: httpx.Response) -> bool:
        """Whether the body has to be looked into."""
        return self._auth.may_tell(_head_of(response), response.headers.get("Content-Length"))

    def _judged(self, response: httpx.Response) -> ResponseHead:
        """Return what the flow needs to know of a response.

        :raises ResourceError: for one to a redirect that nobody has judged.
        """
        head, sign = _head_of(response), self._auth.dead_when
        if sum(earlier.has_redirect_location for earlier in response.history) > self._call.followed:
            raise ResourceError(
                "httpx has followed a redirect with a transport that does not tell of it before: leave "
                "follow_redirects off, or use the transport of httpx",
                status=head.status,
            )
        if sign is None or not isinstance(response.stream, HttpxBody):
            return head
        return head._replace(tells_dead_token=sign.shows_in(response.stream.decoded()))

    def _trace(self, name: str, info: dict[str, Any]) -> None:
        """Judge a redirect before it is followed; httpx calls this at each step of its transport."""
        if self._own_trace is not None:
            self._own_trace(name, info)
        if self._head is not None and name.endswith(_CONNECTS):
            self._call.judge(self._head)
        hop = self._hop(name, info)
        if hop is not None and self._head is not None:
            self._call.goes_on(self._head, hop)
            self._follow(info["request"], hop)

    async def _atrace(self, name: str, info: dict[str, Any]) -> None:
        """Do what :meth:`_trace` does without blocking the event loop."""
        if self._own_trace is not None:
            await self._own_trace(name, info)
        if self._head is not None and name.endswith(_CONNECTS):
            await self._call.ajudge(self._head)
        hop = self._hop(name, info)
        if hop is not None and self._head is not None:
            await self._call.agoes_on(self._head, hop)
            self._follow(info["request"], hop)

    def _hop(self, name: str, info: dict[str, Any]) -> Hop | None:
        """Return the request that is about to be sent, where it follows a redirect."""
        if name.endswith("receive_response_headers.complete") and not self._to_proxy:
            # Of HTTP/1.1 and HTTP/2 it has another length.
            status = next(value for value in info["return_value"] if isinstance(value, int))
            headers = next(value for value in info["return_value"] if isinstance(value, list))
            self._head = head_from(status, httpx.Headers(headers).get_list)
        if not name.endswith("send_request_headers.started"):
            return None
        request = info["request"]
        self._to_proxy = request.method == b"CONNECT"
        if self._to_proxy or self._head is None:
            return None
        sent = httpx.Headers(request.headers)
        has_body = "Transfer-Encoding" in sent or sent.get("Content-Length", "0") != "0"
        return Hop(request.method.decode(), _url_of(request.url), has_body)

    def _follow(self, request: Any, hop: Hop) -> None:
        """Put the token on the transport's own request, or see to it that none is on it."""
        self._head = None
        own = {name.lower().encode() for name in self._auth.our_headers}
        kept = [(name, value) for name, value in request.headers if name.lower() not in own]
        put = self._call.headers(hop.method, hop.url).items()
        request.headers = [*kept, *((name.encode(), value.encode()) for name, value in put)]


class _Pieces(httpx.SyncByteStream):
    """A body in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


class HttpxBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a response, the beginning of which can be read ahead, and the rest left out."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._stream: Any = response.stream
        self._ahead: list[bytes] = []
        self._rest: Any = response.stream
        self._until: float | None = None

    @classmethod
    def of(cls, response: httpx.Response) -> HttpxBody:
        """Return that of a response, in the place of its own."""
        if not isinstance(response.stream, cls):
            response.stream = cls(response)
        return response.stream

    def read_ahead(self) -> None:
        """Read what is looked into; it can be read again."""
        self._rest = iter(self._stream)
        while self._is_short() and (piece := next(self._rest, None)) is not None:
            self._ahead.append(piece)

    async def aread_ahead(self) -> None:
        """Do what :meth:`read_ahead` does without blocking the event loop."""
        self._rest = aiter(self._stream)
        while self._is_short() and (piece := await anext(self._rest, None)) is not None:
            self._ahead.append(piece)

    def decoded(self) -> bytes:
        """Return what has been read ahead; nothing where it cannot be decoded, or grows too large by that."""
        raw = b"".join(self._ahead)
        if "Content-Encoding" not in self._response.headers:
            return raw
        pieces = (raw[at : at + _FEED] for at in range(0, len(raw), _FEED))
        response = httpx.Response(200, headers=self._response.headers, stream=_Pieces(pieces))
        content = bytearray()
        try:
            for piece in response.iter_bytes():
                content += piece
                if len(content) > MAX_BODY:
                    return b""
        except httpx.DecodingError:
            return b""
        return bytes(content)

    def end_early(self) -> None:
        """Let a response on the way end after some bytes and seconds; httpx reads it whole.

        What is compressed stays so: what a few bytes of it may grow to nobody knows.
        """
        self._until = monotonic() + DRAIN_TIME
        self._response.headers.pop("Content-Encoding", None)

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        try:
            for piece in chain(self._ahead, self._rest):
                yield piece
                size += len(piece)
                if self._is_enough(size):
                    return
        except httpx.TransportError:
            if self._until is None:
                raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = sum(map(len, self._ahead))
        for piece in self._ahead:
            yield piece
        try:
            async for piece in self._rest:
                yield piece
                size += len(piece)
                if self._is_enough(size):
                    return
        except httpx.TransportError:
            if self._until is None:
                raise

    def close(self) -> None:
        """Close the connection's own stream."""
        self._stream.close()

    async def aclose(self) -> None:
        """Do what :meth:`close` does."""
        await self._stream.aclose()

    def _is_short(self) -> bool:
        return sum(map(len, self._ahead)) <= MAX_BODY

    def _is_enough(self, size: int) -> bool:
        return self._until is not None and (size > MAX_INTERMEDIATE or monotonic() > self._until)


def _head_of(response: httpx.Response) -> ResponseHead:
    return head_from(response.status_code, response.headers.get_list)


def _url_of(url: Any) -> str:
    """Return the address of a request of the transport; one to a plain proxy names it whole."""
    if not url.target.startswith(b"/"):
        return str(url.target.decode())
    host = url.host.decode()
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme.decode()}://{host}{port}{url.target.decode()}"


def _replayable(stream: Any) -> bool:
    """Whether a body can be sent again; a form with files goes back to their beginnings by itself."""
    files = [getattr(field, "file", "") for field in getattr(stream, "fields", ())]
    if files:
        return all(isinstance(file, str | bytes) or file.seekable() for file in files)
    return isinstance(stream, httpx.ByteStream)
