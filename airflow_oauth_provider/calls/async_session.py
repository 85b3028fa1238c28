"""An aiohttp session that calls one connection's API.

The counterpart of :mod:`airflow_oauth_provider.calls.session`: what is decided is decided by the same
flow (:mod:`airflow_oauth_provider.protocol.call.protected_call`), and ``requests`` itself encodes bodies and
parameters, so that a call has the same bytes on both sides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from requests import Response
from requests.structures import CaseInsensitiveDict
from yarl import URL

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.async_request import Outgoing
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.calls.pending_response import PendingAnswer
from airflow_oauth_provider.calls.preparation import Preparation
from airflow_oauth_provider.calls.response import (
    ReadResponse,
    adrain,
    answer_of,
    async_head_of,
    note_credential,
    read_within,
)
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.call.credentials import headers_for
from airflow_oauth_provider.protocol.call.effects import SendCall
from airflow_oauth_provider.protocol.call.redirects import hop_headers
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.urls import is_forbidden_address
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.transport.async_faults import NO_ANSWER, classify_async
from airflow_oauth_provider.transport.call_failure import call_failed
from airflow_oauth_provider.transport.connectors import Reach, SharedConnector, shared_connector
from airflow_oauth_provider.transport.faults import ADDRESS_REFUSED
from airflow_oauth_provider.transport.proxies import Proxy, proxy_for

MAX_HEADER = 64 * 1024
"""Bytes of the longest header of an answer, as ``http.client`` has it."""


class OAuth2AsyncSession:
    """See the module.

    Made by :meth:`OAuth2Hook.asession`, and used like an aiohttp session::

        async with hook.asession() as session, session.get("orders") as response:
            orders = await response.json()

    :param auth: whose token is used.
    :param reach: tells how the API is reached, once the connection has been read.
    :param headers: sent with every call.
    :param proxies: as in ``requests``; ``None`` for those of connection and environment.
    :param keep_cookies: between calls; else only from one redirect of a call to the next.
    """

    def __init__(
        self,
        auth: BearerAuth,
        reach: Callable[[], Reach],
        *,
        headers: dict[str, Any] | None = None,
        proxies: dict[str, str] | None = None,
        keep_cookies: bool = True,
    ) -> None:
        self.auth = auth
        self._reach = reach
        auth.require_no_other(CaseInsensitiveDict(headers or {}))
        self._headers = headers or {}
        self._chosen_proxies = proxies
        self._keep_cookies = keep_cookies
        self._proxies: dict[str, Proxy | None] = {}
        self._prepared = Preparation(auth).prepare
        self._connector: SharedConnector | None = None
        self._session: aiohttp.ClientSession | None = None
        self._opened_with: ClientSettings | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def outdated(self) -> bool:
        """Whether the connection has been edited since it was opened."""
        return self._session is not None and self._opened_with is not self.auth.client.settings

    async def close(self) -> None:
        """Close it; a later call opens it anew."""
        session, connector = self._session, self._connector
        self._session = self._connector = None
        if session is not None:
            await session.close()
        if connector is not None:
            await connector.leave()

    def request(self, method: str, endpoint: str | None = None, **arguments: Any) -> PendingAnswer:
        """Make a call; await the result, or use it with ``async with``.

        :param endpoint: relative to the base URL, or absolute within the allowed origins.
        :param arguments: ``params``, ``data``, ``json``, ``files``, ``headers``, ``cookies`` as in
            ``requests``; ``timeout`` (seconds, or a pair for connecting and reading; default 60);
            ``allow_redirects``.
        :raises ResourceError: when the call must not go on; a refusal by status is not raised.
        :raises TransportError: when the API does not answer.
        :raises OAuthError: when there is no token to be had.
        """
        return PendingAnswer(self._last_answer(method, endpoint, arguments))

    def get(self, endpoint: str | None = None, **arguments: Any) -> PendingAnswer:
        """Make a GET call; see :meth:`request`."""
        return self.request("GET", endpoint, **arguments)

    def head(self, endpoint: str | None = None, **arguments: Any) -> PendingAnswer:
        """Make a HEAD call; see :meth:`request`."""
        return self.request("HEAD", endpoint, **arguments)

    def options(self, endpoint: str | None = None, **arguments: Any) -> PendingAnswer:
        """Make an OPTIONS call; see :meth:`request`."""
        return self.request("OPTIONS", endpoint, **arguments)

    def post(self, endpoint: str | None = None, **arguments: Any) -> PendingAnswer:
        """Make a POST call; see :meth:`request`."""
        return self.request("POST", endpoint, **arguments)

    def put(self, endpoint: str | None = None, **arguments: Any) -> PendingAnswer:
        """Make a PUT call; see :meth:`request`."""
        return self.request("PUT", endpoint, **arguments)

    def patch(self, endpoint: str | None = None, **arguments: Any) -> PendingAnswer:
        """Make a PATCH call; see :meth:`request`."""
        return self.request("PATCH", endpoint, **arguments)

    def delete(self, endpoint: str | None = None, **arguments: Any) -> PendingAnswer:
        """Make a DELETE call; see :meth:`request`."""
        return self.request("DELETE", endpoint, **arguments)

    async def fetch(
        self,
        method: str,
        endpoint: str | None,
        arguments: dict[str, Any],
        *,
        limit: int | None = None,
    ) -> Response:
        """Make a call and read the answer.

        :param arguments: as of :meth:`request`.
        :param limit: bytes of the body; of a larger one nothing is kept, and ``raw`` is ``None``.
        """
        token = self.auth.client.held_token or await self.auth.client.afirst_token(
            partial(self._prepared, method, endpoint, arguments)
        )
        started = monotonic()
        response, url, history, flow = await self._exchange(method, endpoint, arguments, token)
        elapsed = timedelta(seconds=monotonic() - started)
        try:
            content = await (response.read() if limit is None else read_within(response, limit))
        except NO_ANSWER as error:
            raise self._no_answer(url, error) from None
        answer = answer_of(response, url, content)
        answer.history, answer.elapsed = history, elapsed  # type: ignore[assignment]
        if flow is not None:
            note_credential(answer, flow.credential(started))
        return answer

    async def _exchange(
        self,
        method: str,
        endpoint: str | None,
        arguments: dict[str, Any],
        token: AccessToken | None = None,
    ) -> tuple[aiohttp.ClientResponse, str, list[ReadResponse], CallFlow | None]:
        """Make a call; return the last answer, its body yet unread, its URL, and the answers before it.

        :param token: one just got; of those that are good for the call at hand only, nobody else knows.
        """
        client = self.auth.client
        try:
            if self._session is None:
                await client.asettings()
            session = self._session or self._open()
            request = self._prepared(method, endpoint, arguments)
            url, headers = request.url, request.headers
            token = token or client.held_token or await client.aget_token()
            call = SendCall(method, url)
            headers.update(headers_for(token, call))
            body = request.body(again=False)
            try:
                response = await self._request(session, method, url, headers, body, request.options)
            except NO_ANSWER as error:
                raise self._no_answer(url, error) from None
            if response.status < 300:
                self.auth.note_accepted(token, url)
                return response, url, [], None
            flow = CallFlow(
                self.auth,
                call,
                token,
                replayable=request.replayable,
                follow_redirects=arguments.get("allow_redirects", True),
            )
            return *await self._go_on(flow, request, response), flow
        except OAuthError as error:
            raise error.for_connection(client.conn_id) from None

    async def _go_on(
        self, flow: CallFlow, request: Outgoing, response: aiohttp.ClientResponse
    ) -> tuple[aiohttp.ClientResponse, str, list[ReadResponse]]:
        """Do what *flow* says after the first answer: renew, replay, follow redirects."""
        url, trusted = request.url, True
        history: list[ReadResponse] = []
        jar = None if self._keep_cookies else aiohttp.CookieJar(unsafe=True)
        while (call := await flow.anext_call(async_head_of(response))) is not None:
            history.append(answer_of(response, url, await adrain(response)))
            if trusted and jar is not None:
                jar.update_cookies(response.cookies, response.url)
            url, trusted = call.url, call.trusted
            headers = hop_headers(request.headers, call)
            headers.update(headers_for(flow.token, call))
            try:
                response = await self._send_again(call, request, headers, jar)
            except NO_ANSWER as error:
                raise self._no_answer(url, error) from None
        return response, url, history

    async def _send_again(
        self, call: SendCall, request: Outgoing, headers: dict[str, str], jar: aiohttp.CookieJar | None
    ) -> aiohttp.ClientResponse:
        body = request.body(again=True) if call.with_body else None
        options = dict(request.options)
        cookies = options.pop("cookies", None)
        if call.trusted:
            if jar is not None:
                cookies = {**(cookies or {}), **jar.filter_cookies(URL(call.url))}
            options["cookies"] = cookies
            session = self._session or self._open()
            return await self._request(session, call.method, call.url, headers, body, options)
        # A session of its own, which neither sends nor keeps cookies.
        async with self._new_session(aiohttp.DummyCookieJar()) as stranger:
            return await self._request(stranger, call.method, call.url, headers, body, options)

    def _request(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        headers: dict[str, str],
        body: Any,
        options: dict[str, Any],
    ) -> Awaitable[aiohttp.ClientResponse]:
        proxy = self._proxy_for(url)
        # As requests has encoded it: aiohttp would decode what it thinks need not be encoded, and with it
        # the signature over an address.
        return session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=body,
            proxy=proxy.url if proxy else None,
            allow_redirects=False,
            **options,
        )

    def _no_answer(self, url: str, error: BaseException) -> BaseException:
        """Return what to raise for an error of aiohttp's."""
        failure = classify_async(error, self._proxy_for(url))
        if failure is None:
            return error
        return call_failed(url, failure).for_connection(self.auth.client.conn_id)

    async def _last_answer(
        self, method: str, endpoint: str | None, arguments: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        response, *_ = await self._exchange(method, endpoint, arguments)
        return response

    def _open(self) -> aiohttp.ClientSession:
        self._opened_with = self.auth.client.settings
        self._connector = shared_connector(self._reach())
        jar = aiohttp.CookieJar(unsafe=True) if self._keep_cookies else aiohttp.DummyCookieJar()
        self._session = self._new_session(jar, {**dict(self._opened_with.api.headers), **self._headers})
        return self._session

    def _new_session(
        self, jar: aiohttp.abc.AbstractCookieJar, headers: dict[str, Any] | None = None
    ) -> aiohttp.ClientSession:
        if self._connector is None:
            raise AssertionError("a session is opened before it is used")
        session = aiohttp.ClientSession(
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            connector=self._connector.connector,
            connector_owner=False,
            cookie_jar=jar,
            headers=headers,
        )
        # A call is sent once (aiohttp would repeat idempotent ones; it offers no public switch).
        session._retry_connection = False  # noqa: SLF001
        return session

    def _proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy for *url*; looked up, and addresses looked at, once per origin."""
        origin = url[: url.find("/", 8)]
        if origin not in self._proxies:
            self._proxies[origin] = self._found_proxy(url)
        return self._proxies[origin]

    def _found_proxy(self, url: str) -> Proxy | None:
        if self._connector is None:
            raise AssertionError("a session is opened before it is used")
        network = self.auth.client.settings.network
        proxy = proxy_for(url, network, self._chosen_proxies)
        if proxy is not None:
            self._connector.resolver.proxies.add(proxy.host)
        elif not self._connector.reach.any_address and is_forbidden_address(urlsplit(url).hostname or ""):
            # The resolver sees names only.
            raise call_failed(url, ADDRESS_REFUSED)
        return proxy
