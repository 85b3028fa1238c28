"""The requests of one session of coroutines, built of the caller's arguments once they may be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.arguments import (
    check_headers,
    encoded,
    is_empty,
    refused_argument,
    require_known,
    require_method,
    timeouts,
)
from airflow_oauth_provider.calls.async_request import AsyncRequest
from airflow_oauth_provider.calls.cool_down import require_choice
from airflow_oauth_provider.exceptions import OAuthError, ResourceError
from airflow_oauth_provider.protocol.call.dead_token import DeadTokenSign
from airflow_oauth_provider.protocol.call.endpoints import Destination, is_absolute, resolve_endpoint
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.cool_downs import Board


class CallArguments(TypedDict, total=False):
    """Arguments of a call of coroutines; ``None`` is as good as none.

    ``params``, ``data``, ``json``, ``files``, ``headers`` and ``cookies`` are as in ``requests``; a header
    that is ``None`` is left out.

    ``timeout`` is in seconds, or a pair for connecting and reading (default 60), ``total_timeout`` for the
    whole call (default none). ``cool_down`` says what to do while the API wants to be left alone.
    """

    params: Any
    data: Any
    json: Any
    files: Any
    headers: Mapping[str, str | bytes | None] | None
    cookies: Any
    timeout: float | tuple[float | None, float | None] | None
    total_timeout: float | None
    allow_redirects: bool
    cool_down: Literal["wait", "fail", "ignore"] | None


ARGUMENTS = frozenset(CallArguments.__annotations__)
_REMEMBERED = 64
"""Endpoints of a session that are resolved, and requests that are built, once."""


class RequestBuilder:
    """Builds the requests of one session; one without arguments is built once.

    :param auth: where the token may go.
    :param headers: of all its requests, beside those of the connection.
    """

    def __init__(self, auth: BearerAuth, headers: dict[str, Any] | None) -> None:
        self.auth = auth
        self._own_headers = headers
        self._headers: dict[str, str] = {}
        self._plain: dict[tuple[str, str | None], AsyncRequest] = {}
        self._urls: dict[str | None, str] = {}
        self._where: Destination | None = None
        self._settings: ClientSettings | None = None
        self.dead_when: DeadTokenSign | None = None
        """How the body of a response tells that the token has ended, once a request has been built."""
        self.board: Board
        """What is known of cool-downs, once a request has been built."""

    def build(
        self,
        method: str,
        endpoint: str | None,
        arguments: dict[str, Any],
        token: AccessToken | None = None,
        before: AsyncRequest | None = None,
    ) -> AsyncRequest:
        """Return a request that may be sent.

        :param arguments: as of ``OAuth2AsyncSession.request``.
        :param token: that it will carry; ``None`` where that is not known yet.
        :param before: what was built of the same arguments: a file among them can be read only once.
        :raises ConfigurationError: when it cannot be sent, or the token may not go there.
        :raises ResourceError: when the connection leads elsewhere since, and a file has been read.
        """
        try:
            if not arguments and self._settings is self.auth.client.reader.settings:
                known = self._plain.get((method, endpoint))
                if known is not None:
                    return known
            where = self.auth.destination_for(token)
            if where is not self._where:  # the connection has been read again, and may be another one
                self._begin(where)
            if before is not None and before.where is where:
                return before
            if arguments:
                if before is not None and arguments.get("files"):
                    raise _files_are_gone()
                return self._built(method, endpoint, arguments)
            return self._plain.get((method, endpoint)) or self._built_plain(method, endpoint)
        except OAuthError as error:
            refused = error.for_connection(self.auth.client.conn_id)
        except TypeError as error:
            if isinstance(endpoint, str | None):
                raise
            refused = refused_argument("endpoint", error).for_connection(self.auth.client.conn_id)
        raise refused

    def may_lead_elsewhere(self, endpoint: object) -> bool:
        """Whether an endpoint may be of another host than that of the base URL."""
        if not isinstance(endpoint, str) or not is_absolute(endpoint):
            return False
        base_url = None if self._where is None else self._where.base_url
        return base_url is None or not endpoint.startswith(base_url)

    def _built_plain(self, method: str, endpoint: str | None) -> AsyncRequest:
        require_method(method)
        request = AsyncRequest(method, self._resolved(endpoint), self._headers, timeouts())
        if len(self._plain) < _REMEMBERED:
            self._plain[method, endpoint] = request
        return request

    def _built(self, method: str, endpoint: str | None, arguments: dict[str, Any]) -> AsyncRequest:
        require_method(method)
        if not arguments.keys() <= ARGUMENTS:
            self._refuse(arguments)
        url = self._urls.get(endpoint) or self._resolved(endpoint)
        limits = timeouts(arguments.get("timeout"), arguments.get("total_timeout"))
        require_choice(arguments.get("cool_down"))
        params = arguments.get("params")
        if params is not None and not is_empty(params):
            url = encoded("params", _encoded_url, url, params)
        request = AsyncRequest(method, url, self._with_headers(arguments.get("headers")), limits)
        request.where = self._where
        data, json, files = arguments.get("data"), arguments.get("json"), arguments.get("files")
        if json is not None or not is_empty(data) or not is_empty(files):
            request.encode_body(data, json, files)
        cookies = arguments.get("cookies")
        if cookies is not None and not is_empty(cookies):
            request.cookies = encoded("cookies", dict, cookies)
        return request

    def _begin(self, where: Destination) -> None:
        self._where, self._urls, self._plain = where, {}, {}
        api = dict(self.auth.client.settings.api.headers)
        own = encoded("headers", check_headers, self._own_headers)
        self.auth.require_no_other(CaseInsensitiveDict(own))
        self._headers = {**api, **own}
        self.dead_when = self.auth.dead_when
        self.board = self.auth.cool_downs.board
        # For which all of this holds, whichever the token.
        self._settings = None if self.auth.instance_named else self.auth.client.settings

    def _refuse(self, arguments: dict[str, Any]) -> None:
        if arguments.get("auth") is not None:
            self.auth.require_no_other({"Authorization": "of the caller"})
        require_known(arguments.keys() - {"auth"}, ARGUMENTS)

    def _resolved(self, endpoint: str | None) -> str:
        where = self._where or self.auth.destination_for(None)
        url = encoded("endpoint", _encoded_url, resolve_endpoint(where, endpoint))
        if len(self._urls) < _REMEMBERED:
            self._urls[endpoint] = url
        return url

    def _with_headers(self, headers: Any) -> dict[str, str]:
        if not headers:
            return self._headers
        checked = encoded("headers", check_headers, headers)
        self.auth.require_no_other(CaseInsensitiveDict(checked))
        merged = CaseInsensitiveDict(self._headers)
        merged.update(checked)
        for name, value in headers.items():
            if value is None:
                merged.pop(name, None)
        return dict(merged.items())


def _files_are_gone() -> ResourceError:
    return ResourceError(
        "the connection has changed while this call waited, and its files have been read: run the task again",
        retryable=True,
    )


def _encoded_url(url: str, params: Any = None) -> str:
    """Return *url* with *params*, encoded as ``requests`` does it."""
    prepared = PreparedRequest()
    prepared.prepare_url(url, params)
    return prepared.url or url
