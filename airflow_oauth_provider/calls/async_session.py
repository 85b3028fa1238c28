"""An aiohttp session that calls one connection's API.

The counterpart of :mod:`airflow_oauth_provider.calls.session`: what is decided is decided by the same
flow (:mod:`airflow_oauth_provider.calls.call_flow`), and ``requests`` itself encodes bodies and parameters,
so that a call has the same bytes on both sides.

Rules:

* States: closed (no aiohttp session, no connector), open, and closed again; a call opens a closed session.
  Only :meth:`OAuth2AsyncSession.opened` opens, and only :meth:`OAuth2AsyncSession.close` closes.
* An open session has the settings that it was opened with, as ``outdated`` says. The next call opens it anew
  with those of its own token, which may be bound to another client certificate; calls under way go on with
  what they have, which is closed with the session.
* The connector belongs to the event loop (:mod:`airflow_oauth_provider.transport.connectors`): a session
  enters it when it opens, and leaves it when it closes.
* A call waits for its turn (:mod:`airflow_oauth_provider.calls.turns`). Then its request is built, before
  anything is asked of anybody; its token is looked up last, and travels beside it.
* One event loop at a time uses a session. Nothing here awaits between reading its state and changing it.
* What a call raises is of this package's, and holds neither request nor response; a cancellation passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self, Unpack

import aiohttp
from requests import Response
from requests.structures import CaseInsensitiveDict

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.async_call import AsyncCall
from airflow_oauth_provider.calls.opened_session import OpenedSession
from airflow_oauth_provider.calls.pending_response import PendingResponse
from airflow_oauth_provider.calls.request_builder import CallArguments, RequestBuilder
from airflow_oauth_provider.calls.turns import Turns
from airflow_oauth_provider.transport.connectors import CONNECTIONS_PER_HOST
from airflow_oauth_provider.transport.network_options import NetworkOptions


class OAuth2AsyncSession:
    """An aiohttp session whose calls carry one connection's token.

    Made by :meth:`OAuth2Hook.asession`, and used like an aiohttp session::

        async with hook.asession() as session, session.get("orders") as response:
            orders = await response.json()

    :param auth: whose token is used.
    :param options: returns how the API is reached, once the connection has been read.
    :param headers: sent with every call.
    :param proxies: as in ``requests``; ``None`` for those of connection and environment.
    :param keep_cookies: between calls; else only from one redirect of a call to the next.
    :param deferred: no worker waits for its calls.
    """

    def __init__(
        self,
        auth: BearerAuth,
        options: Callable[[], NetworkOptions],
        *,
        headers: dict[str, Any] | None = None,
        proxies: dict[str, str] | None = None,
        keep_cookies: bool = True,
        deferred: bool = False,
    ) -> None:
        self.auth = auth
        auth.require_no_other(CaseInsensitiveDict(headers or {}))
        self.keep_cookies = keep_cookies
        self.deferred = deferred
        self._chosen_proxies = proxies
        self.builder = RequestBuilder(auth, headers)
        self.before_opening: Callable[[], Awaitable[Any]] | None = None
        """Awaited before the session is opened."""
        self._options = options
        self.turns = Turns(CONNECTIONS_PER_HOST)
        """Of its calls."""
        self.current: OpenedSession | None = None
        self._earlier: list[OpenedSession] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def outdated(self) -> bool:
        """Whether the connection has been edited since it was opened."""
        current = self.current
        return current is not None and current.settings is not self.auth.client.reader.settings

    @property
    def usable(self) -> OpenedSession | None:
        """What is open, if it is of the settings in force."""
        current = self.current
        if current is not None and current.settings is self.auth.client.reader.settings:
            return current
        return None

    async def close(self) -> None:
        """Close it; a later call opens it anew."""
        everything = [*self._earlier, *filter(None, [self.current])]
        self.current, self._earlier = None, []
        for opened in everything:
            await opened.close()

    def request(
        self, method: str, endpoint: str | None = None, **arguments: Unpack[CallArguments]
    ) -> PendingResponse:
        """Make a call; await the result, or use it with ``async with``.

        :param endpoint: relative to the base URL, or absolute within the allowed origins.
        :param arguments: as :class:`CallArguments` says.
        :raises ResourceError: when the call must not go on; a refusal by status is not raised.
        :raises TransportError: when the API does not answer.
        :raises OAuthError: when no token can be acquired.
        """
        call = AsyncCall(self, read=False)
        return PendingResponse(call.make(method, endpoint, arguments))  # type: ignore[arg-type]

    def get(self, endpoint: str | None = None, **arguments: Unpack[CallArguments]) -> PendingResponse:
        """Make a GET call; see :meth:`request`."""
        return self.request("GET", endpoint, **arguments)

    def head(self, endpoint: str | None = None, **arguments: Unpack[CallArguments]) -> PendingResponse:
        """Make a HEAD call; see :meth:`request`."""
        return self.request("HEAD", endpoint, **arguments)

    def options(self, endpoint: str | None = None, **arguments: Unpack[CallArguments]) -> PendingResponse:
        """Make an OPTIONS call; see :meth:`request`."""
        return self.request("OPTIONS", endpoint, **arguments)

    def post(self, endpoint: str | None = None, **arguments: Unpack[CallArguments]) -> PendingResponse:
        """Make a POST call; see :meth:`request`."""
        return self.request("POST", endpoint, **arguments)

    def put(self, endpoint: str | None = None, **arguments: Unpack[CallArguments]) -> PendingResponse:
        """Make a PUT call; see :meth:`request`."""
        return self.request("PUT", endpoint, **arguments)

    def patch(self, endpoint: str | None = None, **arguments: Unpack[CallArguments]) -> PendingResponse:
        """Make a PATCH call; see :meth:`request`."""
        return self.request("PATCH", endpoint, **arguments)

    def delete(self, endpoint: str | None = None, **arguments: Unpack[CallArguments]) -> PendingResponse:
        """Make a DELETE call; see :meth:`request`."""
        return self.request("DELETE", endpoint, **arguments)

    def fetch(
        self,
        method: str,
        endpoint: str | None,
        arguments: dict[str, Any],
        *,
        limit: int | None = None,
        checked: bool = False,
    ) -> Coroutine[Any, Any, Response]:
        """Make a call and read the response.

        :param arguments: as of :meth:`request`.
        :param limit: bytes of the body; of a larger one nothing is kept, and its content is ``None``.
        :param checked: a refusal becomes an error: of a large one the beginning is kept.
        """
        return AsyncCall(self, read=True, limit=limit, checked=checked).make(method, endpoint, arguments)

    async def opened(self) -> OpenedSession:
        """Return what is open; open it where it is closed, or outdated."""
        if self.before_opening is not None:
            await self.before_opening()
        usable = self.usable
        if usable is None:
            settings, options, before = self.auth.client.settings, self._options(), self.current
            jar = before.jar if before is not None else self._new_jar()
            usable = self.current = OpenedSession(settings, options, jar, self._chosen_proxies)
            if before is not None:
                self._earlier.append(before)
        return usable

    def _new_jar(self) -> aiohttp.abc.AbstractCookieJar:
        return aiohttp.CookieJar(unsafe=True) if self.keep_cookies else aiohttp.DummyCookieJar()
