"""An aiohttp session that calls one connection's API.

The counterpart of :mod:`airflow_oauth_provider.calls.session`: what is decided is decided by the same
flow (:mod:`airflow_oauth_provider.calls.call_flow`), and ``requests`` itself encodes bodies and parameters,
so that a call has the same bytes on both sides.

Rules:

* States: closed (no aiohttp session, no connector), open, and closed again; a call opens a closed session.
  Only :meth:`OAuth2AsyncSession._opened` opens, and only :meth:`OAuth2AsyncSession.close` closes.
* An open session keeps the settings that it was opened with, as ``outdated`` says; the owner of the session
  makes another one then.
* The connector belongs to the event loop (:mod:`airflow_oauth_provider.transport.connectors`): a session
  enters it when it opens, and leaves it when it closes.
* A request is built before anything is asked of anybody. Its token is looked up last, and travels beside it.
* One event loop at a time uses a session. Nothing here awaits between reading its state and changing it.
* What a call raises is of this package's, and holds neither request nor response; a cancellation passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self

import aiohttp
from requests import Response
from requests.structures import CaseInsensitiveDict

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.async_call import AsyncCall
from airflow_oauth_provider.calls.async_request import RequestBuilder
from airflow_oauth_provider.calls.pending_response import PendingResponse
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.urls import acceptable, parse_url
from airflow_oauth_provider.transport.async_responses import HeadTimers, TimedResponse
from airflow_oauth_provider.transport.call_failure import call_failed
from airflow_oauth_provider.transport.connectors import SharedConnector, shared_connector
from airflow_oauth_provider.transport.faults import ADDRESS_REFUSED
from airflow_oauth_provider.transport.network_options import NetworkOptions
from airflow_oauth_provider.transport.proxies import Proxy, proxy_for

MAX_HEADER = 64 * 1024
"""Bytes of the longest header of a response, as ``http.client`` has it."""


class OAuth2AsyncSession:
    """See the module.

    Made by :meth:`OAuth2Hook.asession`, and used like an aiohttp session::

        async with hook.asession() as session, session.get("orders") as response:
            orders = await response.json()

    :param auth: whose token is used.
    :param options: returns how the API is reached, once the connection has been read.
    :param headers: sent with every call.
    :param proxies: as in ``requests``; ``None`` for those of connection and environment.
    :param keep_cookies: between calls; else only from one redirect of a call to the next.
    """

    def __init__(
        self,
        auth: BearerAuth,
        options: Callable[[], NetworkOptions],
        *,
        headers: dict[str, Any] | None = None,
        proxies: dict[str, str] | None = None,
        keep_cookies: bool = True,
    ) -> None:
        self.auth = auth
        auth.require_no_other(CaseInsensitiveDict(headers or {}))
        self.keep_cookies = keep_cookies
        self._chosen_proxies = proxies
        self._proxies: dict[str, Proxy | None] = {}
        self.builder = RequestBuilder(auth, headers)
        self.before_opening: Callable[[], Awaitable[Any]] | None = None
        """Awaited before the session is opened."""
        self._options = options
        self._connector: SharedConnector | None = None
        self._elsewhere: SharedConnector | None = None
        self.aiohttp_session: aiohttp.ClientSession | None = None
        self._stranger: aiohttp.ClientSession | None = None
        self._opened_with: ClientSettings | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def outdated(self) -> bool:
        """Whether the connection has been edited since it was opened."""
        return self.aiohttp_session is not None and self._opened_with is not self.auth.client.settings

    async def close(self) -> None:
        """Close it; a later call opens it anew."""
        sessions = self.aiohttp_session, self._stranger
        connectors = self._connector, self._elsewhere
        self.aiohttp_session = self._stranger = self._connector = self._elsewhere = None
        for session in filter(None, sessions):
            await session.close()
        for connector in filter(None, connectors):
            await connector.leave()

    def request(self, method: str, endpoint: str | None = None, **arguments: Any) -> PendingResponse:
        """Make a call; await the result, or use it with ``async with``.

        :param endpoint: relative to the base URL, or absolute within the allowed origins.
        :param arguments: ``params``, ``data``, ``json``, ``files``, ``headers``, ``cookies`` as in
            ``requests``; ``timeout`` (seconds, or a pair for connecting and reading; default 60);
            ``total_timeout`` (seconds for the whole call; default none); ``allow_redirects``.
        :raises ResourceError: when the call must not go on; a refusal by status is not raised.
        :raises TransportError: when the API does not answer.
        :raises OAuthError: when no token can be acquired.
        """
        return PendingResponse(AsyncCall(self, read=False).make(method, endpoint, arguments))

    def get(self, endpoint: str | None = None, **arguments: Any) -> PendingResponse:
        """Make a GET call; see :meth:`request`."""
        return self.request("GET", endpoint, **arguments)

    def head(self, endpoint: str | None = None, **arguments: Any) -> PendingResponse:
        """Make a HEAD call; see :meth:`request`."""
        return self.request("HEAD", endpoint, **arguments)

    def options(self, endpoint: str | None = None, **arguments: Any) -> PendingResponse:
        """Make an OPTIONS call; see :meth:`request`."""
        return self.request("OPTIONS", endpoint, **arguments)

    def post(self, endpoint: str | None = None, **arguments: Any) -> PendingResponse:
        """Make a POST call; see :meth:`request`."""
        return self.request("POST", endpoint, **arguments)

    def put(self, endpoint: str | None = None, **arguments: Any) -> PendingResponse:
        """Make a PUT call; see :meth:`request`."""
        return self.request("PUT", endpoint, **arguments)

    def patch(self, endpoint: str | None = None, **arguments: Any) -> PendingResponse:
        """Make a PATCH call; see :meth:`request`."""
        return self.request("PATCH", endpoint, **arguments)

    def delete(self, endpoint: str | None = None, **arguments: Any) -> PendingResponse:
        """Make a DELETE call; see :meth:`request`."""
        return self.request("DELETE", endpoint, **arguments)

    def fetch(
        self, method: str, endpoint: str | None, arguments: dict[str, Any], *, limit: int | None = None
    ) -> Coroutine[Any, Any, Response]:
        """Make a call and read the response.

        :param arguments: as of :meth:`request`.
        :param limit: bytes of the body; of a larger one nothing is kept, and its content is ``None``.
        """
        return AsyncCall(self, read=True, limit=limit).make(method, endpoint, arguments)

    async def opened(self) -> aiohttp.ClientSession:
        """Return the session of aiohttp's; open it where it is closed."""
        if self.before_opening is not None:
            await self.before_opening()
        if self.aiohttp_session is None:
            self._opened_with = self.auth.client.settings
            self._connector = shared_connector(self._options())
            self._proxies = {}
            jar = aiohttp.CookieJar(unsafe=True) if self.keep_cookies else aiohttp.DummyCookieJar()
            self.aiohttp_session = self._new_session(jar, self._connector)
        return self.aiohttp_session

    @property
    def head_timers(self) -> HeadTimers:
        """The timers of an open session."""
        if self._connector is None:
            raise AssertionError("a session is opened before it is used")
        return self._connector.head_timers

    def without_cookies(self) -> aiohttp.ClientSession:
        """Return one that neither sends nor keeps cookies, nor presents a client certificate; a session
        that is open has it.
        """  # noqa: D205  (one sentence)
        if self._stranger is None:
            if self._connector is None:
                raise AssertionError("a session is opened before it is used")
            self._elsewhere = shared_connector(self._connector.options.elsewhere)
            self._stranger = self._new_session(aiohttp.DummyCookieJar(), self._elsewhere)
        if self._connector is not None and self._elsewhere is not None:
            self._elsewhere.resolver.proxies |= self._connector.resolver.proxies
        return self._stranger

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy for *url*; looked up, and addresses looked at, once per origin.

        :raises ConfigurationError: for an address that a token must not reach.
        """
        origin = url[: url.find("/", 8)]
        if origin not in self._proxies:
            self._proxies[origin] = self._looked_up_proxy(url)
        return self._proxies[origin]

    def known_proxy(self, url: str) -> Proxy | None:
        """Return the proxy for *url*, if it has been looked up."""
        return self._proxies.get(url[: url.find("/", 8)])

    def _looked_up_proxy(self, url: str) -> Proxy | None:
        if self._connector is None:
            raise AssertionError("a session is opened before it is used")
        proxy = proxy_for(url, self.auth.client.settings.network, self._chosen_proxies)
        if proxy is not None:
            self._connector.add_proxy(proxy)
            return proxy
        origin = parse_url(url.partition("#")[0]).origin
        any_address = self._connector.options.any_address(origin.host, origin.port)
        if not acceptable(origin.host, origin.host, any_address=any_address):  # the resolver sees names only
            raise call_failed(url, ADDRESS_REFUSED)
        return None

    def _new_session(
        self, jar: aiohttp.abc.AbstractCookieJar, connector: SharedConnector
    ) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            connector=connector.connector,
            connector_owner=False,
            cookie_jar=jar,
            response_class=TimedResponse,
        )
        # A call is sent once (aiohttp would repeat idempotent ones; it offers no public switch).
        session._retry_connection = False  # noqa: SLF001
        return session
