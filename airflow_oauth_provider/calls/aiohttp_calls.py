"""Client middleware of aiohttp, which asks it once more for each redirect that it follows."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from yarl import URL

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.foreign_call import ForeignCall, Hop
from airflow_oauth_provider.calls.response import adrain, async_head_of
from airflow_oauth_provider.protocol.call.dead_token import MAX_BODY
from airflow_oauth_provider.protocol.call.effects import ResponseHead
from airflow_oauth_provider.protocol.call.redirects import REDIRECTS


class _Redirect(NamedTuple):
    """A redirect that aiohttp may follow: then it asks again, in the same task."""

    call: ForeignCall
    head: ResponseHead
    source: URL


class Middleware:
    """Puts the token of a connection on requests.

    :param auth: of the connection.
    """

    def __init__(self, auth: BearerAuth) -> None:
        self._auth = auth
        self._redirects: WeakKeyDictionary[Any, _Redirect] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"<oauth2_middleware of connection {self._auth.client.conn_id!r}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"_auth": self._auth}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_auth"])  # type: ignore[misc]

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send *request* with a token, and again where another token or proof may help.

        :raises OAuthError: when there is no token, or the call must not go on.
        """
        call = await self._followed(request) or await ForeignCall.abegin(
            self._auth, request.method, str(request.url), request.headers, lambda: _replayable(request)
        )
        put: dict[str, str] = {}
        while True:
            for name in put:  # another one, where the connection has been edited meanwhile
                request.headers.popall(name, None)
            put = call.headers(request.method, str(request.url))
            request.headers.update(put)
            response = await handler(request)
            try:
                head = await self._judged(response)
                again = await call.agoes_on(head)
            except BaseException:
                response.close()
                raise
            if not again:
                if head.location is not None and (task := asyncio.current_task()) is not None:
                    self._redirects[task] = _Redirect(call, head, request.url)
                return response
            await adrain(response)
            response.release()

    async def _followed(self, request: aiohttp.ClientRequest) -> ForeignCall | None:
        """Return the call that a redirect goes on with; ``None`` where *request* begins one.

        :raises ResourceError: for a redirect that must not be followed.
        """
        before = self._redirects.pop(asyncio.current_task(), None)
        if before is None or not _leads_to(before, request):
            return None
        hop = Hop(request.method, str(request.url), has_body=request.body != b"")
        await before.call.agoes_on(before.head, hop)
        return before.call

    async def _judged(self, response: aiohttp.ClientResponse) -> ResponseHead:
        """Return what the flow needs to know of a response, with what its body says of the token."""
        head, sign = async_head_of(response), self._auth.dead_when
        if head.status in REDIRECTS and not head.location:
            return head._replace(location=response.headers.get("URI"))  # which aiohttp follows, too
        if sign is None or not self._auth.may_tell(head, response.headers.get("Content-Length")):
            return head
        pieces, content, size = [], response.content, 0
        while size <= MAX_BODY and (piece := await content.readany()):
            pieces.append(piece)
            size += len(piece)
        body = b"".join(pieces)
        if size > MAX_BODY:
            content.unread_data(body)
            return head
        # What has been read is read once more, by whoever gets the response.
        loop = asyncio.get_running_loop()
        again = response.content = aiohttp.StreamReader(BaseProtocol(loop), len(body) + 1, loop=loop)
        again.feed_data(body)
        again.feed_eof()
        return head._replace(tells_dead_token=sign.shows_in(body))


def _leads_to(redirect: _Redirect, request: aiohttp.ClientRequest) -> bool:
    """Whether aiohttp would follow a redirect by this very request."""
    try:
        target = redirect.source.join(URL(redirect.head.location or "")).with_fragment(None)
    except ValueError:
        return False
    return target == request.url and redirect.call.method_after(redirect.head) == request.method


def _replayable(request: aiohttp.ClientRequest) -> bool:
    """Whether the body of a request that has been sent can be sent again."""
    body = request.body
    return isinstance(body, bytes) or not getattr(body, "consumed", True)
