"""A ``requests`` session that calls one connection's API.

Whatever goes through it follows the rules of :mod:`airflow_oauth_provider.protocol.call.protected_call`:
the token goes to allowed origins only, a refused token is renewed once, redirects are checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import requests
from airflow.providers.common.compat.sdk import AirflowException
from requests import PreparedRequest, Request, Response
from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar, merge_cookies

from airflow_oauth_provider.calls import cool_down
from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.arguments import (
    check_headers,
    culprit,
    encoded,
    refused_argument,
    require_known,
    require_method,
    timeouts,
)
from airflow_oauth_provider.calls.body import GuardedBody, can_replay, is_stream, rewind
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.calls.connection_adapter import ConnectionAdapter
from airflow_oauth_provider.calls.foreign_errors import without_secrets
from airflow_oauth_provider.calls.response import (
    DRAIN_TIME,
    drain,
    head_of,
    nonces_of,
    note_credential,
    read_refusal,
    read_whole,
)
from airflow_oauth_provider.exceptions import OAuthError, unexpected
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.call.protected_call import MAX_REDIRECTS
from airflow_oauth_provider.protocol.call.redirects import hop_headers
from airflow_oauth_provider.protocol.dpop.proof import DPOP
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.transport.call_failure import call_failed, error_of_ours
from airflow_oauth_provider.transport.deadlines import bounded, earlier
from airflow_oauth_provider.transport.faults import classify
from airflow_oauth_provider.transport.proxies import Proxy, proxy_for

_T = TypeVar("_T")
_ARGUMENTS = frozenset({"params", "data", "json", "files", "headers", "cookies", "auth", "hooks"})


class OAuth2Session(requests.Session):
    """A ``requests`` session whose calls carry one connection's token.

    What a call raises is of this package's, and holds neither request nor response.

    :param auth: whose token is used.
    :param adapter: under all calls.
    """

    def __init__(self, auth: BearerAuth, adapter: BaseAdapter) -> None:
        super().__init__()
        self.auth: BearerAuth = auth
        # Nothing of the environment reaches a call by itself: netrc would replace the token, and
        # the proxy is looked up once per origin instead of once per call.
        self.trust_env = False
        self.max_redirects = MAX_REDIRECTS
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self.settings = auth.client.settings
        self.headers.update(dict(self.settings.api.headers))
        self._proxies: dict[str, Proxy | None] = {}
        self.until: float | None = None
        """Monotonic seconds from which everything times out; ``None`` for no such time."""

    def new_request(self, method: str, url: str, arguments: dict[str, Any]) -> Request:
        """Return a request that has not been prepared.

        :param arguments: further ones of ``requests.Request``.
        :raises ConfigurationError: for arguments that it does not have.
        """
        try:
            require_known(arguments, _ARGUMENTS)
            return encoded("hooks", partial(Request, method, url, **arguments))
        except OAuthError as error:
            refused = error.for_connection(self.auth.client.conn_id)
        raise refused

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Prepare a request; the token is put on it when it is sent.

        :raises ConfigurationError: naming the argument that cannot be sent.
        """
        try:
            require_method(request.method)
            if request.headers:
                encoded("headers", check_headers, request.headers)
            prepared = super().prepare_request(request)
        except OAuthError as error:
            refused: OAuthError = error
        except Exception as error:  # code of the caller's own may run in it
            refused = refused_argument(culprit(request), error)
        else:
            if is_stream(prepared.body):
                prepared.body = GuardedBody(prepared.body)  # type: ignore[assignment]
            for event, hooks in prepared.hooks.items():
                prepared.hooks[event] = [self._guarded(hook) for hook in hooks]
            return prepared
        raise refused.for_connection(self.auth.client.conn_id)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a prepared request.

        :param kwargs: as of ``requests.Session.send``; without ``timeout`` it is 60 s. ``total_timeout`` are
            the seconds for the whole call, but for what the caller reads of a ``stream``. ``cool_down`` says
            what to do while the API wants to be left alone: ``wait`` (for ``timeout`` at the most), ``fail``
            or ``ignore`` that. ``checked`` says that a refusal becomes an error: of a large one the beginning
            is kept.
        :raises ResourceError: when the call must not go on.
        :raises OAuthError: when no token can be acquired.
        """
        try:
            return self._called(request, kwargs)
        except OAuthError as error:
            failure = error.for_connection(self.auth.client.conn_id)
        raise failure

    def get_redirect_target(self, resp: Response) -> str | None:
        """Return nothing: the flow of the call follows redirects, and ``requests`` would read them whole."""
        return None

    def _called(self, request: PreparedRequest, kwargs: dict[str, Any]) -> Response:
        follow, stream = kwargs.pop("allow_redirects", True), kwargs.pop("stream", self.stream)
        limits = timeouts(kwargs.pop("timeout", None), kwargs.pop("total_timeout", None))
        choice, checked = kwargs.pop("cool_down", None), kwargs.pop("checked", False)
        cool_down.require_choice(choice)
        call = SendCall(request.method or "GET", request.url or "")
        started = time.monotonic()
        until = None if limits.total is None else started + limits.total
        token = cool_down.token_when_cool(self.auth, call, request.headers, choice, limits)
        request.headers.update(self.auth.headers_for(token, call))
        # The body is read later: that of a response on the way is nobody's business. The adapter's TLS
        # context decides, not verify and cert.
        kwargs.update(timeout=(limits.connect, limits.read), stream=True, verify=True, cert=None)
        response = self._within(until, self._transmit, request, call, kwargs)
        read = partial(self._read, until, checked=checked)
        judge = None if stream or self.auth.dead_when is None else partial(self._judged, read)
        head = judge(response) if judge else None
        if response.status_code < 300 and not (head and head.tells_dead_token):
            self.auth.note_accepted(token, call.url)
            if token.token_type == DPOP:
                self.auth.proofs.keep_nonce(call.url, nonces_of(response))
        else:
            flow = CallFlow(self.auth, call, token, replayable=can_replay(request), follow_redirects=follow)
            response = self._followed(flow, request, response, kwargs, until, judge or head_of)
            note_credential(response, flow.credential(started))
        if not stream:
            read(response)
        return response

    def _read(self, until: float | None, response: Response, *, checked: bool) -> None:
        """Read a response.

        :param checked: an error is made of a refusal.
        """
        refusal = checked and response.status_code >= 400
        self._within(until, read_refusal if refusal else read_whole, response)

    def _followed(
        self,
        flow: CallFlow,
        request: PreparedRequest,
        response: Response,
        kwargs: dict[str, Any],
        until: float | None,
        judge: Callable[[Response], ResponseHead],
    ) -> Response:
        """Do what *flow* says after the first response: renew, replay, follow redirects.

        :param judge: returns what the flow needs to know of a response.
        """
        history: list[Response] = []
        try:
            while (call := flow.next_call(judge(response))) is not None:
                self._within(earlier(until, time.monotonic() + DRAIN_TIME), drain, response)
                history.append(response)
                again = self._prepared(request, call, flow.token)
                response = self._within(until, self._transmit, again, call, kwargs)
        except BaseException:
            response.close()
            raise
        response.history = history
        return response

    def _judged(self, read: Callable[[Response], None], response: Response) -> ResponseHead:
        """Return what the flow needs to know of a response, with what its body says of the token."""
        head, sign = head_of(response), self.auth.dead_when
        if sign is None or not self.auth.may_tell(head, response.headers.get("Content-Length")):
            return head
        read(response)
        return head._replace(tells_dead_token=sign.shows_in(response.content))

    def _prepared(self, request: PreparedRequest, call: SendCall, token: AccessToken) -> PreparedRequest:
        """Shape the request for a later call of the flow; the first is the caller's own object."""
        again = request.copy()
        again.method = call.method
        again.url = call.url
        again.headers.clear()
        again.headers.update(hop_headers(request.headers, call))
        if not call.with_body:
            again.body = None
        if not call.trusted:
            return again
        rewind(again)
        own = getattr(request, "_cookies", None) or RequestsCookieJar()
        again.prepare_cookies(merge_cookies(own, self.cookies))  # type: ignore[no-untyped-call]
        again.headers.update(self.auth.headers_for(token, call))
        return again

    def _within(self, until: float | None, work: Callable[..., _T], *arguments: Any) -> _T:
        """Do *work* on the network within its limits; what it raises becomes an error of this package.

        :param until: monotonic seconds; ``None`` for no such limit.
        """
        try:
            with bounded(earlier(self.until, until), self.auth.client.stop):
                return work(*arguments)
        except Exception as error:  # the caller's own code runs meanwhile, too
            failure = self._failure(error, arguments[0])
        raise failure

    def _transmit(self, request: PreparedRequest, call: SendCall, kwargs: dict[str, Any]) -> Response:
        proxy = self._proxy_for(call.url)
        proxies = proxy.mapping() if proxy else {}
        if call.trusted:
            return super().send(request, **{**kwargs, "allow_redirects": False, "proxies": proxies})
        # Past the session, so that it neither sends nor keeps cookies here.
        started = time.perf_counter()
        adapter = self.get_adapter(call.url)
        send = adapter.send_elsewhere if isinstance(adapter, ConnectionAdapter) else adapter.send
        response = send(request, timeout=kwargs["timeout"], stream=True, proxies=proxies)
        response.elapsed = timedelta(seconds=time.perf_counter() - started)
        return response

    def _proxy_for(self, url: str) -> Proxy | None:
        origin = url[: url.find("/", 8)]
        if origin not in self._proxies:
            network = self.auth.client.settings.network
            self._proxies[origin] = proxy_for(url, network, dict(self.proxies))
        return self._proxies[origin]

    def _guarded(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        """Return a response hook of the caller's; what it raises is an error of that argument."""

        def guarded(response: Response, **kwargs: Any) -> Any:
            try:
                return hook(response, **kwargs)
            except BaseException as error:
                response.close()
                if isinstance(error, Exception) and not isinstance(error, AirflowException):
                    raised: BaseException = refused_argument("hooks", error)
                else:  # it may steer its task
                    raised = without_secrets(error, self.auth.client.redactor, "hooks")
            raise raised

        return guarded

    def _failure(self, error: Exception, exchanged: PreparedRequest | Response) -> Exception:
        """Return what is raised for an error that came up while a request was sent or a response read."""
        request: Any = getattr(exchanged, "request", exchanged)
        url = request.url or ""
        failure: Exception | None = error_of_ours(error)
        if isinstance(error, AirflowException):
            failure = error  # of a response hook
        network = classify(error, self._proxies.get(url[: url.find("/", 8)])) if failure is None else None
        if network is not None:
            return call_failed(url, network)
        if failure is None and isinstance(error, UnicodeError):
            return refused_argument("headers", error)
        return failure or unexpected(error, "the call")
