"""Tokens for any ``requests`` code, and for libraries that want a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from requests import PreparedRequest, Response

from airflow_oauth_provider.calls.access import BearerAuth, begin_call, next_step
from airflow_oauth_provider.calls.exchange import call_answer, can_replay, rewind, sent_token
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.identifier import DEFAULT_CONN_ID
from airflow_oauth_provider.exceptions import OAuthError
from airflow_oauth_provider.protocol.call.protected_call import REDIRECTS, RenewToken, SendCall, redirected
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
        """Add the token, and watch the answer.

        Airflow's HTTP hook calls its ``auth_type`` to make an auth object, with or without the
        login and password of the connection: anything but a request gets this object itself.
        """
        if not isinstance(request, PreparedRequest):
            return self
        super().__call__(request)
        request.register_hook("response", self._on_response)  # type: ignore[no-untyped-call]
        return request

    def _on_response(self, response: Response, **kwargs: Any) -> Response:
        request, answer = response.request, call_answer(response)
        if "Authorization" not in request.headers:  # requests has followed a redirect elsewhere
            return response
        call = SendCall(request.method or "GET", request.url or "")
        try:
            flow = begin_call(
                self, call.method, call.url, replayable=can_replay(request), follow_redirects=False
            )
            next(flow)
            if isinstance(next_step(flow, answer), RenewToken):
                token = self.client.renew(sent_token(request))
                next_step(flow, answer)
                return self._replay(response, token, kwargs)
            if answer.status in REDIRECTS and answer.location:
                redirected(call, answer, self.destination)
        except OAuthError as error:
            response.close()
            raise error.for_connection(self.client.conn_id) from None
        return response

    def _replay(self, response: Response, token: AccessToken, kwargs: dict[str, Any]) -> Response:
        """Send the request once more with another token, as requests' own digest auth does."""
        response.content  # noqa: B018  (read it, so that the connection can be used again)
        response.close()
        again = response.request.copy()
        again.deregister_hook("response", self._on_response)  # type: ignore[no-untyped-call]
        self.attach(again, token)
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
