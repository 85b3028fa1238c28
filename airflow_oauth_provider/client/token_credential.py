"""Tokens for libraries that name scopes themselves, as the protocol of azure-core lets them."""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.client.lending import Lending, require_bearer
from airflow_oauth_provider.client.scoped_clients import ScopedClients
from airflow_oauth_provider.tokens import AccessToken


class TokenCredential:
    """What azure-core calls a ``TokenCredential``: it is asked for a token by the scopes of each call.

    It holds a connection and never a token, and travels as the connection's id. Where Airflow may not be
    called, the permission was asked for when the connection was read.

    :param clients: of the connection.
    :param lending: the permission that it needs; ``None`` where DAG code has made it.
    """

    def __init__(self, clients: ScopedClients, lending: Lending | None = None) -> None:
        self._clients = clients
        self._lending = lending

    @property
    def conn_id(self) -> str:
        """The connection's id."""
        return self._clients.client.conn_id

    def get_token(
        self,
        *scopes: str,
        force: bool = False,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,
    ) -> AccessToken:
        """Return an access token that may be used now.

        :param scopes: asked for instead of the connection's.
        :param force: a new one, whatever is held.
        :param claims: of an API that refused a token; when not empty, a new one is asked for. They are not
            sent: the grant has no place for them.
        :param tenant_id: one of the connection's tenants; ``None`` for its own.
        :param enable_cae: makes no difference.
        :raises TypeError: for a scope that is no text.
        :raises OAuthError: when there is none, as :meth:`OAuth2Hook.get_token` does.
        """
        client = self._clients.client_for(scopes, tenant_id)
        if self._lending is not None and client.may_read:
            self._lending.require()
        return require_bearer(client.get_token(force=force or bool(claims)), client.conn_id)

    async def aget_token(
        self,
        *scopes: str,
        force: bool = False,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,
    ) -> AccessToken:
        """Do what :meth:`get_token` does without blocking the event loop."""
        client = self._clients.client_for(scopes, tenant_id)
        if self._lending is not None and client.may_read:
            self._lending.require_in_loop()
        return require_bearer(await client.aget_token(force=force or bool(claims)), client.conn_id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of connection {self.conn_id!r}>"
