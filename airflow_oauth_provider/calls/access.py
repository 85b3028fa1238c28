"""Which token a call carries, and where it may go, for every HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from airflow_oauth_provider.calls.cool_down import require_choice
from airflow_oauth_provider.calls.proofs import CallProofs
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.exceptions import ConfigurationError
from airflow_oauth_provider.protocol.call.credentials import OUR_HEADERS, TokenHeader, headers_for
from airflow_oauth_provider.protocol.call.dead_token import MAX_BODY, DeadTokenSign
from airflow_oauth_provider.protocol.call.effects import ResponseHead, SendCall
from airflow_oauth_provider.protocol.call.endpoints import Destination, destination, require_allowed
from airflow_oauth_provider.protocol.call.instance import api_of
from airflow_oauth_provider.protocol.call.redirects import REDIRECTS
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.protocol.settings import ClientSettings
from airflow_oauth_provider.protocol.urls import UrlError, parse_url
from airflow_oauth_provider.tokens import AccessToken
from airflow_oauth_provider.tokens.cool_downs import CoolDowns

_OURS = TokenHeader()
_MOST_DIGITS = 18


class BearerAuth(AuthBase):
    """The token of one connection, for requests to its own API.

    As ``auth`` of a session it adds nothing to a request that is prepared: the session puts the token on
    each request that it sends.

    :param client: whose tokens.
    :param base_url: of the API, when DAG code chooses it.
    :param cool_down: what its requests do while the API wants to be left alone, where each cannot say by
        itself: one of ``options.COOL_DOWN``; ``None`` for ``wait``.
    """

    def __init__(
        self, client: OAuth2Client, base_url: str | None = None, *, cool_down: str | None = None
    ) -> None:
        require_choice(cool_down, client.conn_id)
        self.client = client
        self.cool_down = cool_down
        self.base_url = base_url
        self.proofs = CallProofs(client)
        self._destination: tuple[ClientSettings, str | None, Destination] | None = None
        self._our_headers: tuple[str, ...] = OUR_HEADERS
        self._accepted: dict[str, AccessToken] = {}
        self._cool_downs: CoolDowns | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the resolved settings and the tokens behind."""
        return {**self.__dict__, "_destination": None, "_accepted": {}, "_cool_downs": None}

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
    def cool_down_on(self) -> frozenset[int]:
        """Statuses whose ``Retry-After`` holds for all callers."""
        return self.client.settings.api.cool_down_on

    @property
    def cool_downs(self) -> CoolDowns:
        """The cool-downs of the APIs that this client calls."""
        known, settings = self._cool_downs, self.client.settings
        if known is None or known.settings is not settings:
            known = self._cool_downs = CoolDowns(settings, self.client.sharing)
        return known

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
        if length is None or not length.isdecimal():
            return True
        return len(length) <= _MOST_DIGITS and int(length) <= MAX_BODY  # of more digits Python reads none

    def headers_for(self, token: AccessToken, call: SendCall) -> dict[str, str]:
        """Return the headers that put a token on a call."""
        api = self.client.settings.api
        return headers_for(token, call, self.proofs.sign, name=api.header_name, scheme=api.header_scheme)

    @property
    def our_headers(self) -> tuple[str, ...]:
        """Names of the headers that nobody else may set, of the connection as it was last called."""
        return self._our_headers

    def carries_token(self, headers: Mapping[str, Any]) -> bool:
        """Whether we have put a token on a request with these headers."""
        return isinstance(headers.get(self.client.settings.api.header_name), TokenHeader)

    @property
    def instance_named(self) -> bool:
        """Whether each token names the API that it is for."""
        return self.client.settings.api.instance is not None

    def current_destination(self) -> Destination:
        """Return where the token may go; asks for one, where tokens name their API.

        :raises OAuthError: as :meth:`destination_for` does, or when no token can be acquired.
        """
        return self.destination_for(self._token() if self.instance_named else None)

    def destination_for(self, token: AccessToken | None) -> Destination:
        """Return where a token may go.

        :param token: ``None`` where tokens do not name their API, or for one that is still to come.
        :raises ConfigurationError: when connection and DAG code contradict each other, or the token names an
            API that nobody has approved.
        """
        settings, known = self.client.settings, self._destination
        instance = token.instance_url if isinstance(token, PrivateToken) else None
        if known is not None and known[0] is settings and known[1] == instance:
            return known[2]
        resolved = self._resolved(settings, token)
        self._destination = settings, instance, resolved
        self._our_headers = tuple(dict.fromkeys((*OUR_HEADERS, settings.api.header_name)))
        return resolved

    def _resolved(self, settings: ClientSettings, token: AccessToken | None) -> Destination:
        try:
            api = api_of(settings, token)
            to_come = api.instance is not None and token is None
            return destination(api, None if to_come else self.base_url)
        except UrlError as error:
            refused = ConfigurationError(f"the token's instance_url {error}", field="allowed_origins")
        except ConfigurationError as error:
            refused = error
        raise refused.for_connection(self.client.conn_id)

    def token_for(self, url: str, headers: Mapping[str, Any]) -> AccessToken:
        """Return the token that a request may carry now.

        :param headers: of the request.
        :raises ConfigurationError: for a URL that must not get it, or a header in its place; nothing is
            asked of anybody then.
        :raises OAuthError: when no token can be acquired.
        """
        settings = self.client.settings
        token = self._token() if self.instance_named else None
        self._require_fit(url, headers, token)
        return token or self._require_still_fit(url, headers, self._token(), settings)

    async def atoken_for(self, url: str, headers: Mapping[str, Any]) -> AccessToken:
        """Do what :meth:`token_for` does without blocking the event loop."""
        settings = await self.client.asettings()
        token = await self._atoken() if self.instance_named else None
        self._require_fit(url, headers, token)
        return token or self._require_still_fit(url, headers, await self._atoken(), settings)

    def _require_fit(self, url: str, headers: Mapping[str, Any], token: AccessToken | None) -> None:
        self.require_allowed(url, token)
        self.require_no_other(headers)

    def _require_still_fit(
        self, url: str, headers: Mapping[str, Any], token: AccessToken, settings: ClientSettings
    ) -> AccessToken:
        """Return a token that may be another client's than the request was checked for.

        :param settings: of the connection then: who asks for a token reads it anew.
        """
        if self.client.settings is not settings:
            self._require_fit(url, headers, token)
        return token

    def require_still_allowed(self, url: str, token: AccessToken) -> None:
        """Refuse a URL to which the call that is under way must not carry a renewed token.

        The call itself goes on as it began: its headers are those that the connection named then.

        :raises ConfigurationError: then; the caller names the connection.
        """
        where = self._resolved(self.client.settings, token if self.instance_named else None)
        require_allowed(where, url)

    def require_allowed(self, url: str, token: AccessToken | None) -> None:
        """Refuse a URL that must not get a token.

        :param token: as of :meth:`destination_for`.
        :raises ConfigurationError: then.
        """
        try:
            require_allowed(self.destination_for(token), url)
        except ConfigurationError as error:
            refused = error.for_connection(self.client.conn_id)
        else:
            return
        raise refused

    def _token(self) -> AccessToken:
        return self.client.get_token()

    async def _atoken(self) -> AccessToken:
        return await self.client.aget_token()

    def note_accepted(self, token: AccessToken, url: str) -> None:
        """Note that an API has answered a call with *token* by a 2xx status; once per token and origin."""
        if self.cool_downs.board.held:
            self.note_answered(url)
        origin = url[: url.find("/", 8)]
        if self._accepted.get(origin) is not token:
            self._accepted[origin] = token
            self.client.accepted(token, parse_url(url.partition("#")[0]).origin)

    def note_answered(self, url: str) -> None:
        """Note that an API has answered a call, and does not ask to be left alone."""
        cool_downs = self.cool_downs
        if cool_downs.board.held:
            cool_downs.answered(parse_url(url.partition("#")[0]).origin)

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

    async def _atoken(self) -> AccessToken:
        return self._one
