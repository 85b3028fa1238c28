"""Tokens for OpenLineage's HTTP transports, by ``auth`` of ``[openlineage] transport``.

Its ``type`` is the path of ``OAuth2TokenProvider``; beside it stand ``oauth2_conn_id``, ``scope`` and others.
Where a connection holds all that (``config_conn_id``), ``[oauth2] lent_connections`` must list ours.
"""

from __future__ import annotations

from types import new_class
from typing import Any

from airflow_oauth_provider.client.lent_tokens import LentTokens


class _TokenProvider:
    """OpenLineage's ``TokenProvider``; the connection is read when OpenLineage's client is made.

    :param config: what ``auth`` says: *oauth2_conn_id*, *scope*, *audience*, *resource*, *tenant*.
    :raises ConfigurationError: when the connection is wrong, not lent, or not there.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        from airflow.providers.common.compat.sdk import conf

        arguments = {name: value for name, value in config.items() if name != "type"}
        lent = bool(conf.get("openlineage", "config_conn_id", fallback=""))
        self._tokens = LentTokens.of(arguments, stands_in="auth").prepare(lent=lent)

    def get_bearer(self) -> str:
        """Return the value of the header ``Authorization``."""
        return self._tokens.authorization()

    def __repr__(self) -> str:
        return f"<OAuth2TokenProvider of connection {self._tokens.conn_id!r}>"


def __getattr__(name: str) -> Any:
    """Return ``OAuth2TokenProvider``, whose base OpenLineage insists on; imported no sooner than here."""
    if name == "OAuth2TokenProvider":
        from openlineage.client.transport.http import TokenProvider

        made = new_class(name, (_TokenProvider, TokenProvider))
        made.__module__, made.__doc__ = __name__, _TokenProvider.__doc__
        return globals().setdefault(name, made)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
