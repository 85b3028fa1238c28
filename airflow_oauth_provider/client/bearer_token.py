"""The token of a connection as a function, for libraries that ask for one."""

from __future__ import annotations

from airflow_oauth_provider.client.lending import require_bearer
from airflow_oauth_provider.client.prepared_client import PreparedClient
from airflow_oauth_provider.connection.token_parameters import NONE_CHOSEN, TokenParameters
from airflow_oauth_provider.tokens import AccessToken


class BearerToken:
    """A function that returns a valid token, for libraries that ask for one; it holds no token itself.

    Whichever thread asks first reads the connection. It may be called in any other thread, event loop or
    process then: those use what was read, and do not call Airflow.

    :param oauth2_conn_id: Airflow connection id; read at the first call, not now.
    :param parameters: asked for instead of the connection's.
    """

    def __init__(self, oauth2_conn_id: str, parameters: TokenParameters = NONE_CHOSEN) -> None:
        self._client = PreparedClient(oauth2_conn_id, parameters=parameters)

    def __call__(self) -> str:
        """Return the value of a token that may be used now.

        :raises OAuthError: when there is none.
        """
        return self.token().value

    def token(self) -> AccessToken:
        """Return the token itself, for libraries that want to know when it ends.

        :raises OAuthError: when there is none.
        """
        client = self._client
        return require_bearer(client.held_token() or client.get_token(), client.conn_id)

    async def atoken(self) -> AccessToken:
        """Do what :meth:`token` does without blocking the event loop."""
        client = self._client
        return require_bearer(client.held_token() or await client.aget_token(), client.conn_id)

    def __repr__(self) -> str:
        return f"<bearer token of connection {self._client.conn_id!r}>"
