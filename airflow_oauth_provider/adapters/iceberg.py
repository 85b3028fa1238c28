"""Tokens for pyiceberg's REST catalog, and by that for Airflow's ``IcebergHook``, by its connection's extra.

There ``auth`` is ``{"type": "custom", "impl": …, "custom": {"oauth2_conn_id": …, "scope": …}}``, and ``impl``
the path of :class:`OAuth2AuthManager`. ``[oauth2] lent_connections`` must list our connection.
"""

from __future__ import annotations

from typing import Any

from airflow_oauth_provider.client.lent_tokens import LentTokens


class OAuth2AuthManager:
    """pyiceberg's ``AuthManager``; the connection is read when the catalog is made.

    :param custom: *oauth2_conn_id*, *scope*, *audience*, *resource*, *tenant*.
    :raises ConfigurationError: when the connection is wrong, not lent, or not there.
    """

    def __init__(self, **custom: Any) -> None:
        from pyiceberg.catalog.rest.auth import AuthManager

        AuthManager.register(OAuth2AuthManager)
        self._tokens = LentTokens.of(custom, stands_in="auth").prepare()

    def auth_header(self) -> str:
        """Return the value of the header ``Authorization``.

        :raises OAuthError: when there is no token.
        """
        return self._tokens.authorization()

    def __repr__(self) -> str:
        return f"<OAuth2AuthManager of connection {self._tokens.conn_id!r}>"
