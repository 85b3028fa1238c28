"""Where a token may go, and which header carries it; one flow of a call for every HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.endpoints import Destination, destination, require_allowed
from airflow_oauth_provider.protocol.call.protected_call import CallAnswer, ProtectedCall, protected_call
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
