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
    check_headers,
    encoded,
    refused_argument,
    require_known,
    require_method,
    timeouts,
)
from airflow_oauth_provider.calls.body import CHUNK, GuardedBody, can_replay, rewind
from airflow_oauth_provider.calls.cool_down import require_choice
from airflow_oauth_provider.exceptions import OAuthError, ResourceError
from airflow_oauth_provider.protocol.call.dead_token import DeadTokenSign
from airflow_oauth_provider.protocol.call.effects import SendCall
from airflow_oauth_provider.protocol.call.endpoints import Destination, resolve_endpoint
from airflow_oauth_provider.protocol.dpop.proof import DPOP, PROOF_HEADER
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.cool_downs import Board
from airflow_oauth_provider.transport.async_responses import HeadTimer
from airflow_oauth_provider.transport.proxies import Proxy

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
ARGUMENTS = frozenset(
    {
        "params",
        "data",
        "json",
        "files",
        "headers",
        "cookies",
        "timeout",
        "total_timeout",
        "allow_redirects",
        "cool_down",
    }
)
_REMEMBERED = 64
"""Endpoints of a session that are resolved, and requests that are built, once."""


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
            headers[PROOF_HEADER] = auth.proof_for(token, self.call)
        return headers

    def encode_body(self, data: Any, json: Any, files: Any) -> None:
        """Set the body, and the headers that describe it."""
        if hasattr(data, "__aiter__"):
            self._stream = data
            return
        prepared = self._encoded = PreparedRequest()
        prepared.headers = CaseInsensitiveDict(self.headers)
        name = "files" if files else "data" if data else "json"
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


class RequestBuilder:
    """Builds the requests of one session; one without arguments is built once.

    :param auth: where the token may go.
    :param headers: of all its requests, beside those of the connection.
    """

    def __init__(self, auth: BearerAuth, headers: dict[str, Any] | None) -> None:
        self.auth = auth
        self._own_headers = headers
        self._headers: dict[str, str] = {}
        self._plain: dict[tuple[str, str | None], AsyncRequest] = {}
        self._urls: dict[str | None, str] = {}
        self._where: Destination | None = None
        self._settings: ClientSettings | None = None
        self.dead_when: DeadTokenSign | None = None
        """How the body of a response tells that the token has ended, once a request has been built."""
        self.board: Board
        """What is known of cool-downs, once a request has been built."""

    def build(
        self,
        method: str,
        endpoint: str | None,
        arguments: dict[str, Any],
        token: AccessToken | None = None,
        before: AsyncRequest | None = None,
    ) -> AsyncRequest:
        """Return a request that may be sent.

        :param arguments: as of ``OAuth2AsyncSession.request``.
        :param token: that it will carry; ``None`` where that is not known yet.
        :param before: what was built of the same arguments: a file among them can be read only once.
        :raises ConfigurationError: when it cannot be sent, or the token may not go there.
        :raises ResourceError: when the connection leads elsewhere since, and a file has been read.
        """
        if not arguments and self._settings is self.auth.client.settings:
            known = self._plain.get((method, endpoint))
            if known is not None:
                return known
        try:
            where = self.auth.destination_for(token)
            if where is not self._where:  # the connection has been read again, and may be another one
                self._begin(where)
            if before is not None and before.where is where:
                return before
            if arguments:
                if before is not None and arguments.get("files"):
                    raise _files_are_gone()
                return self._built(method, endpoint, arguments)
            return self._plain.get((method, endpoint)) or self._built_plain(method, endpoint)
        except OAuthError as error:
            refused = error.for_connection(self.auth.client.conn_id)
        raise refused

    def _built_plain(self, method: str, endpoint: str | None) -> AsyncRequest:
        require_method(method)
        request = AsyncRequest(method, self._resolved(endpoint), self._headers, timeouts())
        if len(self._plain) < _REMEMBERED:
            self._plain[method, endpoint] = request
        return request

    def _built(self, method: str, endpoint: str | None, arguments: dict[str, Any]) -> AsyncRequest:
        require_method(method)
        if not arguments.keys() <= ARGUMENTS:
            self._refuse(arguments)
        url = self._urls.get(endpoint) or self._resolved(endpoint)
        limits = timeouts(arguments.get("timeout"), arguments.get("total_timeout"))
        require_choice(arguments.get("cool_down"))
        params = arguments.get("params")
        if params:
            url = encoded("params", _encoded_url, url, params)
        request = AsyncRequest(method, url, self._with_headers(arguments.get("headers")), limits)
        request.where = self._where
        data, json, files = arguments.get("data"), arguments.get("json"), arguments.get("files")
        if data or json is not None or files:
            request.encode_body(data, json, files)
        if arguments.get("cookies"):
            request.cookies = encoded("cookies", dict, arguments["cookies"])
        return request

    def _begin(self, where: Destination) -> None:
        self._where, self._urls, self._plain = where, {}, {}
        api = dict(self.auth.client.settings.api.headers)
        own = encoded("headers", check_headers, self._own_headers)
        self.auth.require_no_other(CaseInsensitiveDict(own))
        self._headers = {**api, **own}
        self.dead_when = self.auth.dead_when
        self.board = self.auth.cool_downs.board
        # For which all of this holds, whichever the token.
        self._settings = None if self.auth.instance_named else self.auth.client.settings

    def _refuse(self, arguments: dict[str, Any]) -> None:
        if arguments.get("auth") is not None:
            self.auth.require_no_other({"Authorization": "of the caller"})
        require_known(arguments.keys() - {"auth"}, ARGUMENTS)

    def _resolved(self, endpoint: str | None) -> str:
        where = self._where or self.auth.destination_for(None)
        url = encoded("endpoint", _encoded_url, resolve_endpoint(where, endpoint))
        if len(self._urls) < _REMEMBERED:
            self._urls[endpoint] = url
        return url

    def _with_headers(self, headers: Any) -> dict[str, str]:
        if not headers:
            return self._headers
        checked = encoded("headers", check_headers, headers)
        self.auth.require_no_other(CaseInsensitiveDict(checked))
        merged = CaseInsensitiveDict(self._headers)
        merged.update(checked)
        for name, value in headers.items():
            if value is None:
                merged.pop(name, None)
        return dict(merged.items())


def _files_are_gone() -> ResourceError:
    return ResourceError(
        "the connection has changed while this call waited, and its files have been read: run the task again",
        retryable=True,
    )


def _encoded_url(url: str, params: Any = None) -> str:
    """Return *url* with *params*, encoded as ``requests`` does it."""
    prepared = PreparedRequest()
    prepared.prepare_url(url, params)
    return prepared.url or url


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
