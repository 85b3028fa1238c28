"""One call that another HTTP library sends, which may follow redirects by itself.

The library says what came back and what it is about to send; what follows from it is the flow of every call
(:mod:`airflow_oauth_provider.protocol.call.protected_call`). Only whether a redirect is followed is up to the
library: where it leads, and what goes along, is not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.calls.cool_down import atoken_when_cool, token_when_cool
from airflow_oauth_provider.calls.response import seconds_to_stay_away
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.call.redirects import REDIRECTS, not_followed, rewritten
from airflow_oauth_provider.protocol.dpop.server_hints import NONCE_HEADER
from airflow_oauth_provider.protocol.urls import UrlError, parse_url
from airflow_oauth_provider.tokens import AccessToken

log = logging.getLogger(__name__)


class Hop(NamedTuple):
    """The request by which the library follows a redirect, as the library spells it."""

    method: str
    url: str
    has_body: bool


def head_from(status: int, values: Callable[[str], list[str]]) -> ResponseHead:
    """Reduce a response to what the flow of a call needs.

    :param values: returns those of a header, which may come several times.
    """
    location, date = values("Location"), values("Date")
    asked = {name: ", ".join(values(name)) for name in ("Retry-After", "Date") if values(name)}
    return ResponseHead(
        status,
        location[0] if location else None,
        tuple(values("WWW-Authenticate")),
        tuple(values(NONCE_HEADER)),
        date[0] if date else None,
        retry_after=seconds_to_stay_away(status, asked),
    )


class ForeignCall:
    """One call of another library, from its first request to the response that its caller gets.

    :param token: that the call carries.
    :param replayable: asked once the call has been sent: whether its body can be sent again.
    """

    def __init__(
        self, auth: BearerAuth, call: SendCall, token: AccessToken, replayable: Callable[[], bool]
    ) -> None:
        self._auth = auth
        self._call = call
        self._token = token
        self._replayable = replayable
        self._flow: CallFlow | None = None
        self._judged: tuple[ResponseHead, SendCall | None] | None = None
        self.followed = 0
        """Redirects that the library has followed."""

    @classmethod
    def begin(
        cls,
        auth: BearerAuth,
        method: str,
        url: str,
        headers: Mapping[str, Any],
        replayable: Callable[[], bool],
    ) -> Self:
        """Begin a call.

        :param headers: of the request.
        :raises ConfigurationError: for a URL that must not get the token, or a header in its place; nothing
            is sent then.
        :raises OAuthError: when no token can be acquired.
        :raises ResourceError: when the API wants to be left alone for longer than a call waits.
        """
        call = SendCall(method, url)
        return cls(auth, call, token_when_cool(auth, call, headers, auth.cool_down), replayable)

    @classmethod
    async def abegin(
        cls,
        auth: BearerAuth,
        method: str,
        url: str,
        headers: Mapping[str, Any],
        replayable: Callable[[], bool],
    ) -> Self:
        """Do what :meth:`begin` does without blocking the event loop."""
        call = SendCall(method, url)
        return cls(auth, call, await atoken_when_cool(auth, call, headers, auth.cool_down), replayable)

    def headers(self, method: str, url: str) -> dict[str, str]:
        """Return the headers that put the token on a request which is about to be sent.

        :param method: as the library spells it, like *url*.
        :raises ConfigurationError: for a URL that must not get the token.
        """
        call, auth = self._call, self._auth
        if call.trusted:
            auth.require_allowed(url, self._token if auth.instance_named else None)
        return auth.headers_for(self._token, call._replace(method=method, url=url))

    def method_after(self, head: ResponseHead) -> str:
        """Return the method by which a redirect is followed."""
        return rewritten(self._call, head.status)[0]

    def judge(self, head: ResponseHead) -> None:
        """Judge a redirect that the library is about to follow, before it connects to anybody.

        :raises OAuthError: when the call must not go there.
        """
        if self._judged is not None and self._judged[0] is head:
            return
        try:
            self._judged = head, self._begun().next_call(head)
        except OAuthError as error:
            failure = error.for_connection(self._auth.client.conn_id)
        else:
            return
        raise failure

    async def ajudge(self, head: ResponseHead) -> None:
        """Do what :meth:`judge` does without blocking the event loop."""
        if self._judged is not None and self._judged[0] is head:
            return
        try:
            self._judged = head, await self._begun().anext_call(head)
        except OAuthError as error:
            failure = error.for_connection(self._auth.client.conn_id)
        else:
            return
        raise failure

    def goes_on(self, head: ResponseHead, hop: Hop | None = None) -> bool:
        """Whether a request follows a response.

        :param hop: by which the library follows a redirect; ``None`` for a response that is its result, where
            the request is not sent again.
        :raises OAuthError: when the call must not go on.
        """
        if hop or not _redirects(head):
            self.judge(head)
        try:
            return self._next(self._judged_call(head), head, hop)
        except OAuthError as error:
            failure = error.for_connection(self._auth.client.conn_id)
        raise failure

    async def agoes_on(self, head: ResponseHead, hop: Hop | None = None) -> bool:
        """Do what :meth:`goes_on` does without blocking the event loop."""
        if hop or not _redirects(head):
            await self.ajudge(head)
        try:
            return self._next(self._judged_call(head), head, hop)
        except OAuthError as error:
            failure = error.for_connection(self._auth.client.conn_id)
        raise failure

    def _begun(self) -> CallFlow:
        if self._flow is None:
            self._flow = CallFlow(self._auth, self._call, self._token, replayable=self._replayable())
        return self._flow

    def _judged_call(self, head: ResponseHead) -> SendCall | None:
        judged = self._judged
        return judged[1] if judged is not None and judged[0] is head else None

    def _next(self, call: SendCall | None, head: ResponseHead, hop: Hop | None) -> bool:
        if hop is not None:
            _require_same(call, head, hop)
            self.followed += 1
        if call is None or self._flow is None:
            self._warn_of_certificate(head)
            return False
        self._call, self._token = call, self._flow.token
        return True

    def _warn_of_certificate(self, head: ResponseHead) -> None:
        """Say why an API may refuse a token that is bound to a certificate."""
        client = self._auth.client
        if head.status == 401 and client.settings.network.certificate is not None:
            log.warning(
                'Connection "%s": the API refused the token, which may be bound to the client certificate. '
                "This library knows nothing of that: call the API by OAuth2Hook",
                client.conn_id,
            )


def _redirects(head: ResponseHead) -> bool:
    return head.status in REDIRECTS and bool(head.location)


def _require_same(call: SendCall | None, head: ResponseHead, hop: Hop) -> None:
    """Refuse a redirect that the library follows in another way than the flow would.

    A GET in place of another method, which some libraries make of a 302 (RFC 9110 §15.4.3), is less.

    :raises ResourceError: then.
    """
    try:
        origin = parse_url(hop.url.partition("#")[0]).origin
    except UrlError as error:
        refused = not_followed(head, f"the new address {error}")
    else:
        if call is None or parse_url(call.url).origin != origin:
            raise not_followed(head, "its address is not the one that the library would call")
        if hop.method not in {call.method, "GET"}:
            raise not_followed(head, f"the library would send {hop.method}, where {call.method} is meant")
        if hop.has_body and not call.with_body:
            raise not_followed(head, f"it leads to {origin}, where the request's body may not go")
        return
    raise refused
