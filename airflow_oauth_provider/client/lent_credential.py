"""The credential of a connection that something else names, for adapters of libraries that name scopes."""

from __future__ import annotations

from airflow_oauth_provider.client.lending import Lending
from airflow_oauth_provider.client.prepared_client import PreparedClient
from airflow_oauth_provider.client.scoped_clients import ScopedClients
from airflow_oauth_provider.client.token_credential import TokenCredential
from airflow_oauth_provider.connection.token_parameters import Texts, chosen_parameters


class LentCredential:
    """What an adapter's class begins with; ``[oauth2] lent_connections`` must list the connection.

    It holds the connection's id and never a token, reads nothing before it is asked, and travels as the id.

    :param oauth2_conn_id: Airflow connection id.
    :param scope: where the caller names none; like *audience*, *resource* and *tenant* asked for instead of
        the connection's.
    """

    def __init__(
        self,
        oauth2_conn_id: str,
        *,
        scope: Texts | None = None,
        audience: str | None = None,
        resource: Texts | None = None,
        tenant: str | None = None,
    ) -> None:
        parameters = chosen_parameters(oauth2_conn_id, scope, audience, resource, tenant)
        clients = ScopedClients(PreparedClient(oauth2_conn_id, parameters=parameters))
        self._credential = TokenCredential(clients, Lending(oauth2_conn_id))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of connection {self._credential.conn_id!r}>"
