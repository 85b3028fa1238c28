"""A request on its way to aiohttp, encoded as ``requests`` does it: the same bytes on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any

import aiohttp
from multidict import CIMultiDict
from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict
from yarl import URL

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.arguments import (
    Timeouts,
    encoded,
    is_empty,
    refused_argument,
)
from airflow_oauth_provider.calls.body import CHUNK, GuardedBody, can_replay, rewind
from airflow_oauth_provider.calls.turns import enter_upload
from airflow_oauth_provider.protocol.call.credentials import proof_for
from airflow_oauth_provider.protocol.call.effects import SendCall
from airflow_oauth_provider.protocol.call.endpoints import Destination
from airflow_oauth_provider.protocol.dpop.proof import DPOP, PROOF_HEADER
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.transport.async_responses import HeadTimer
from airflow_oauth_provider.transport.proxies import Proxy

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class AsyncRequest:
    """One request; it may be sent several times, if its body can be.

    :param headers: of this request, without its token.
    """

    __slots__ = (
        "_encoded",
        "_signed",
        "_stream",
        "accepted_with",
        "address",
        "call",
        "cookies",
        "headers",
        "names_no_type",
        "route",
        "timeouts",
        "where",
    )

    def __init__(self, method: str, url: str, headers: dict[str, str], limits: Timeouts) -> None:
        self.call = SendCall(method, url)
        # As requests has encoded it: aiohttp would decode what it thinks need not be encoded, and with it
        # the signature over an address.
        self.address = URL(url, encoded=True)
        self.headers = headers
        self.timeouts = limits
        self.cookies: dict[str, str] | None = None
        self.names_no_type = method in _WITH_BODY
        """Whether aiohttp is to make up no type for the body."""
        self.where: Destination | None = None
        """For which it was built."""
        self.route: tuple[object, Proxy | None] = None, None
        """The proxy on its way, and for which open session it was looked up."""
        self.accepted_with: AccessToken | None = None
        """The token with which it was answered by a 2xx status."""
        self._encoded: PreparedRequest | None = None
        self._stream: Any = None
        self._signed: tuple[AccessToken | None, CIMultiDict[str]] = None, CIMultiDict()

    def headers_with(self, token: AccessToken, auth: BearerAuth) -> CIMultiDict[str]:
        """Return the headers of the first call, with a token on it; for each token they are made once.

        :param auth: puts it there, with a proof for each call where it needs one.
        """
        signed_for, headers = self._signed
        if signed_for is not token:
            headers = CIMultiDict({**self.headers, **auth.headers_for(token, self.call)})
            self._signed = token, headers
        elif token.token_type == DPOP:  # each proof is good for one request
            headers = headers.copy()
            headers[PROOF_HEADER] = proof_for(token, self.call, auth.proofs.sign)
        return headers

    def encode_body(self, data: Any, json: Any, files: Any) -> None:
        """Set the body, and the headers that describe it."""
        if hasattr(data, "__aiter__"):
            self._stream = data
            return
        prepared = self._encoded = PreparedRequest()
        prepared.headers = CaseInsensitiveDict(self.headers)
        name = "json" if is_empty(files) and is_empty(data) else "data" if is_empty(files) else "files"
        encoded(name, prepared.prepare_body, data, files, json)
        self.headers = dict(prepared.headers)
        # aiohttp divides into chunks by itself.
        self.headers.pop("Transfer-Encoding", None)
        self.names_no_type = True

    @property
    def replayable(self) -> bool:
        """Whether the body can be sent again."""
        return self._stream is None and (self._encoded is None or can_replay(self._encoded))

    def body(self, timer: HeadTimer, *, again: bool) -> Any:
        """Return the body in a form that aiohttp sends as it is.

        :param timer: is called for each piece.
        :param again: it has been sent before.
        """
        if self._encoded is None:
            return None if self._stream is None else _guarded_pieces(self._stream, timer)
        if again:
            rewind(self._encoded)
        body: Any = self._encoded.body
        if isinstance(body, str):
            body = body.encode()
        if body is None or (isinstance(body, bytes) and len(body) <= CHUNK):
            return body
        return _pieces(body, timer)


@lru_cache(64)
def client_timeout(limits: Timeouts, *, body: bool) -> aiohttp.ClientTimeout:
    """Return the limits that aiohttp keeps.

    :param body: whether it is aiohttp that reads the body.
    """
    read = limits.read if body else None
    return aiohttp.ClientTimeout(total=limits.total, sock_connect=limits.connect, sock_read=read)


async def _pieces(body: Any, timer: HeadTimer) -> AsyncIterator[bytes]:
    """Yield a body piece by piece; reading a local file holds the loop up for moments only."""
    for piece in _slices(body) if isinstance(body, bytes) else GuardedBody(body).chunks():
        timer.sending()
        yield piece
    timer.sending()


def _slices(body: bytes) -> Iterator[bytes]:
    return (body[start : start + CHUNK] for start in range(0, len(body), CHUNK))


async def _guarded_pieces(stream: Any, timer: HeadTimer) -> AsyncIterator[bytes]:
    """Yield the pieces of an asynchronous iterable; what it raises is an error of that argument."""
    enter_upload()
    pieces = encoded("data", aiter, stream)
    while True:
        try:
            piece = await anext(pieces, None)
        except Exception as error:  # code of the caller's own
            refused = refused_argument("data", error)
        else:
            timer.sending()
            if piece is None:
                return
            yield piece
            continue
        raise refused
