"""What a call of coroutines hands to aiohttp: the first request, or one that follows a response."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from airflow_oauth_provider.calls.async_request import AsyncRequest, client_timeout
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.calls.turns import InTurn
from airflow_oauth_provider.protocol.call.effects import SendCall
from airflow_oauth_provider.protocol.call.redirects import hop_headers
from airflow_oauth_provider.transport.async_responses import HeadTimer

if TYPE_CHECKING:
    from airflow_oauth_provider.calls.opened_session import OpenedSession
    from airflow_oauth_provider.tokens import AccessToken

_CONTENT_TYPE = ("Content-Type",)


class CurrentRequest(InTurn):
    """A part of a call of coroutines: the request that is under way."""

    __slots__ = ("_call", "_flow", "_jar", "_read", "_request")
    _request: AsyncRequest
    _call: SendCall
    _flow: CallFlow | None
    """Of a call that goes on after its first response."""
    _jar: aiohttp.CookieJar | None
    """Of this call alone, where the session keeps no cookies."""
    _read: bool

    def _request_on(
        self, opened: OpenedSession, token: AccessToken, timer: HeadTimer
    ) -> Awaitable[aiohttp.ClientResponse]:
        """Begin the request of the current call."""
        session, call, request, again = self._session, self._call, self._request, self._flow is not None
        looked_up_for, proxy = (None, None) if again else request.route
        if looked_up_for is not opened:
            proxy = opened.proxy_for(call.url)
            if not again:
                request.route = opened, proxy
        first = None if again else request.headers_with(token, session.auth)
        return (opened.session if call.trusted else opened.elsewhere()).request(
            call.method,
            URL(call.url, encoded=True) if again else request.address,
            headers=self._headers_again(token) if first is None else first,
            data=request.body(timer, again=again) if call.with_body else None,
            proxy=proxy.url if proxy else None,
            allow_redirects=False,
            timeout=client_timeout(self._limits or request.timeouts, body=not self._read),
            # Else aiohttp would make up a type; named where it would only, since it costs.
            skip_auto_headers=_CONTENT_TYPE if request.names_no_type else None,
            cookies=self._cookies() if again else request.cookies,
        )

    def _headers_again(self, token: AccessToken) -> dict[str, str]:
        """Return the headers of a call that is not the first."""
        own = self._session.auth.headers_for(token, self._call)
        return {**hop_headers(self._request.headers, self._call), **own}

    def _cookies(self) -> dict[str, str] | None:
        """Return the cookies of a call that is not the first."""
        cookies = self._request.cookies
        if not self._call.trusted:
            return None
        if self._jar is not None:
            kept = self._jar.filter_cookies(URL(self._call.url))
            cookies = {**(cookies or {}), **{name: morsel.value for name, morsel in kept.items()}}
        return cookies
