"""Tokens for hooks, for any ``requests`` code, for libraries that want a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import requests.utils
from requests import PreparedRequest, Response
from requests.auth import AuthBase

from airflow_oauth_provider.arguments import DEFAULT_CONN_ID
from airflow_oauth_provider.client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError, OAuthError
from airflow_oauth_provider.protocol.endpoints import Destination, destination, require_allowed
from airflow_oauth_provider.protocol.protected_call import (
    REDIRECTS,
    CallAnswer,
    ProtectedCall,
    RenewToken,
    SendCall,
    protected_call,
    redirected,
)
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.tokens import AccessToken


class BearerHeader(str):
    """The value of an ``Authorization`` header that is ours; printing a request does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer ***'"


def header_of(token: AccessToken) -> BearerHeader:
    """Return the value of the ``Authorization`` header (RFC 6750 §2.1)."""
    return BearerHeader(f"Bearer {token.value}")


class BearerAuth(AuthBase):
    """Put the connection's token on requests to its own API (RFC 6750 §2.1).

    :param client: whose tokens.
    :param base_url: of the API, when DAG code chooses it.
    """

    def __init__(self, client: OAuth2Client, base_url: str | None = None) -> None:
        self.client = client
        self.base_url = base_url
        self._destination: tuple[ClientSettings, Destination] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the resolved settings behind."""
        return {**self.__dict__, "_destination": None}

    @property
    def refresh_on_status(self) -> frozenset[int]:
        """Answers after which another token is tried."""
        return self.client.settings.api.refresh_on_status

    @property
    def destination(self) -> Destination:
        """Where the token may go.

        :raises ConfigurationError: when connection and DAG code contradict each other.
        """
        settings = self.client.settings
        if self._destination is None or self._destination[0] is not settings:
            try:
                self._destination = settings, destination(settings.api, self.base_url)
            except ConfigurationError as error:
                raise error.for_connection(self.client.conn_id) from None
        return self._destination[1]

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the token; called by ``requests`` after all other headers are set.

        :raises ConfigurationError: for an origin that must not get it, or a caller's own header.
        """
        try:
            require_allowed(self.destination, request.url or "")
        except ConfigurationError as error:
            raise error.for_connection(self.client.conn_id) from None
        self.attach_current(request)
        return request

    def attach_current(self, request: PreparedRequest) -> None:
        """Set the header, with the token that is good now.

        :raises ConfigurationError: when the caller has set one; before any network use.
        """
        self.require_no_other(request.headers)
        self.attach(request, self.client.get_token())

    def attach(self, request: PreparedRequest, token: AccessToken) -> None:
        """Set the header."""
        request.headers["Authorization"] = header_of(token)

    def require_no_other(self, headers: Mapping[str, Any]) -> None:
        """Refuse headers with an ``Authorization`` that is not ours.

        :param headers: whose names are compared without regard to case.
        :raises ConfigurationError: when there is one.
        """
        if not isinstance(headers.get("Authorization", BearerHeader()), BearerHeader):
            raise ConfigurationError(
                "the request has an Authorization header of its own: leave it (or auth=…) out, the "
                "connection sets it",
                field="headers",
                conn_id=self.client.conn_id,
            )


class OneTokenAuth(BearerAuth):
    """Put one token on requests and never another: a refusal of it is the answer.

    :param client: whose API is called; it is not asked for a token.
    """

    refresh_on_status: frozenset[int] = frozenset()

    def __init__(self, client: OAuth2Client, token: AccessToken) -> None:
        super().__init__(client)
        self._token = token

    def attach_current(self, request: PreparedRequest) -> None:
        """Set the header, with the one token."""
        self.require_no_other(request.headers)
        self.attach(request, self._token)


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


def begin_call(
    auth: BearerAuth, method: str, url: str, *, replayable: bool, follow_redirects: bool
) -> ProtectedCall:
    """Begin a call of the connection's API."""
    return protected_call(
        method,
        url,
        auth.destination,
        refresh_on_status=auth.refresh_on_status,
        replayable=replayable,
        follow_redirects=follow_redirects,
    )


def next_step(flow: Any, answer: CallAnswer) -> Any:
    """Advance a flow; ``None`` when the answer was its last."""
    try:
        return flow.send(answer)
    except StopIteration:
        return None


def call_answer(response: Response) -> CallAnswer:
    """Reduce an answer of ``requests`` to what the flow needs."""
    if response.status_code < 300:
        return CallAnswer(response.status_code)
    raw: Any = getattr(response.raw, "headers", None)
    lines = raw.getlist("WWW-Authenticate") if hasattr(raw, "getlist") else []
    if not lines and "WWW-Authenticate" in response.headers:
        lines = [response.headers["WWW-Authenticate"]]
    return CallAnswer(response.status_code, response.headers.get("Location"), tuple(lines))


def sent_token(request: PreparedRequest) -> AccessToken | None:
    """Return a stand-in for the token that *request* carried: only its value is compared."""
    header = str(request.headers.get("Authorization", ""))
    return AccessToken(header.removeprefix("Bearer "), "Bearer", 0.0, 0.0) if header else None


def can_replay(request: PreparedRequest) -> bool:
    """Whether the body can be sent again: none, bytes, text, or a file whose start is known."""
    position = getattr(request, "_body_position", None)
    return request.body is None or isinstance(request.body, bytes | str) or isinstance(position, int)


def rewind(request: PreparedRequest) -> None:
    """Rewind a file body to where it began; nothing to do for any other."""
    if isinstance(getattr(request, "_body_position", None), int):
        requests.utils.rewind_body(request)


def bearer_token_callable(oauth2_conn_id: str = DEFAULT_CONN_ID) -> Callable[[], str]:
    """Return a function that returns a valid token, for libraries that ask for one.

    :param oauth2_conn_id: Airflow connection id; read at the first call, not now.
    """
    client = OAuth2Client(oauth2_conn_id)
    return lambda: client.get_token().value
