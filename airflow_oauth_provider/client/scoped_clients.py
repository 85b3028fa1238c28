"""Clients of one connection for the scopes and tenants that single calls name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_oauth_provider.client.oauth2_client import OAuth2Client
from airflow_oauth_provider.connection.token_parameters import TokenParameters
from airflow_oauth_provider.exceptions import ConfigurationError

MAX_CLIENTS = 64
"""Clients that are kept; an older one is made again where it is asked for."""


class ScopedClients:
    """Of a connection, one client for each set of scopes; the tokens are kept as those of any client.

    :param client: of the connection, with what its own user has chosen.
    """

    def __init__(self, client: OAuth2Client) -> None:
        self.client = client
        # Without a lock, which a forked process could find held: two threads may make the same client.
        self._clients: dict[tuple[tuple[str, ...], str | None], OAuth2Client] = {}

    def client_for(self, scopes: tuple[Any, ...], tenant: str | None = None) -> OAuth2Client:
        """Return the client for what a call names.

        :param scopes: asked for instead of the connection's; empty for those of the connection.
        :param tenant: one of the connection's; ``None`` for its own.
        :raises TypeError: for a scope that is no text.
        :raises ConfigurationError: for a scope or tenant that cannot be meant.
        """
        for scope in scopes:
            if not isinstance(scope, str):
                raise TypeError(
                    f"a scope must be text, not {type(scope).__name__}: for a new token say force=True"
                )
        if not scopes and not tenant:
            return self.client
        known = self._clients.get((scopes, tenant)) if isinstance(tenant, str | None) else None
        client = known or self._new_client(scopes, tenant)
        client.stop = self.client.stop  # which a task may have put there since
        return client

    def _new_client(self, scopes: tuple[str, ...], tenant: str | None) -> OAuth2Client:
        own = self.client
        try:
            chosen = TokenParameters.of(scope=" ".join(scopes) if scopes else None, tenant=tenant or None)
        except ConfigurationError as error:
            refused = error.for_connection(own.conn_id)
        else:
            changes = {name: value for name, value in vars(chosen).items() if value is not None}
            parameters = replace(own.reader.parameters, **changes)
            client = own.used_with(parameters)
            for oldest in list(self._clients)[: 1 - MAX_CLIENTS]:
                self._clients.pop(oldest, None)
            return self._clients.setdefault((scopes, tenant), client)
        raise refused

    def __reduce__(self) -> tuple[type[ScopedClients], tuple[OAuth2Client]]:
        return ScopedClients, (self.client,)
