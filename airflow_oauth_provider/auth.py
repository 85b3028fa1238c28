"""Tokens for any ``requests`` code, and for libraries that want a function."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Self
from urllib.parse import urljoin

from requests import PreparedRequest, Response, Session
from requests.sessions import SessionRedirectMixin
from requests.utils import requote_uri

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.body import can_replay, rewind
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.calls.connection_adapter import ConnectionAdapter
from airflow_oauth_provider.calls.cool_down import token_when_cool
from airflow_oauth_provider.calls.network import network_options
from airflow_oauth_provider.calls.response import drain, head_of
from airflow_oauth_provider.client.bearer_token import BearerToken
from airflow_oauth_provider.client.prepared_client import PreparedClient
from airflow_oauth_provider.connection.identifier import DEFAULT_CONN_ID
from airflow_oauth_provider.connection.token_parameters import Texts, chosen_parameters
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.call.credentials import TOKEN_HEADER, TokenHeader
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.call.redirects import REDIRECTS
from airflow_oauth_provider.protocol.dpop.proof import PROOF_HEADER
from airflow_oauth_provider.tokens import AccessToken

log = logging.getLogger(__name__)


class OAuth2Auth(BearerAuth):
    """Authentication for any ``requests`` code: ``requests.get(url, auth=OAuth2Auth("my_api"))``.

    Works with the stock operator too: ``HttpOperator(auth_type=OAuth2Auth("my_api"), …)``. A
    refused token is renewed once and the request replayed once; a redirect that would carry the
    request where it must not go is an error.

    Whichever thread asks first reads the connection, and again before it asks for another token. Threads and
    processes of a library use what was read, and do not call Airflow.

    A client certificate is a matter of the session, which :meth:`mount` lets present it.

    :param oauth2_conn_id: Airflow connection id.
    :param base_url: of the API; needed when the connection names none.
    :param connection: the connection itself, where the caller has it already.
    :param scope: asked for instead of the connection's, space-delimited or a list; *audience*, *resource* and
        *tenant* (one of the connection's ``tenants``) likewise. Such calls have tokens of their own, and
        leave the connection's status as it is.
    :param cool_down: what a request does while the API has asked all its callers to stay away: ``wait`` (the
        default) for 60 s at the most, ``fail`` or ``ignore`` that.
    """

    def __init__(
        self,
        oauth2_conn_id: str = DEFAULT_CONN_ID,
        *,
        base_url: str | None = None,
        connection: Any = None,
        scope: Texts | None = None,
        audience: str | None = None,
        resource: Texts | None = None,
        tenant: str | None = None,
        cool_down: str | None = None,
    ) -> None:
        parameters = chosen_parameters(oauth2_conn_id, scope, audience, resource, tenant)
        client = PreparedClient(oauth2_conn_id, connection, parameters=parameters)
        super().__init__(client, base_url, cool_down=cool_down)

    @classmethod
    def of(cls, auth: BearerAuth) -> Self:
        """Return one that shares *auth*'s client."""
        other = cls.__new__(cls)
        BearerAuth.__init__(other, auth.client, auth.base_url, cool_down=auth.cool_down)
        return other

    def mount(self, session: Session) -> Session:
        """Let a session carry the token, and reach the API as the connection says.

        Where the token may go, the session presents the connection's client certificate, and trusts the
        connection's authorities; towards other hosts it stays as it is. The connection is read, and a token
        is acquired where tokens name their API.

        :param session: of ``requests``, or of a library on top of it.
        :return: the same.
        :raises ConfigurationError: when the connection is wrong, or nothing names the API.
        """
        origins = self.current_destination().origins
        if not origins:
            raise ConfigurationError(
                "is missing: without it nothing says for which addresses the session is meant",
                field="base_url",
                conn_id=self.client.conn_id,
            )
        adapter = ConnectionAdapter(self.client, partial(network_options, self, {}, None))
        for origin in origins:
            session.mount(f"{origin}/", adapter)
        session.auth = self
        return session

    def __call__(self, request: Any = None, *_: Any) -> Any:
        """Add the token, and watch the responses.

        Airflow's HTTP hook calls its ``auth_type`` to make an auth object, with or without the
        login and password of the connection: anything but a request gets this object itself.
        """
        if not isinstance(request, PreparedRequest):
            return self
        call = SendCall(request.method or "GET", request.url or "")
        token = token_when_cool(self, call, request.headers, self.cool_down)
        request.headers.update(self.headers_for(token, call))
        watch = _ResponseWatch(self, request, token)
        request.register_hook("response", watch)  # type: ignore[no-untyped-call]
        return request


class _ResponseWatch:
    """Holds the responses of one request to the rules of a call; ``requests`` itself follows redirects.

    ``requests`` copies a request for each redirect, with this hook in it, and drops the token's header
    where another origin begins; the copy is judged as the flow's next call.

    :param request: as prepared; each time it is sent a call begins anew.
    :param token: it carries.
    """

    _original: PreparedRequest
    """That of the response at hand, of which requests makes a copy for a redirect."""

    def __init__(self, auth: OAuth2Auth, request: PreparedRequest, token: AccessToken) -> None:
        self._auth = auth
        self._request = request
        self._token = token
        self._flow: CallFlow | None = None
        self._unused_proof = request.headers.get(PROOF_HEADER)

    def __call__(self, response: Response, **kwargs: Any) -> Response:
        """Return the response, or that to a replay with another token."""
        conn_id = self._auth.client.conn_id
        self._original = response.request
        try:
            return self._checked(response, kwargs)
        except OAuthError as error:
            response.close()
            failed = error.for_connection(conn_id)
        raise failed

    def _checked(self, response: Response, kwargs: dict[str, Any]) -> Response:
        flow = self._flow_of(response.request)
        if flow is None:
            return response
        used_before = response.request.headers.get(PROOF_HEADER) != self._unused_proof
        self._unused_proof = None
        carried = self._auth.carries_token(response.request.headers)
        head = self._judged(response, kwargs)
        call = flow.next_call(head, carried=carried, proof_used_before=used_before)
        if call is None:
            self._flow = None
            self._warn_of_certificate(response)
            return response
        if response.status_code in REDIRECTS:
            self._prepare_redirect(response, call)
            drain(response)  # requests would read it whole before it follows
            return response  # it may be followed, which is up to requests
        self._token = flow.token
        replayed = self._replayed(response, call, kwargs)
        try:
            return self._checked(replayed, kwargs)
        except BaseException:
            replayed.close()
            raise

    def _warn_of_certificate(self, response: Response) -> None:
        """Say why an API may refuse a token that is bound to a certificate."""
        client = self._auth.client
        presented = isinstance(getattr(response, "connection", None), ConnectionAdapter)
        if response.status_code == 401 and client.settings.network.certificate is not None and not presented:
            log.warning(
                'Connection "%s": the API refused the token, which may be bound to the client certificate. '
                "This session did not present that: let OAuth2Auth.mount prepare the session",
                client.conn_id,
            )

    def _flow_of(self, request: PreparedRequest) -> CallFlow | None:
        """Return the flow under way, or that of a call which begins with *request*."""
        flow, method = self._flow, request.method or "GET"
        begins = flow is None or request is self._request or method != flow.call.method
        # Only what we have put the token on is a call of ours.
        if begins and self._auth.carries_token(request.headers):
            call = SendCall(method, request.url or "")
            self._flow = CallFlow(self._auth, call, self._token, replayable=can_replay(request))
        return self._flow

    def _judged(self, response: Response, kwargs: dict[str, Any]) -> ResponseHead:
        """Return what the flow needs to know of a response, with what its body says of the token."""
        head, sign = head_of(response), self._auth.dead_when
        length = response.headers.get("Content-Length")
        if sign is None or kwargs.get("stream") or not self._auth.may_tell(head, length):
            return head
        return head._replace(tells_dead_token=sign.shows_in(response.content))

    def _prepare_redirect(self, response: Response, call: SendCall) -> None:
        """Put a proof for the request by which ``requests`` would follow a redirect where it will copy it.

        Where ``requests`` drops the token, the proof goes, too. It drops ``Authorization`` only, and not from
        http to https of one host: what else must not go along is taken off here.

        :param call: by which the flow follows it.
        """
        headers, following = self._original.headers, _redirected(response)
        if not call.trusted and self._auth.carries_token(headers):
            name = self._auth.client.settings.api.header_name
            if name != TOKEN_HEADER or following is not None:
                headers.pop(name)
        if headers.pop(PROOF_HEADER, None) is None:
            return
        if call.trusted and following is not None:
            headers.update(self._headers_for(following))

    def _headers_for(self, call: SendCall) -> dict[str, str]:
        headers = self._auth.headers_for(self._token, call)
        self._unused_proof = headers.get(PROOF_HEADER)
        return headers

    def _replayed(self, response: Response, call: SendCall, kwargs: dict[str, Any]) -> Response:
        """Send the request once more with another token or proof, as requests' own digest auth does."""
        request = response.request
        token = self._token if self._auth.instance_named else None
        self._auth.require_allowed(request.url or "", token)
        drain(response)
        # Of the request itself, whose address requests may have spelled in its own way.
        call = call._replace(method=request.method or "GET", url=request.url or "")
        own = self._headers_for(call)
        # In the original, too: requests copies that for a redirect.
        for headers in (self._original.headers, request.headers):
            for name in [name for name, value in headers.items() if isinstance(value, TokenHeader)]:
                del headers[name]  # another one, where the connection has been edited meanwhile
            headers.update(own)
        again = request.copy()
        rewind(again)
        replayed: Response = response.connection.send(again, **kwargs)
        replayed.history = [*response.history, response]
        replayed.request = again
        return replayed


def _redirected(response: Response) -> SendCall | None:
    """Return the call by which ``requests`` follows a redirect; ``None`` where it leaves the token out."""
    rules = SessionRedirectMixin()
    request, source = response.request, response.url
    target = urljoin(source, requote_uri(rules.get_redirect_target(response) or ""))
    if rules.should_strip_auth(source, target):  # type: ignore[no-untyped-call]
        return None
    again = request.copy()
    rules.rebuild_method(again, response)
    return SendCall(again.method or "GET", target)


def bearer_token_callable(
    oauth2_conn_id: str = DEFAULT_CONN_ID,
    *,
    scope: Texts | None = None,
    audience: str | None = None,
    resource: Texts | None = None,
    tenant: str | None = None,
) -> BearerToken:
    """Return a function that returns a valid token, for libraries that ask for one.

    Its methods ``token`` and ``atoken`` (for coroutines) return the :class:`AccessToken`, which says when it
    ends. It travels to other processes as the connection's id.

    :param oauth2_conn_id: Airflow connection id; read at the first call, not now.
    :param scope: as of :class:`OAuth2Auth`, like *audience*, *resource* and *tenant*.
    """
    parameters = chosen_parameters(oauth2_conn_id, scope, audience, resource, tenant)
    return BearerToken(oauth2_conn_id, parameters)
