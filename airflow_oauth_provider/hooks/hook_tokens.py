"""The tokens that a hook hands out, and what the authorization server is asked of them."""

from __future__ import annotations

from time import monotonic
from time import time as wall_time
from typing import Any

from airflow_oauth_provider.client.lending import Lending
from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.client.scoped_clients import ScopedClients
from airflow_oauth_provider.client.token_credential import TokenCredential
from airflow_oauth_provider.client.token_services import TokenServices, presented
from airflow_oauth_provider.protocol.token.introspection import Introspection
from airflow_oauth_provider.tokens import AccessToken


class HookTokens:
    """A part of the hook: its tokens for callers and for other libraries, introspection and revocation."""

    _client: OAuth2Client
    _scoped_clients: ScopedClients | None = None
    _lent_credential: TokenCredential | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what is made when it is first used."""
        left = {"_scoped_clients", "_lent_credential"}
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def get_token(
        self,
        *scopes: str,
        force: bool = False,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
    ) -> AccessToken:
        """Return an access token that may be used now.

        With scopes it is what other code calls, such as Airflow's Snowflake and PostgreSQL hooks for the
        connection that their ``azure_conn_id`` names. DAG code names scopes when it makes the hook.

        :param scopes: asked for instead of the connection's, which ``[oauth2] lent_connections`` must list.
        :param force: a new one, whatever is held; remembered refusals hold all the same.
        :param claims: of an API that refused a token; when not empty, a new one is asked for.
        :param tenant_id: one of the connection's tenants; ``None`` for its own.
        :param enable_cae: makes no difference.
        :raises TypeError: for a scope that is no text.
        :raises ConfigurationError: when the connection is wrong, or scopes are named and it is not lent.
        :raises TokenEndpointError: when the authorization server refuses.
        :raises TokenResponseError: when its response is no token.
        :raises TransportError: when it does not answer within ``max_wait`` seconds.
        """
        if not (scopes or force or claims or tenant_id):
            # As held_token(), written out here: nearly every caller gets no further, and one more call would
            # be a sixth of what it costs (python -m benchmarks.tokens).
            view = self._client.view
            if wall_time() < view.renew_at and monotonic() < view.until:
                view.hits += 1
                return view.token
            return self._client.get_token()
        if scopes:
            return self._lent.get_token(*scopes, force=force, claims=claims, tenant_id=tenant_id)
        return self._clients.client_for((), tenant_id).get_token(force=force or bool(claims))

    async def aget_token(
        self,
        *scopes: str,
        force: bool = False,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
    ) -> AccessToken:
        """Return an access token that may be used now, without blocking the event loop.

        From memory it comes without awaiting anything; however many coroutines ask, one thread asks
        for them.

        :param scopes: as of :meth:`get_token`, like all parameters and errors.
        """
        if scopes:
            return await self._lent.aget_token(*scopes, force=force, claims=claims, tenant_id=tenant_id)
        return await self._clients.client_for((), tenant_id).aget_token(force=force or bool(claims))

    def credential(self) -> TokenCredential:
        """Return what Azure's libraries take for a credential, for use in DAG code.

        It needs no lending: the code that makes it says where the tokens go.
        """
        return TokenCredential(self._clients)

    def introspect(
        self, token: AccessToken | str | None = None, *, endpoint: str | None = None
    ) -> Introspection:
        """Ask the authorization server what it knows of a token (RFC 7662).

        :param token: the token, ours or another's; ``None`` for the one that tasks would use now.
        :param endpoint: URL of the introspection endpoint, on the access token URL's own host or on one of
            ``[oauth2] allowed_token_hosts``; ``None`` for the one that the metadata of the connection's
            issuer names.
        :return: a dict with the boolean ``active``, and what else the server says; see
            :class:`Introspection`. It never holds the token.
        :raises ConfigurationError: when the endpoint is missing or not allowed; nothing was sent.
        :raises OAuthError: as :meth:`get_token` does; repeated within ``max_wait`` like a token request.
        """
        token = presented(token)
        return TokenServices(self._client).introspect(token, endpoint)

    async def aintrospect(
        self, token: AccessToken | str | None = None, *, endpoint: str | None = None
    ) -> Introspection:
        """Do what :meth:`introspect` does without blocking the event loop."""
        token = presented(token)
        return await TokenServices(self._client).aintrospect(token, endpoint)

    def revoke(self, token: AccessToken | str | None = None, *, endpoint: str | None = None) -> bool:
        """Tell the authorization server that a token is not needed any more (RFC 7009).

        The token is taken out of memory and store before, so that the next call gets another one. Other
        processes that hold it in memory learn of it by the API's 401, and renew it.

        :param token: the token, ours or another's; ``None`` for the one that is kept for this connection.
        :param endpoint: URL of the revocation endpoint; as of :meth:`introspect`.
        :return: false when no token is kept, so that there was nothing to send. True says that the token
            is good no more; servers say so of tokens that they do not know, too.
        :raises ConfigurationError: as :meth:`introspect` does.
        :raises OAuthError: when the server does not confirm it: the token may stay good until it ends.
        """
        token = presented(token)
        return TokenServices(self._client).revoke(token, endpoint)

    async def arevoke(self, token: AccessToken | str | None = None, *, endpoint: str | None = None) -> bool:
        """Do what :meth:`revoke` does without blocking the event loop."""
        token = presented(token)
        return await TokenServices(self._client).arevoke(token, endpoint)

    @property
    def _clients(self) -> ScopedClients:
        clients = self._scoped_clients
        if clients is None or clients.client is not self._client:
            clients = self._scoped_clients = ScopedClients(self._client)
        return clients

    @property
    def _lent(self) -> TokenCredential:
        credential = self._lent_credential
        if credential is None:
            lending = Lending(self._client.conn_id)
            credential = self._lent_credential = TokenCredential(self._clients, lending)
        return credential
