"""One call on aiohttp, from its arguments to its response."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

import aiohttp
from requests import Response

from airflow_oauth_provider.calls.async_request import AsyncRequest
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.calls.cool_down import await_end, longest_wait
from airflow_oauth_provider.calls.current_request import CurrentRequest
from airflow_oauth_provider.calls.options import IGNORE
from airflow_oauth_provider.calls.response import (
    ReadResponse,
    adrain,
    aread_refusal,
    async_head_of,
    async_nonces_of,
    note_credential,
    response_of,
)
from airflow_oauth_provider.calls.turns import after_waiting, uploads_of
from airflow_oauth_provider.exceptions import OAuthError, unexpected
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.dpop.proof import DPOP
from airflow_oauth_provider.protocol.dpop.server_hints import NONCE_HEADER
from airflow_oauth_provider.transport.async_faults import classify_async
from airflow_oauth_provider.transport.async_responses import read_body
from airflow_oauth_provider.transport.call_failure import call_failed, error_of_ours

if TYPE_CHECKING:
    from airflow_oauth_provider.calls.async_session import OAuth2AsyncSession
    from airflow_oauth_provider.calls.opened_session import OpenedSession
    from airflow_oauth_provider.tokens import AccessToken


class AsyncCall(CurrentRequest):
    """A call of a session.

    Whatever aiohttp raises, and the caller's own code that runs meanwhile, becomes an error of this package;
    what reading the connection raises is Airflow's own. No frame of such an error holds the headers that put
    the token on a request.

    :param read: the result is the response read and closed, as ``requests`` has it; else that of aiohttp,
        whose body the caller reads.
    :param limit: bytes of the body to be read; of a larger one nothing is kept.
    :param checked: of a large refusal the beginning is kept.
    """

    __slots__ = (
        "_arguments",
        "_built",
        "_checked",
        "_content",
        "_cooling",
        "_earlier",
        "_limit",
        "_looked_into",
        "_opened",
    )
    _arguments: tuple[str, str | None, dict[str, Any]]
    """Of a call that waits for the first token."""

    def __init__(
        self, session: OAuth2AsyncSession, *, read: bool, limit: int | None = None, checked: bool = False
    ) -> None:
        self._session = session
        self._checked = checked
        self._read = read
        self._limit = limit
        self._has_turn = False
        self._place = None
        self._cooling = False  # it began while a cool-down was known
        self._limits = None
        self._built: AsyncRequest | None = None  # before there was a token
        self._earlier: list[Response] | None = None
        self._flow = None
        self._jar = None
        self._opened: OpenedSession | None = None
        self._looked_into: aiohttp.ClientResponse | None = None
        self._content: bytes | None = None  # of that response

    async def make(self, method: str, endpoint: str | None, arguments: dict[str, Any]) -> Any:
        """Make it, when it is its turn.

        :param arguments: as of ``OAuth2AsyncSession.request``.
        """
        session = self._session
        client, build = session.auth.client, session.builder.build
        try:  # all in one frame, since each costs a call whenever it goes on
            if hasattr(type(arguments.get("data")), "__aiter__"):
                await self._next_place(arguments)
            self._has_turn = session.turns.take() or await self._next_turn(endpoint, arguments)
            began = monotonic()
            token = client.held_token() or await self._first_token(method, endpoint, arguments)
            self._request = request = build(method, endpoint, arguments, token, self._built)
            # None when the request could not be built a moment ago: the connection has changed meanwhile.
            token = token or await client.aget_token()
            if began >= session.builder.board.quiet_until and arguments.get("cool_down") != IGNORE:
                token = await self._cooled(method, endpoint, arguments, token)
                request = self._request
            self._call, started = request.call, monotonic()
            while True:
                timer, failure = None, None
                try:
                    opened = self._opened = session.usable or await session.opened()
                    timer = opened.head_timers.begin(request.timeouts.read)
                    response = await self._request_on(opened, token, timer)
                except Exception as error:  # the caller's own code runs meanwhile, too
                    failure = self._failure(error)
                finally:
                    if timer is not None:
                        timer.stop()
                if failure is not None:
                    raise failure
                head = None if session.builder.dead_when is None else await self._judged(response)
                if response.status < 300 and self._flow is None and not (head and head.tells_dead_token):
                    self._note_accepted(token, response)
                    break
                again = await self._next_call(response, head or async_head_of(response), token, arguments)
                if again is None:
                    break
                self._call, token = again
            if not self._read:
                return response
            seconds = monotonic() - started
            body = self._body_there(response) or await self._body(response)
            result = self._result(response, body, began)
            result.seconds = seconds
            return result
        finally:
            self._end()

    async def _first_token(
        self, method: str, endpoint: str | None, arguments: dict[str, Any]
    ) -> AccessToken | None:
        self._arguments = method, endpoint, arguments
        client = self._session.auth.client
        before = client.reader.settings
        try:
            token = await client.afirst_token(self._check)
            if token is None or before is None or client.reader.settings is before:
                return token
            # Read again meanwhile, for this token or after it: the request will be of the new connection.
            return client.held_token() or await client.aget_token()
        except Exception as error:
            self._session.turns.fail(error)
            uploads_of(client.conn_id).fail(error)
            raise

    def _check(self) -> None:
        """Build the request before there is a token: whether there is need of one."""
        build, (method, endpoint, arguments) = self._session.builder.build, self._arguments
        if self._session.auth.instance_named:  # the address is still to come: another one will be sent
            build(method, endpoint, {**arguments, "files": None})
        else:
            self._built = build(method, endpoint, arguments)

    async def _cooled(
        self, method: str, endpoint: str | None, arguments: dict[str, Any], token: AccessToken
    ) -> AccessToken:
        """Wait while the API wants to be left alone; return the token with which to call it then."""
        session, request = self._session, self._request
        limits, had_turn = self._limits or request.timeouts, self._has_turn
        most = longest_wait(arguments.get("cool_down"), limits, deferred=session.deferred)
        waited = await await_end(session.auth, request.call, most, self._end_turn)
        self._cooling = bool(session.auth.cool_downs.board.held)
        if waited:
            self._limits = limits = after_waiting(limits, waited)
            if had_turn:
                self._has_turn = session.turns.take() or await self._wait_within(session.turns, limits)
            token = await session.auth.client.aget_token()  # the one before may have ended meanwhile
            self._request = session.builder.build(method, endpoint, arguments, token, request)
        return token

    def _note_accepted(self, token: AccessToken, response: aiohttp.ClientResponse) -> None:
        request = self._request
        if token.token_type == DPOP and NONCE_HEADER in response.headers:
            self._session.auth.proofs.keep_nonce(request.call.url, async_nonces_of(response))
        if self._cooling:
            self._session.auth.note_answered(request.call.url)
        if request.accepted_with is not token:
            request.accepted_with = token
            self._session.auth.note_accepted(token, request.call.url)

    async def _judged(self, response: aiohttp.ClientResponse) -> ResponseHead:
        """Return what the flow needs to know of a response, with what its body says of the token.

        The body of one that the caller reads is not looked into.
        """
        head, sign = async_head_of(response), self._session.builder.dead_when
        length = response.headers.get("Content-Length")
        if sign is None or not self._read or not self._session.auth.may_tell(head, length):
            return head
        self._looked_into, self._content = response, await self._body(response)
        return head._replace(tells_dead_token=sign.shows_in(self._content))

    async def _next_call(
        self,
        response: aiohttp.ClientResponse,
        head: ResponseHead,
        token: AccessToken,
        arguments: dict[str, Any],
    ) -> tuple[SendCall, AccessToken] | None:
        """Return what the flow says after a response: to renew, replay or follow a redirect; or nothing."""
        auth = self._session.auth
        try:
            flow = self._flow = self._flow or CallFlow(
                auth,
                self._call,
                token,
                replayable=self._request.replayable,
                follow_redirects=arguments.get("allow_redirects", True),
            )
            call = await flow.anext_call(head)
            if call is not None:
                await self._put_by(response)
        except OAuthError as error:
            failure = error.for_connection(auth.client.conn_id)
        else:
            return None if call is None else (call, flow.token)
        response.close()
        raise failure

    async def _put_by(self, response: aiohttp.ClientResponse) -> None:
        """Keep what an intermediate response says, and free its connection."""
        call, session = self._call, self._session
        self._earlier = self._earlier or []
        body = await adrain(response) if self._looked_into is not response else self._content
        self._earlier.append(response_of(response, call, body))
        if call.trusted and not session.keep_cookies:
            self._jar = self._jar or aiohttp.CookieJar(unsafe=True)
            self._jar.update_cookies(response.cookies, response.url)

    def _result(self, response: aiohttp.ClientResponse, body: bytes | None, began: float) -> ReadResponse:
        result = response_of(response, self._call, body)
        if self._earlier is not None:
            result.history = self._earlier
        if self._flow is not None:
            note_credential(result, self._flow.credential(began))
        return result

    def _body_there(self, response: aiohttp.ClientResponse) -> bytes | None:
        """Return the body, if it is there, as most are when their head is."""
        content = response.content
        if content.is_eof() and self._limit is None and content.exception() is None:
            return self._content if self._looked_into is response else content.read_nowait()
        return None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes | None:
        """Read the body, unless it has been looked into."""
        if self._looked_into is response:
            return self._content
        try:
            read = aread_refusal if self._checked and response.status >= 400 else read_body
            return await read(response, limit=self._limit, seconds=self._request.timeouts.read)
        except Exception as error:
            failure = self._failure(error)
        response.close()
        raise failure

    def _failure(self, error: Exception) -> OAuthError:
        """Return what is raised for an error that came up while the current call was made."""
        failure = error_of_ours(error)
        if failure is None:
            proxy = None if self._opened is None else self._opened.known_proxy(self._call.url)
            network = classify_async(error, proxy)
            failure = call_failed(self._call.url, network) if network else unexpected(error, "the call")
        return failure.for_connection(self._session.auth.client.conn_id)
