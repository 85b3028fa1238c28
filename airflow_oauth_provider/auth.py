"""Tokens for any ``requests`` code, and for libraries that want a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from requests import PreparedRequest, Response

from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.calls.body import can_replay, rewind
from airflow_oauth_provider.calls.response import drain, head_of
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.identifier import DEFAULT_CONN_ID
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.call.credentials import TOKEN_HEADER, TokenHeader, headers_for
from airflow_oauth_provider.protocol.call.effects import RenewToken, SendCall
from airflow_oauth_provider.protocol.call.protected_call import ProtectedCall, advance
from airflow_oauth_provider.tokens import AccessToken


class OAuth2Auth(BearerAuth):
    """Authentication for any ``requests`` code: ``requests.get(url, auth=OAuth2Auth("my_api"))``.

    Works with the stock operator too: ``HttpOperator(auth_type=OAuth2Auth("my_api"), …)``. A
    refused token is renewed once and the request replayed once; a redirect that would carry the
    request where it must not go is an error.

    :param oauth2_conn_id: Airflow connection id.
    :param base_url: of the API; needed when the connection names none.
    :param connection: the connection itself, where the caller has it already.
    """

    def __init__(
        self, oauth2_conn_id: str = DEFAULT_CONN_ID, *, base_url: str | None = None, connection: Any = None
    ) -> None:
        super().__init__(OAuth2Client(oauth2_conn_id, connection), base_url)

    @classmethod
    def of(cls, auth: BearerAuth) -> Self:
        """Return one that shares *auth*'s client."""
        other = cls.__new__(cls)
        BearerAuth.__init__(other, auth.client, auth.base_url)
        return other

    def __call__(self, request: Any = None, *_: Any) -> Any:
        """Add the token, and watch the responses.

        Airflow's HTTP hook calls its ``auth_type`` to make an auth object, with or without the
        login and password of the connection: anything but a request gets this object itself.
        """
        if not isinstance(request, PreparedRequest):
            return self
        call = SendCall(request.method or "GET", request.url or "")
        token = self.token_for(call.url, request.headers)
        request.headers.update(headers_for(token, call))
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

    def __init__(self, auth: OAuth2Auth, request: PreparedRequest, token: AccessToken) -> None:
        self._auth = auth
        self._request = request
        self._token = token
        self._flow: ProtectedCall | None = None

    def __call__(self, response: Response, **kwargs: Any) -> Response:
        """Return the response, or that to a replay with another token."""
        conn_id = self._auth.client.conn_id
        try:
            return self._checked(response, kwargs)
        except OAuthError as error:
            response.close()
            failed = error.for_connection(conn_id)
        raise failed

    def _checked(self, response: Response, kwargs: dict[str, Any]) -> Response:
        request = response.request
        if request is self._request:
            call = SendCall(request.method or "GET", request.url or "")
            self._flow = self._auth.flow(call, replayable=can_replay(request))
        if self._flow is None:
            return response
        refused = isinstance(request.headers.get(TOKEN_HEADER), TokenHeader)
        effect = advance(self._flow, head_of(response))
        if not isinstance(effect, RenewToken):
            return response  # the last one, or a redirect that may be followed
        renewed = self._auth.client.renew(self._token) if refused else self._token
        self._token = renewed or self._token
        replay = advance(self._flow, renewed is not None)
        if not isinstance(replay, SendCall):
            return response
        return self._checked(self._replayed(response, replay, kwargs), kwargs)

    def _replayed(self, response: Response, call: SendCall, kwargs: dict[str, Any]) -> Response:
        """Send the request once more with another token, as requests' own digest auth does."""
        drain(response)
        # In the original, too: requests copies that for a redirect.
        response.request.headers.update(headers_for(self._token, call))
        again = response.request.copy()
        rewind(again)
        replayed: Response = response.connection.send(again, **kwargs)
        replayed.history.append(response)
        replayed.request = again
        return replayed


def bearer_token_callable(oauth2_conn_id: str = DEFAULT_CONN_ID) -> Callable[[], str]:
    """Return a function that returns a valid token, for libraries that ask for one.

    :param oauth2_conn_id: Airflow connection id; read at the first call, not now.
    """
    client = OAuth2Client(oauth2_conn_id)
    return lambda: client.get_token().value
