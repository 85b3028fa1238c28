"""One call on aiohttp, from its arguments to its response."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import aiohttp
from requests import Response
from yarl import URL

from airflow_oauth_provider.calls.async_request import client_timeout
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.calls.response import (
    adrain,
    async_head_of,
    note_credential,
    response_of,
)
from airflow_oauth_provider.exceptions import OAuthError, unexpected
from airflow_oauth_provider.protocol.call.credentials import headers_for
from airflow_oauth_provider.protocol.call.effects import SendCall
from airflow_oauth_provider.protocol.call.redirects import hop_headers
from airflow_oauth_provider.transport.async_faults import classify_async
from airflow_oauth_provider.transport.async_responses import HeadTimer, read_body
from airflow_oauth_provider.transport.call_failure import call_failed, error_of_ours

if TYPE_CHECKING:
    from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
    from airflow_oauth_provider.tokens import AccessToken


class AsyncCall:
    """A call of a session.

    Whatever aiohttp raises, and the caller's own code that runs meanwhile, becomes an error of this package;
    what reading the connection raises is Airflow's own.

    :param read: the result is the response read and closed, as ``requests`` has it; else that of aiohttp,
        whose body the caller reads.
    :param limit: bytes of the body to be read; of a larger one nothing is kept.
    """

    __slots__ = ("_call", "_earlier", "_flow", "_jar", "_limit", "_read", "_request", "_session")

    def __init__(self, session: OAuth2AsyncSession, *, read: bool, limit: int | None = None) -> None:
        self._session = session
        self._read = read
        self._limit = limit
        self._earlier: list[Response] = []
        self._flow: CallFlow | None = None
        self._jar: aiohttp.CookieJar | None = None

    async def make(self, method: str, endpoint: str | None, arguments: dict[str, Any]) -> Any:
        """Make it.

        :param arguments: as of ``OAuth2AsyncSession.request``.
        """
        session = self._session
        auth, build = session.auth, session.builder.build
        client = auth.client
        token = client.held_token or await client.afirst_token(partial(build, method, endpoint, arguments))
        self._request = request = build(method, endpoint, arguments)
        # None when the request could not be built a moment ago: the connection has changed meanwhile.
        token = token or await client.aget_token()
        self._call = SendCall(method, request.url)
        started = monotonic()
        response = await self._sent(token, request.headers)
        if response.status < 300:
            auth.note_accepted(token, request.url)
        else:
            response = await self._followed(response, token, arguments.get("allow_redirects", True))
        if not self._read:
            return response
        elapsed = timedelta(seconds=monotonic() - started)
        result = response_of(response, self._call.method, self._call.url, await self._body(response))
        result.elapsed = elapsed
        if self._flow is not None:
            result.history = self._earlier
            note_credential(result, self._flow.credential(started))
        return result

    async def _followed(
        self, response: aiohttp.ClientResponse, token: AccessToken, follow_redirects: bool
    ) -> aiohttp.ClientResponse:
        """Do what the flow says after the first response: renew, replay, follow redirects."""
        auth, request = self._session.auth, self._request
        try:
            flow = self._flow = CallFlow(
                auth,
                self._call,
                token,
                replayable=request.replayable,
                follow_redirects=follow_redirects,
            )
            while (call := await flow.anext_call(async_head_of(response))) is not None:
                await self._put_by(response)
                self._call = call
                response = await self._sent(flow.token, hop_headers(request.headers, call))
        except OAuthError as error:
            failure = error.for_connection(auth.client.conn_id)
        else:
            return response
        response.close()
        raise failure

    async def _put_by(self, response: aiohttp.ClientResponse) -> None:
        """Keep what an intermediate response says, and free its connection."""
        call, session = self._call, self._session
        content = await adrain(response)
        self._earlier.append(response_of(response, call.method, call.url, content))
        if call.trusted and not session.keep_cookies:
            self._jar = self._jar or aiohttp.CookieJar(unsafe=True)
            self._jar.update_cookies(response.cookies, response.url)

    async def _sent(self, token: AccessToken, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """Send the request of the current call; return its response, with the body yet unread.

        :param headers: beside those that put the token on it, which no frame of an error may hold.
        """
        session, call, request = self._session, self._call, self._request
        again = self._flow is not None
        timer = HeadTimer(request.timeouts.read)
        try:
            body = request.body(timer, again=again) if call.with_body else None
            opened = session.aiohttp_session or await session.opened()
            if not call.trusted:
                opened = session.without_cookies()
            proxy = session.proxy_for(call.url)
            return await opened.request(
                call.method,
                # As requests has encoded it: aiohttp would decode what it thinks need not be encoded, and
                # with it the signature over an address.
                URL(call.url, encoded=True),
                headers={**headers, **headers_for(token, call)},
                data=body,
                proxy=proxy.url if proxy else None,
                allow_redirects=False,
                **self._options(),
            )
        except Exception as error:  # the caller's own code runs meanwhile, too
            failure = self._failure(error)
        finally:
            timer.stop()
        raise failure

    def _options(self) -> dict[str, Any]:
        """Return what aiohttp is told beside method, address and headers."""
        options: dict[str, Any] = {"timeout": client_timeout(self._request.timeouts, body=not self._read)}
        if self._request.names_no_type:
            # Else aiohttp would make up a type; named where it would only, since it costs.
            options["skip_auto_headers"] = ("Content-Type",)
        if not self._call.trusted:
            return options
        cookies = self._request.cookies
        if self._jar is not None:
            kept = self._jar.filter_cookies(URL(self._call.url))
            cookies = {**(cookies or {}), **{name: morsel.value for name, morsel in kept.items()}}
        if cookies:
            options["cookies"] = cookies
        return options

    async def _body(self, response: aiohttp.ClientResponse) -> bytes | None:
        """Read the body."""
        try:
            return await read_body(response, limit=self._limit, seconds=self._request.timeouts.read)
        except Exception as error:
            failure = self._failure(error)
        response.close()
        raise failure

    def _failure(self, error: Exception) -> OAuthError:
        """Return what is raised for an error that came up while the current call was made."""
        failure = error_of_ours(error)
        if failure is None:
            network = classify_async(error, self._session.known_proxy(self._call.url))
            failure = call_failed(self._call.url, network) if network else unexpected(error, "the call")
        return failure.for_connection(self._session.auth.client.conn_id)
