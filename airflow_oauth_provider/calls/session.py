"""A ``requests`` session that calls one connection's API.

Whatever goes through it follows the rules of :mod:`airflow_oauth_provider.protocol.call.protected_call`:
the token goes to allowed origins only, a refused token is renewed once, redirects are checked.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import requests
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar, merge_cookies

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.body import can_replay, rewind
from airflow_oauth_provider.calls.call_flow import CallFlow
from airflow_oauth_provider.calls.response import drain, head_of, note_credential
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.call.credentials import headers_for
from airflow_oauth_provider.protocol.call.effects import SendCall
from airflow_oauth_provider.protocol.call.protected_call import MAX_REDIRECTS
from airflow_oauth_provider.protocol.call.redirects import hop_headers
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.transport.call_failure import call_failed
from airflow_oauth_provider.transport.faults import classify
from airflow_oauth_provider.transport.proxies import Proxy, proxy_for
from airflow_oauth_provider.transport.sockets import bounded

DEFAULT_TIMEOUT = 60.0
"""Seconds for connecting and between two received bytes, where the caller does not say."""
_NO_ANSWER = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class OAuth2Session(requests.Session):
    """See the module.

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

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send a prepared request.

        :param kwargs: as of ``requests.Session.send``; without ``timeout`` it is 60 s.
        :raises ResourceError: when the call must not go on.
        :raises OAuthError: when there is no token to be had.
        """
        follow = kwargs.pop("allow_redirects", True)
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = DEFAULT_TIMEOUT
        kwargs["verify"], kwargs["cert"] = True, None  # the adapter's TLS context decides
        call = SendCall(request.method or "GET", request.url or "")
        started = time.monotonic()
        try:
            token = self.auth.token_for(call.url, request.headers)
            request.headers.update(headers_for(token, call))
            response = self._exchange(request, call, kwargs)
            if response.status_code < 300:
                self.auth.note_accepted(token, call.url)
                return response
            flow = CallFlow(self.auth, call, token, replayable=can_replay(request), follow_redirects=follow)
            response = self._last_response(flow, request, response, kwargs)
        except OAuthError as error:
            raise error.for_connection(self.auth.client.conn_id) from None
        note_credential(response, flow.credential(started))
        return response

    def _last_response(
        self, flow: CallFlow, request: PreparedRequest, response: Response, kwargs: dict[str, Any]
    ) -> Response:
        """Do what *flow* says after the first response: renew, replay, follow redirects."""
        history: list[Response] = []
        while (call := flow.next_call(head_of(response))) is not None:
            drain(response)
            history.append(response)
            response = self._exchange(self._prepared(request, call, flow.token), call, kwargs)
        response.history = history
        return response

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
        again.headers.update(headers_for(token, call))
        return again

    def _exchange(self, request: PreparedRequest, call: SendCall, kwargs: dict[str, Any]) -> Response:
        try:
            with bounded(self.until, self.auth.client.stop):
                return self._transmit(request, call, kwargs)
        except _NO_ANSWER as error:
            failure = classify(error, self._proxy_to(request.url or ""))
            if failure is None:
                raise
            raise call_failed(request.url or "", failure) from None

    def _transmit(self, request: PreparedRequest, call: SendCall, kwargs: dict[str, Any]) -> Response:
        proxy = self._proxy_to(request.url or "")
        proxies = proxy.mapping() if proxy else {}
        if call.trusted:
            return super().send(request, **{**kwargs, "allow_redirects": False, "proxies": proxies})
        # Past the session, so that it neither sends nor keeps cookies here.
        started = time.perf_counter()
        options = {key: kwargs[key] for key in ("timeout", "stream") if key in kwargs}
        response = self.get_adapter(request.url or "").send(request, proxies=proxies, **options)
        response.elapsed = timedelta(seconds=time.perf_counter() - started)
        if not kwargs.get("stream"):
            response.content  # noqa: B018  (read it now, as a session does)
        return response

    def _proxy_to(self, url: str) -> Proxy | None:
        """Return the proxy for *url*, looked up once per origin."""
        scheme, _, rest = url.partition("://")
        origin = f"{scheme}://{rest.partition('/')[0]}"
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(url, self.auth.client.settings.network, self.proxies)
        return self._proxies[origin]
