"""Which token a call carries, and where it may go, for every HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_oauth_provider.calls.proofs import CallProofs
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.credentials import OUR_HEADERS, TokenHeader, headers_for
from airflow_oauth_provider.protocol.call.dead_token import MAX_BODY, DeadTokenSign
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.call.endpoints import Destination, destination, require_allowed
from airflow_oauth_provider.protocol.call.redirects import REDIRECTS
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.urls import parse_url
from airflow_oauth_provider.tokens import AccessToken

_OURS = TokenHeader()


class BearerAuth(AuthBase):
    """The token of one connection, for requests to its own API.

    As ``auth`` of a session it adds nothing to a request that is prepared: the session puts the token on
    each request that it sends.

    :param client: whose tokens.
    :param base_url: of the API, when DAG code chooses it.
    """

    def __init__(self, client: OAuth2Client, base_url: str | None = None) -> None:
        self.client = client
        self.base_url = base_url
        self.proofs = CallProofs(client)
        self._destination: tuple[ClientSettings, Destination] | None = None
        self._our_headers: tuple[str, ...] = OUR_HEADERS
        self._accepted: dict[str, AccessToken] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave the resolved settings and the tokens behind."""
        return {**self.__dict__, "_destination": None, "_accepted": {}}

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Return the request as it is; called by ``requests`` after all headers are set.

        :raises ConfigurationError: for a header of the caller's own in the token's place.
        """
        self.require_no_other(request.headers)
        return request

    @property
    def refresh_on_status(self) -> frozenset[int]:
        """Statuses after which another token is tried."""
        return self.client.settings.api.refresh_on_status

    @property
    def dead_when(self) -> DeadTokenSign | None:
        """How the body of a response tells that the token has ended."""
        return self.client.settings.api.dead_when

    def may_tell(self, head: ResponseHead, length: str | None) -> bool:
        """Whether the body of a response is to be looked into: whether it tells of a dead token.

        :param length: its Content-Length.
        """
        if self.dead_when is None or head.status in self.refresh_on_status or head.status in REDIRECTS:
            return False
        return not (length or "").isdecimal() or int(length or 0) <= MAX_BODY

    def headers_for(self, token: AccessToken, call: SendCall) -> dict[str, str]:
        """Return the headers that put a token on a call."""
        api = self.client.settings.api
        return headers_for(token, call, self.proofs.sign, name=api.header_name, scheme=api.header_scheme)

    def carries_token(self, headers: Mapping[str, Any]) -> bool:
        """Whether we have put a token on a request with these headers."""
        return isinstance(headers.get(self.client.settings.api.header_name), TokenHeader)

    @property
    def destination(self) -> Destination:
        """Where the token may go.

        :raises ConfigurationError: when connection and DAG code contradict each other.
        """
        settings = self.client.settings
        known = self._destination
        if known is not None and known[0] is settings:
            return known[1]
        try:
            resolved = destination(settings.api, self.base_url)
        except ConfigurationError as error:
            refused = error.for_connection(self.client.conn_id)
        else:
            self._destination = settings, resolved
            self._our_headers = tuple(dict.fromkeys((*OUR_HEADERS, settings.api.header_name)))
            return resolved
        raise refused

    def token_for(self, url: str, headers: Mapping[str, Any]) -> AccessToken:
        """Return the token that a request may carry now.

        :param headers: of the request.
        :raises ConfigurationError: for a URL that must not get it, or a header in its place; nothing is
            asked of anybody then.
        :raises OAuthError: when there is no token to be had.
        """
        self.require_allowed(url)
        self.require_no_other(headers)
        return self._token()

    def require_allowed(self, url: str) -> None:
        """Refuse a URL that must not get the token.

        :raises ConfigurationError: then.
        """
        try:
            require_allowed(self.destination, url)
        except ConfigurationError as error:
            refused = error.for_connection(self.client.conn_id)
        else:
            return
        raise refused

    def _token(self) -> AccessToken:
        return self.client.get_token()

    def note_accepted(self, token: AccessToken, url: str) -> None:
        """Note that an API has answered a call with *token* by a 2xx status; once per token and origin."""
        origin = url[: url.find("/", 8)]
        if self._accepted.get(origin) is not token:
            self._accepted[origin] = token
            self.client.accepted(token, parse_url(url.partition("#")[0]).origin)

    def require_no_other(self, headers: Mapping[str, Any]) -> None:
        """Refuse headers with one in the token's place.

        :param headers: whose names are compared without regard to case.
        :raises ConfigurationError: when there is one.
        """
        for name in self._our_headers:
            if not isinstance(headers.get(name, _OURS), TokenHeader):
                article = "an" if name[0] in "AEIOUaeiou" else "a"
                raise ConfigurationError(
                    f"the request has {article} {name} header of its own: leave it (or auth=…) out, the "
                    "connection sets it",
                    field="headers",
                    conn_id=self.client.conn_id,
                )


class OneTokenAuth(BearerAuth):
    """One token on requests and never another: a refusal of it is the result.

    :param client: whose API is called; it is not asked for a token.
    """

    refresh_on_status: frozenset[int] = frozenset()
    dead_when: DeadTokenSign | None = None

    def __init__(self, client: OAuth2Client, token: AccessToken) -> None:
        super().__init__(client)
        self._one = token

    def _token(self) -> AccessToken:
        return self._one
